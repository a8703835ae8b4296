"""``sheepgen morph``: images on a path from one prompt or seed to another, and an animation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from sheepgen.cli import completion, options, parsers
from sheepgen.cli.console import error_console
from sheepgen.cli.options import IMAGE, OUTPUT
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.cli.sweep import ResumeOpt, SheetOpt, SweepOptions
from sheepgen.errors import UsageError
from sheepgen.presets import Presets
from sheepgen.request import DEFAULTS
from sheepgen.shell_command import TypedCommand
from sheepgen.sweep.ranges import parse_integers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.sweep.grid import Value

__all__ = ["morph"]

_OF_THE_PATH = ("blend", "seed", "variation_seed", "variation_strength")

_FIELDS = tuple(name for name in options.IMAGE_FIELDS if name not in _OF_THE_PATH)


def _seeds(typed: str) -> tuple[int, ...]:
    """Return the seeds of a path, which may come back to one of them."""
    return tuple(seed for item in typed.split(",") for seed in parse_integers("--seeds", item))


MorphPromptsArg = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PROMPT...",
        help="The prompts of the path, each in quotes; one is enough with several --seeds.",
        show_default=False,
    ),
]
SeedsOpt = Annotated[
    str | None,
    typer.Option(
        "-s",
        "--seeds",
        "--seed",
        metavar="N,…",
        help="Random seed; several, as in 1,2 or 1-4, are a path, too. If omitted or -1, one is "
        "picked and kept for the folder.",
        show_default=False,
        parser=_seeds,
        rich_help_panel=IMAGE,
    ),
]
StopsOpt = Annotated[
    int,
    typer.Option(
        "--stops",
        metavar="N",
        help="Number of images on the path, the prompts and seeds themselves included.",
        parser=parsers.whole_number("--stops", 2),
        rich_help_panel=IMAGE,
    ),
]
AnimationWord = Literal["webp", "gif", "mp4", "none"]
AnimationOpt = Annotated[
    AnimationWord,
    typer.Option(
        "--animation",
        metavar="WORD",
        help="Save all images as an animation, too: webp, gif, mp4 (with the package av) or none.",
        parser=parsers.one_of("--animation", get_args(AnimationWord)),
        autocompletion=completion.of(*get_args(AnimationWord)),
        rich_help_panel=OUTPUT,
    ),
]
FpsOpt = Annotated[
    float,
    typer.Option(
        "--fps",
        metavar="N",
        help="Images a second in the animation.",
        parser=parsers.number("--fps"),
        rich_help_panel=OUTPUT,
    ),
]
MorphOutputOpt = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="A folder/, or a template inside one, as for `sweep`. Defaults to "
        "outputs/PROMPT_to_PROMPT_morph/.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class MorphOptions(SweepOptions):
    """Options of a run that saves into one folder; its prompts are no templates."""

    output: MorphOutputOpt = None
    wildcards: options.NoWildcardsOpt = None


@spread
def morph(
    prompts: MorphPromptsArg = None,
    *,
    stops: StopsOpt = 24,
    seeds: SeedsOpt = None,
    fields: Annotated[dict[str, Any], RequestOptions("one", _FIELDS)],
    animation: AnimationOpt = "webp",
    fps: FpsOpt = 12,
    run: MorphOptions,
    batch_size: options.BatchSizeOpt = 1,
    sheet: SheetOpt = False,
    shard: options.ShardOpt = None,
    resume: ResumeOpt = False,
    fail_fast: options.FailFastOpt = False,
    json: options.JsonOpt = False,
    progress_json: options.ProgressJsonOpt = False,
    preview: options.PreviewOpt = False,
    printed: options.PrintOptions,
    presets: Presets,
    command: TypedCommand,
) -> None:
    """Generate images on a path between prompts, seeds or both, and an animation of them."""
    from sheepgen.cli.images import can_preview
    from sheepgen.cli.piped_image import PIPE
    from sheepgen.cli.sweep_run import carry_out, ready_sweep
    from sheepgen.output.template import image_word
    from sheepgen.sweep.animation import SweepAnimation
    from sheepgen.sweep.run import run_sweep

    if fields["image"] == PIPE:
        raise UsageError("A morph reads no picture from a pipe.", "Give its path.")
    console = error_console(quiet=printed.quiet or progress_json)
    film = None if animation == "none" else SweepAnimation(kind=animation, fps=fps)
    texts = [parsers.text(each) for each in prompts or ("",)]
    first, last = (image_word(text, fields["model"]) for text in (texts[0], texts[-1]))
    word = first if len(texts) == 1 else f"{first}_to_{last}"
    plan = ready_sweep(
        {**_values(fields), "prompt": texts, **({"seed": seeds} if seeds else {})},
        run.output or f"outputs/{word}_morph/",
        run.settings(
            batch_size=batch_size,
            preview=can_preview(console, wanted=preview),
            command=command,
        ),
        console,
        presets=presets,
        stops=stops,
        shard=shard,
        resume=resume,
        dry_run=run.dry_run,
        json=json,
    )
    if plan is not None:
        carry_out(
            plan,
            run_sweep(plan, sheet=sheet, animation=film),
            console,
            json=json,
            progress_json=progress_json,
            fail_fast=fail_fast,
        )


def _values(fields: Mapping[str, Any]) -> dict[str, tuple[Value, ...]]:
    """Return what was asked for by the axes of a sweep, with one value each."""
    sides = fields["width"], fields["height"]
    asked: dict[str, tuple[Value, ...]] = {
        name: (value,)
        for name, value in fields.items()
        if value != DEFAULTS.get(name) and name not in ("width", "height")
    }
    return asked if sides == (None, None) else {**asked, "size": (sides,)}
