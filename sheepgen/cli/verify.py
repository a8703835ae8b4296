"""``sheepgen verify``: images made again from their own records, and compared bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sheepgen.cli import options, parsers
from sheepgen.cli.console import cli_errors, error_console, note, write_data
from sheepgen.cli.rerun_options import FetchOpt, NewModelOpt
from sheepgen.options import MAX_THREADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from sheepgen.metadata.record import ImageRecord
    from sheepgen.models.hub import DownloadPlan
    from sheepgen.models.spec import ModelSpec

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
        help="CPU threads (default: as recorded in the image, if there are as many processors).",
        parser=parsers.whole_number("--threads", 1, MAX_THREADS),
        rich_help_panel=options.RUN,
    ),
]


def verify(
    images: ImagesArg,
    *,
    model: NewModelOpt = None,
    fetch: FetchOpt = False,
    threads: ThreadsOpt = None,
    offline: options.OfflineOpt = False,
    json: options.JsonOpt = False,
    quiet: options.QuietOpt = False,
    verbose: options.VerboseOpt = False,
) -> None:
    """Regenerate images and report whether they match, and if not, by how much and why."""
    with cli_errors(verbose=verbose):
        from itertools import chain

        from sheepgen.cli.download import downloader
        from sheepgen.models.hub import go_offline
        from sheepgen.output.progress import spinner
        from sheepgen.verify.compare import Verdict
        from sheepgen.verify.find import Exhibit, find_exhibits
        from sheepgen.verify.regenerate import Case, examine, open_case
        from sheepgen.verify.report import summary, to_json_line, to_line

        console = error_console(quiet=quiet)
        if offline:
            go_offline()
        # A model that the user has not named is never fetched in silence.
        download = downloader(error_console(quiet=quiet and model is not None))
        find = _finder(model, console, fetch=fetch, offline=offline, download=download)
        exhibits = find_exhibits(map(Path, images))
        opened = [
            open_case(exhibit, find) if isinstance(exhibit, Exhibit) else exhibit
            for exhibit in exhibits
        ]
        outcomes = chain(
            (each for each in opened if not isinstance(each, Case)),
            examine((each for each in opened if isinstance(each, Case)), threads=threads),
        )
        verdicts = []
        for number in range(1, len(exhibits) + 1):
            with spinner(console, f"Regenerating image {number} of {len(exhibits)}"):
                outcome = next(outcomes)
            verdicts.append(outcome)
            write_data(to_json_line(outcome) if json else to_line(outcome))
        note(console, summary(verdicts))
        if not all(isinstance(each, Verdict) and each.is_confirmed for each in verdicts):
            raise typer.Exit(1)


def _finder(
    model: str | None,
    console: Console,
    *,
    fetch: bool,
    offline: bool,
    download: Callable[[DownloadPlan], None],
) -> Callable[[ImageRecord], ModelSpec]:
    """Return a function that finds a record's model and hashes it; failures are kept, too."""
    from sheepgen.errors import SheepgenError
    from sheepgen.models.resolve import find_model
    from sheepgen.output.progress import spinner
    from sheepgen.verify.recorded_model import recorded_model

    found: dict[tuple[str, str | None, str] | None, ModelSpec | SheepgenError] = {}

    def search(record: ImageRecord) -> ModelSpec | SheepgenError:
        try:
            if model is None:
                with spinner(console, "Hashing the model's weights"):
                    name = recorded_model(record, fetch=fetch, rehash=True)
                if not isinstance(name, str):
                    return name
            else:
                name = model
            return find_model(name, offline=offline, download=download, rehash=True)
        except SheepgenError as error:
            return error

    def find(record: ImageRecord) -> ModelSpec:
        environment = record.environment
        key = record.request.model, environment.model_revision, environment.model_sha256
        wanted = key if model is None else None
        if wanted not in found:
            found[wanted] = search(record)
        spec = found[wanted]
        if isinstance(spec, SheepgenError):
            raise spec
        return spec

    return find
