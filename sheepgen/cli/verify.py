"""``sheepgen verify``: regenerate images from their own records, and compare them bit for bit."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sheepgen.cli import options, parsers
from sheepgen.cli.console import error_console, note, write_data
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.options import MAX_THREADS
from sheepgen.presets import Presets

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.console import Console

    from sheepgen.verify.compare import Outcome
    from sheepgen.verify.recorded_model import ModelEvent
    from sheepgen.verify.regenerate import Regenerating

__all__ = ["verify"]

ImagesArg = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE",
        help="Images, folders of them, or the manifest.jsonl of a sweep.",
        parser=parsers.path,
        show_default=False,
    ),
]
ThreadsOpt = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="CPU threads. Defaults to the recorded number, if there are as many processors.",
        parser=parsers.whole_number("--threads", 1, MAX_THREADS),
        rich_help_panel=options.RUN,
    ),
]


@spread
def verify(
    images: ImagesArg,
    *,
    fields: Annotated[dict[str, Any], RequestOptions("changes", ("model",))],
    fetch: options.FetchOpt = False,
    threads: ThreadsOpt = None,
    offline: options.OfflineOpt = False,
    json: options.JsonOpt = False,
    printed: options.PrintOptions,
    presets: Presets,
) -> None:
    """Regenerate images and report whether they match, and if not, by how much and why."""
    from sheepgen.models.hub import go_offline
    from sheepgen.verify.regenerate import stream_verification
    from sheepgen.verify.report import summary, to_json_line, to_line

    console = error_console(quiet=printed.quiet)
    model = presets.fill(fields).get("model")
    if offline:
        go_offline()
    events = stream_verification(images, model=model, fetch=fetch, threads=threads, offline=offline)
    # The download of a model that the user did not name is shown even with --quiet.
    downloads = error_console(quiet=printed.quiet and model is not None)
    outcomes = []
    for outcome in _show_activity(events, console, downloads):
        outcomes.append(outcome)
        write_data(to_json_line(outcome) if json else to_line(outcome))
    note(console, summary(outcomes))
    if not all(outcome.is_confirmed for outcome in outcomes):
        raise typer.Exit(1)


def _show_activity(
    events: Generator[Outcome | Regenerating | ModelEvent], console: Console, downloads: Console
) -> Generator[Outcome]:
    """Pass outcomes on; in between, show a spinner or a download's bar until the next event."""
    from sheepgen.cli.download import downloads_shown
    from sheepgen.models.hub import DownloadPlan
    from sheepgen.output.progress import spinner
    from sheepgen.verify.recorded_model import HashingModel
    from sheepgen.verify.regenerate import Regenerating

    rest: Generator[Outcome | Regenerating | HashingModel | DownloadPlan] = downloads_shown(
        events, downloads
    )
    with closing(rest), ExitStack() as shown:
        for event in rest:
            shown.close()
            match event:
                case HashingModel():
                    shown.enter_context(spinner(console, "Hashing the model's weights"))
                case DownloadPlan():
                    pass  # its bar comes next
                case Regenerating(number=number, total=total):
                    activity = f"Regenerating image {number} of {total}"
                    shown.enter_context(spinner(console, activity))
                case _:
                    yield event
