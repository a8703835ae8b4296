"""``sheepgen dissolve``: a picture goes step by step into static, and back from any step."""

from __future__ import annotations

import json as json_format
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sheepgen.cli import options, parsers
from sheepgen.cli.console import error_console, note, write_data
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.fields import FIELDS, RANDOM_SEED
from sheepgen.presets import Presets
from sheepgen.request import TEMPLATES, GenerationRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from sheepgen.execution.dissolve import DissolvePlan
    from sheepgen.verify.recorded_request import RecordedRequest

__all__ = ["dissolve"]

_ITS_OWN = ("image", "strength", "mask", "hires", "upscaler", "branch")
"""Fields that the command fills in, or that do not go with them."""

_OF_FORWARD = frozenset(
    {
        *("model", "variant", "transformer", "vae", "scheduler", "num_inference_steps"),
        *("seed", "variation_seed", "variation_strength", "width", "height", "fit"),
    }
)
"""Fields that act on how a picture dissolves; the others act on the way back."""

BackFromOpt = Annotated[
    int | None,
    typer.Option(
        "--back-from",
        metavar="STEP",
        help="Denoise from this step, with a prompt, and save the image, as --image and --strength "
        "of `sheepgen generate` do.",
        parser=parsers.whole_number("--back-from"),
        rich_help_panel=options.IMAGE,
        show_default=False,
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class DissolveOptions(options.RunOptions):
    """Options of a run that saves all of its steps by default."""

    frames: options.FramesOpt = "all"


@spread
def dissolve(
    path: options.PictureArg,
    *,
    fields: Annotated[
        dict[str, Any],
        RequestOptions("changes", tuple(name for name in FIELDS if name not in _ITS_OWN)),
    ],
    back_from: BackFromOpt = None,
    fetch: options.FetchOpt = False,
    run: DissolveOptions,
    json: options.JsonOpt = False,
    printed: options.PrintOptions,
    presets: Presets,
) -> None:
    """Dissolve a picture into static, step by step, as a model's scheduler adds noise.

    An image that sheepgen made dissolves with its own model, scheduler, steps and seed by default.
    """
    from sheepgen.cli.images import generate_images, plan_images
    from sheepgen.errors import UsageError

    console = error_console(quiet=printed.quiet)
    if back_from is None and run.frames == "none":
        raise UsageError("With --frames none nothing is left to save.", "Leave it out.")
    fields = presets.fill(fields)
    if "prompt" in fields:
        fields["prompt"] = parsers.read_prompt(fields["prompt"])
    recorded = _recorded(Path(path), fields, fetch=fetch)
    if recorded is None:
        fields.setdefault("seed", RANDOM_SEED)
    if fields.get("variation_strength"):
        fields.setdefault("variation_seed", RANDOM_SEED)
    picked = parsers.pick_seeds(fields)
    request = _request(path, recorded, fields | picked)
    plan = _plan(request, recorded, run, console, json=json)
    if plan is None:
        return
    notes = parsers.random_seed_notes(picked)
    if recorded is not None:
        notes += filter(None, [recorded.weights_note(plan.spec)])
    if back_from is None:
        unused = [FIELDS[name].label for name in fields if name not in _OF_FORWARD]
        notes += [f"Warning: {label} has no effect without --back-from." for label in unused]
        for text in (*plan.notes, *notes):
            note(console, text)
        _dissolve(plan, console, dry_run=run.dry_run, json=json)
        return
    images = plan_images(
        plan.back_from(back_from, request),
        run.output,
        plan.settings,
        console,
        count=1,
        spec=plan.spec,
        templates=[name for name in TEMPLATES if name in fields],
        dry_run=run.dry_run,
        json=json,
    )
    if images is not None:
        generate_images(
            images,
            console,
            notes,
            dry_run=run.dry_run,
            json=json,
            progress_json=False,
            verbose=printed.verbose,
        )


def _recorded(path: Path, fields: Mapping[str, Any], *, fetch: bool) -> RecordedRequest | None:
    """Return what an image of sheepgen asks for; None for any other picture."""
    from sheepgen.metadata.image_file import record_in
    from sheepgen.metadata.image_texts import read_texts
    from sheepgen.verify.recorded_request import recorded_request

    record = record_in(read_texts(path), path)
    if record is None:
        return None
    replaced = {**fields, "image": str(path), "mask": None, "upscaler": ""}
    return recorded_request(
        record, path.parent, model=fields.get("model"), fetch=fetch, replaced=replaced
    )


def _request(
    path: str, recorded: RecordedRequest | None, fields: Mapping[str, Any]
) -> GenerationRequest:
    """Return what is asked for, with the picture to dissolve."""
    if recorded is None:
        return GenerationRequest(image=path, **fields)
    cleared: dict[str, Any] = {"mask": None, "hires": "", "upscaler": "", "branch": ""}
    typed: dict[str, Any] = {name: None for text, name in TEMPLATES.items() if text in fields}
    if "prompt" in fields:
        typed["blend"] = ""
    model = {"model": recorded.request.model}
    return replace(
        recorded.request, **{**cleared, **typed, **fields, **model, "image": path, "strength": 1.0}
    )


def _plan(
    request: GenerationRequest,
    recorded: RecordedRequest | None,
    run: DissolveOptions,
    console: Console,
    *,
    json: bool,
) -> DissolvePlan | None:
    """Plan, after downloading what is not here; None after a dry run that has said what that is."""
    from sheepgen.cli.download import show_download
    from sheepgen.cli.dry_run import print_download
    from sheepgen.execution.dissolve import plan_dissolve
    from sheepgen.models.hub import DownloadPlan, go_offline
    from sheepgen.output.progress import spinner

    if run.offline:
        go_offline()
    spec = None if recorded is None else recorded.spec
    while True:
        with spinner(console, "Preparing"):
            plan = plan_dissolve(
                request, run.output, run.settings(here=True), spec=spec, download=False
            )
        if not isinstance(plan, DownloadPlan):
            return plan
        if run.dry_run:
            print_download(plan, json=json)
            return None
        show_download(console, plan)


def _dissolve(plan: DissolvePlan, console: Console, *, dry_run: bool, json: bool) -> None:
    """Print the path of each thing that is saved, after a plan if that is only asked for.

    With ``json`` it is one object with all.
    """
    from sheepgen.cli.dry_run import print_rows
    from sheepgen.execution.dissolve import PictureDissolved, run_dissolve
    from sheepgen.output.progress import spinner

    request, saved = plan.request, None
    if not dry_run:
        with spinner(console, "Dissolving"), closing(run_dissolve(plan)) as events:
            for event in events:
                saved = event if isinstance(event, PictureDissolved) else saved
    wanted = [each.name for each in plan.layout.frames.artifacts()]
    paths = saved.artifacts if saved else {name: plan.target.paths()[name] for name in wanted}
    note(
        console,
        f"{request.num_inference_steps} steps of {request.scheduler}, seed {request.seed}, "
        f"{request.width}x{request.height}.",
    )
    if json:
        names = {name: str(each) for name, each in paths.items()}
        asked = {FIELDS[name].key: getattr(request, name) for name in sorted(_OF_FORWARD)}
        write_data(json_format.dumps({"request": asked, **names}))
    elif dry_run:
        steps = f"{request.num_inference_steps} of {request.scheduler}, seed {request.seed}"
        size = f"{request.width}x{request.height}"
        print_rows({"model": plan.spec.name, "size": size, "steps": steps})
        print_rows({name: str(each) for name, each in paths.items()})
    else:
        for each in paths.values():
            write_data(str(each))
