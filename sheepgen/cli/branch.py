"""``sheepgen branch``: go on from a step of an earlier image with something changed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sheepgen.cli import options, parsers
from sheepgen.cli.console import error_console
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.cli.rerun import RerunOptions
from sheepgen.errors import OutputError
from sheepgen.fields import FIELDS, RANDOM_SEED

if TYPE_CHECKING:
    from sheepgen.metadata.record import ImageRecord

__all__ = ["branch"]

AtOpt = Annotated[
    int,
    typer.Option(
        "--at",
        metavar="STEP",
        help="The last step that stays as it was, as the frames count them: step_008.png is 8.",
        parser=parsers.whole_number("--at"),
        rich_help_panel=options.IMAGE,
        show_default=False,
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class BranchOptions(RerunOptions):
    """Options of a run whose prompts name no wildcards."""

    wildcards: options.NoWildcardsOpt = None


@spread
def branch(
    path: options.ImageArg,
    *,
    at: AtOpt,
    fields: Annotated[dict[str, Any], RequestOptions("branches", tuple(FIELDS))],
    fetch: options.FetchOpt = False,
    run: BranchOptions,
    json: options.JsonOpt = False,
    progress_json: options.ProgressJsonOpt = False,
    printed: options.PrintOptions,
) -> None:
    """Go on from a step of an earlier image with other settings; several make a sheet, too.

    Another seed acts only with schedulers that add noise at each step, such as euler_a and lcm.
    """
    from sheepgen.branch import branches
    from sheepgen.cli.images import generate_images, plan_images
    from sheepgen.models.branching import check_step
    from sheepgen.prompt_template import expand_alternatives
    from sheepgen.request import draw_seed
    from sheepgen.verify.recorded_request import recorded_request

    console = error_console(quiet=printed.quiet or progress_json)
    record = _read(Path(path))
    if not 1 <= at <= 99_999:  # all others are checked when the branch is planned
        check_step(record.request, at)
    notes = []
    for name in fields.keys() & {"prompt", "negative_prompt"}:
        typed = map(parsers.read_prompt, fields[name])
        fields[name] = tuple(chain.from_iterable(map(expand_alternatives, typed)))
    if RANDOM_SEED in fields.get("seed", ()):
        picked = draw_seed()
        fields["seed"] = [picked if seed == RANDOM_SEED else seed for seed in fields["seed"]]
        notes += parsers.random_seed_notes({"seed": picked})
    if run.wildcards is not None:
        notes.append("Warning: --wildcards has no effect: prompts of branches name none.")
    texts = branches(record.request.branch, at, fields)
    recorded = recorded_request(record, Path(path).parent, fetch=fetch)
    plan = plan_images(
        recorded.request,
        run.output,
        run.settings(
            dtype=record.environment.dtype,
            attention_backend=record.environment.attention_backend,
            cache=record.environment.cache,
            compiled=record.environment.compiled,
        ),
        console,
        count=1,
        spec=recorded.spec,
        templates=(),
        branches=texts,
        dry_run=run.dry_run,
        json=json,
    )
    if plan is None:
        return
    generate_images(
        plan,
        console,
        [*notes, *filter(None, [recorded.weights_note(plan.spec)])],
        sheet=len(texts) > 1,
        dry_run=run.dry_run,
        json=json,
        progress_json=progress_json,
        verbose=printed.verbose,
    )


def _read(path: Path) -> ImageRecord:
    """Return the record of an image; of another program's, say how to get one."""
    from sheepgen.metadata.image_file import no_record, record_in
    from sheepgen.metadata.image_texts import read_texts
    from sheepgen.metadata.other_programs import find_parameters

    found = read_texts(path)
    record = record_in(found, path)
    if record is not None:
        return record
    if find_parameters(found) is None:
        raise no_record(path)
    raise OutputError(
        f"{path} has no record: another program made it.",
        "Generate it with `sheepgen rerun` first, and branch the new image.",
    )
