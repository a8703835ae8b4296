"""A model's download, shown with a bar: what it is, how large, where it goes, and how far it is."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, TypeVar

from sheepgen.cli.console import note
from sheepgen.cli.interrupt import interrupts_raised
from sheepgen.sanitize import byte_size

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from rich.console import Console

    from sheepgen.models.hub import DownloadPlan, DownloadProgress
    from sheepgen.output.progress import BytesBar

__all__ = ["download_bar", "downloads_shown", "show_download"]

_E = TypeVar("_E")


def downloads_shown(events: Generator[_E | DownloadProgress], console: Console) -> Generator[_E]:
    """Show the downloads among events with a bar, and pass the other events on.

    A download's plan is passed on, too, before its bar is shown, so that the consumer can end what
    it shows itself.
    """
    from sheepgen.models.hub import DownloadPlan, DownloadProgress

    bar: BytesBar | None = None
    with closing(events), ExitStack() as shown:
        for event in events:
            if isinstance(event, DownloadProgress):
                assert bar is not None, "its plan came before"
                bar.update(event.done_bytes, event.file)
                continue
            shown.close()
            yield event
            if isinstance(event, DownloadPlan):
                bar = shown.enter_context(download_bar(event, console))


@contextmanager
def download_bar(plan: DownloadPlan, console: Console) -> Iterator[BytesBar]:
    """Show what is downloaded and a bar for it. Ctrl-C raises `KeyboardInterrupt` meanwhile."""
    from sheepgen.output.progress import bytes_bar

    licence = f", licence {plan.licence}" if plan.licence else ""
    size, free = byte_size(plan.total_bytes), byte_size(plan.free_bytes)
    note(console, f"Downloading {plan.repo}: {size}{licence}. {free} of disk space free.")
    note(console, f"Saving to {plan.folder}.")
    with interrupts_raised(), bytes_bar(console, total_bytes=plan.total_bytes) as bar:
        yield bar


def show_download(console: Console, plan: DownloadPlan) -> None:
    """Download a model, with a bar."""
    from sheepgen.models.hub import download

    with download_bar(plan, console) as bar:
        for progress in download(plan):
            bar.update(progress.done_bytes, progress.file)
