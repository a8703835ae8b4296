"""``sheepgen explain``: an image, and a page beside it that shows how it came about."""

from __future__ import annotations

import json as json_format
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sheepgen.cli import options
from sheepgen.cli.console import error_console, note, write_data
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.presets import Presets
from sheepgen.request import GenerationRequest
from sheepgen.shell_command import TypedCommand

if TYPE_CHECKING:
    from rich.console import Console

    from sheepgen.execution.plan import RunPlan

__all__ = ["explain"]

_FIELDS = tuple(name for name in options.IMAGE_FIELDS if name not in ("blend", "branch"))
"""What is shown word by word is one prompt."""

AblateOpt = Annotated[
    bool,
    typer.Option(
        "--ablate",
        metavar="",
        help="Also generate the image without each word, and show what differs.",
        rich_help_panel=options.RUN,
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplainOptions(options.RunOptions):
    """Options of a run that saves no frames by default: the page has them."""

    frames: options.FramesOpt = "none"


@spread
def explain(
    prompt: options.PromptArg = None,
    *,
    prompt_option: options.PromptOpt = None,
    fields: Annotated[dict[str, Any], RequestOptions("one", _FIELDS)],
    ablate: AblateOpt = False,
    run: ExplainOptions,
    json: options.JsonOpt = False,
    printed: options.PrintOptions,
    presets: Presets,
    command: TypedCommand,
) -> None:
    """Generate an image, and a page that shows where each word acts and what each step did."""
    from sheepgen.cli.dry_run import print_plan
    from sheepgen.cli.images import plan_images
    from sheepgen.cli.parsers import (
        one_prompt,
        pick_seeds,
        random_seed_notes,
        read_prompt,
        with_random_seeds,
    )
    from sheepgen.explain.run import check_explainable

    console = error_console(quiet=printed.quiet)
    prompt = read_prompt(one_prompt(prompt, prompt_option))
    fields = presets.fill({**fields, "prompt": prompt})
    picked = pick_seeds(with_random_seeds(fields))
    plan = plan_images(
        GenerationRequest(**fields | picked),
        run.output,
        run.settings(command=command, here=True),
        console,
        count=1,
        dry_run=run.dry_run,
        json=json,
    )
    if plan is None:
        return
    check_explainable(plan.spec, plan.requests[0], ablate=ablate)
    if run.dry_run:
        print_plan(plan, json=json)
        return
    notes = (*plan.prompt_notes, *plan.image_notes, *random_seed_notes(picked), *plan.warnings)
    for text in notes:
        note(console, text)
    _explain(plan, console, ablate=ablate, json=json)


def _explain(plan: RunPlan, console: Console, *, ablate: bool, json: bool) -> None:
    """Print the paths of the image and of the page; with ``json``, one object with both.

    Raises:
        Interrupted: If Ctrl-C cut it short; an image that is finished stays.
    """
    from sheepgen.cli.interrupt import stopped_by_interrupts
    from sheepgen.errors import Interrupted
    from sheepgen.events import ImageSaved, RunFailed
    from sheepgen.explain.run import ImageExplained, explain_image
    from sheepgen.output.jsonl import outcome_to_dict
    from sheepgen.output.progress import show_progress

    events = explain_image(plan, ablate=ablate)
    labels = {request: f"Seed {request.seed}" for request in plan.requests}
    shown = show_progress(stopped_by_interrupts(events, console), console, labels, images=1)
    outcome: dict[str, Any] = {}
    try:
        with closing(events), closing(shown):
            for event in shown:
                match event:
                    case ImageSaved():
                        outcome = outcome_to_dict(event)
                        if not json:
                            write_data(str(event.path))
                    case ImageExplained():
                        paths = {"page": str(event.page), "pictures": str(event.pictures)}
                        outcome["explanation"] = {**paths, **event.numbers}
                        write_data(json_format.dumps(outcome) if json else str(event.page))
                    case RunFailed():
                        raise event.error
                    case _:
                        pass
    except (Interrupted, KeyboardInterrupt) as error:
        if not outcome or "explanation" in outcome:
            raise
        stopped = error if isinstance(error, Interrupted) else Interrupted()
        raise Interrupted(stopped.message, "The image is saved, its page is not.") from error
