"""``sheepgen rerun``: an image regenerated from its own metadata, changed or not.

A record says everything; other programs' settings, which count if there is no record, leave some
of it to the model. The image may be anybody's: where files go and, but for the cases of
`sheepgen.verify.recorded_model`, what is loaded are the user's to say; nothing is fetched without
``--fetch`` or ``--model``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sheepgen.caches import NO_CACHE
from sheepgen.cli import options
from sheepgen.cli.console import error_console
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.fields import FIELDS, RANDOM_SEED
from sheepgen.options import NATIVE_ATTENTION
from sheepgen.presets import Presets
from sheepgen.request import TEMPLATES
from sheepgen.shell_command import TypedCommand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from sheepgen.verify.recorded_request import RecordedRequest

__all__ = ["rerun"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RerunOptions(options.RunOptions):
    """Options of a run whose dtype, backend and cache are the image's own by default."""

    dtype: options.DtypeOpt = None
    attention_backend: options.AttentionBackendOpt = None
    cache: options.CacheOpt = None
    compiled: options.CompileOpt = None


@spread
def rerun(
    path: options.ImageArg,
    *,
    fields: Annotated[dict[str, Any], RequestOptions("changes", tuple(FIELDS))],
    fetch: options.FetchOpt = False,
    count: options.CountOpt = 1,
    run: RerunOptions,
    batch_size: options.BatchSizeOpt = 1,
    json: options.JsonOpt = False,
    progress_json: options.ProgressJsonOpt = False,
    preview: options.PreviewOpt = False,
    printed: options.PrintOptions,
    presets: Presets,
    command: TypedCommand,
) -> None:
    """Regenerate an image, changing only the options you give."""
    from sheepgen.cli.images import can_preview, generate_images, plan_images
    from sheepgen.cli.parsers import pick_seeds, random_seed_notes, read_prompt
    from sheepgen.cli.piped_image import PIPE, check_pipe_is_free, read_piped_image
    from sheepgen.output.template import parse_output

    console = error_console(quiet=printed.quiet or progress_json)
    piped = None
    if fields.get("image") == PIPE:
        check_pipe_is_free(fields.get("prompt", ""))
        piped = read_piped_image(parse_output(run.output, several=count > 1).home)
        fields["image"] = str(piped.path)
    if "prompt" in fields:
        fields["prompt"] = read_prompt(fields["prompt"])
    fields = presets.fill(fields)
    model = fields.pop("model", None)
    recorded = _read(
        Path(path),
        model,
        console,
        fetch=fetch,
        fields=fields,
    )
    before, environment = recorded.request, recorded.environment
    if fields.get("variation_strength") and before.variation_seed is None:
        fields.setdefault("variation_seed", RANDOM_SEED)
    picked = pick_seeds(fields)
    # Recorded prompts were picked; those that are typed are templates of their own.
    typed: dict[str, Any] = {name: None for text, name in TEMPLATES.items() if text in fields}
    if fields.keys() & {"prompt", "blend"}:  # one takes the place of the other
        left_out = {name: "" for name in ("prompt", "blend") if name not in fields}
        typed |= {"prompt_template": None, **left_out}
    plan = plan_images(
        replace(before, **fields | picked | typed),
        run.output,
        run.settings(
            batch_size=batch_size,
            preview=can_preview(console, wanted=preview),
            command=command,
            dtype=environment.dtype if environment else "auto",
            attention_backend=environment.attention_backend if environment else NATIVE_ATTENTION,
            cache=environment.cache if environment else NO_CACHE,
            compiled=environment is not None and environment.compiled,
        ),
        console,
        # A model that the user has not named is never downloaded in silence.
        downloads=error_console(quiet=printed.quiet and model is not None),
        count=count,
        spec=recorded.spec,
        templates=[name for name in TEMPLATES if name in fields],
        dry_run=run.dry_run,
        json=json,
    )
    if plan is None:
        return
    notes = random_seed_notes(picked)
    if piped is not None and not run.dry_run:
        notes.append(piped.keep())
    if "transformer" not in fields:
        notes += filter(None, [recorded.weights_note(plan.spec)])
    generate_images(
        plan,
        console,
        notes,
        dry_run=run.dry_run,
        json=json,
        progress_json=progress_json,
        verbose=printed.verbose,
    )


def _read(
    path: Path,
    model: str | None,
    console: Console,
    *,
    fetch: bool,
    fields: Mapping[str, Any],
) -> RecordedRequest:
    """Return what an image asks for, its model replaced by one that is safe to find.

    Args:
        path: Of the image.
        model: As given; None for the image's own.
        console: For notes on what could not be read.
        fetch: Whether the image's own model may be fetched.
        fields: As given. Another program's image may have no prompt and no seed; a picture that is
            given is not looked for.
    """
    from sheepgen.cli.show import print_not_mapped
    from sheepgen.metadata.image_file import record_in
    from sheepgen.metadata.image_texts import read_texts
    from sheepgen.metadata.other_programs import require_parameters
    from sheepgen.request import EMBEDDED_MODEL
    from sheepgen.verify.recorded_request import RecordedRequest, recorded_request

    texts = read_texts(path)
    record = record_in(texts, path)
    if record is not None:
        return recorded_request(record, path.parent, model=model, fetch=fetch, replaced=fields)
    parameters = require_parameters(texts, path)
    seed = 0 if fields.get("seed") == RANDOM_SEED else fields.get("seed")
    asked = parameters.request(
        model=model or EMBEDDED_MODEL,
        prompt=fields.get("prompt", fields.get("blend")),
        seed=seed,
    )
    print_not_mapped(console, parameters)
    return RecordedRequest(request=asked)
