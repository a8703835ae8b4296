"""Fetching a model with a bar: what it is, how large, where to, and how far."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sheepgen.cli.console import note
from sheepgen.cli.interrupt import interrupts_raised
from sheepgen.sanitize import byte_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from sheepgen.models.hub import DownloadPlan

__all__ = ["downloader"]


def downloader(console: Console) -> Callable[[DownloadPlan], None]:
    """Return a function that carries out a download and shows it on the console."""
    return partial(_download, console)


def _download(console: Console, plan: DownloadPlan) -> None:
    from sheepgen.models.hub import download
    from sheepgen.output.progress import show_bytes

    licence = f", licence {plan.licence}" if plan.licence else ""
    size, free = byte_size(plan.total_bytes), byte_size(plan.free_bytes)
    note(console, f"Fetching {plan.repo}: {size}{licence}. The disk has {free} free.")
    note(console, f"Saving to {plan.folder}.")
    with interrupts_raised():
        show_bytes(
            ((news.done_bytes, news.file) for news in download(plan)),
            console,
            total_bytes=plan.total_bytes,
        )
