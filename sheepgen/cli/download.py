"""A model's download, shown with a bar: what it is, how large, where it goes, and how far it is."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from sheepgen.cli.console import note
from sheepgen.cli.interrupt import interrupts_raised
from sheepgen.models.resolve import find_model, resolve_model
from sheepgen.models.spec import ModelSpec
from sheepgen.sanitize import byte_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from sheepgen.models.hub import DownloadPlan
    from sheepgen.output.progress import BytesBar

__all__ = ["download_bar", "downloader", "obtain_model", "show_download"]


def obtain_model(
    name: str,
    *,
    offline: bool,
    download: Callable[[DownloadPlan], None],
    rehash: bool = False,
) -> ModelSpec:
    """Find a model, downloading it first if it is not on this disk.

    Args:
        name: As `resolve_model` takes it.
        offline: Do not use the network.
        download: Carries out a plan, or raises what stands against it.
        rehash: Hash all weights, even if their hashes are cached.

    Raises:
        UsageError: If the name is not that of a model.
        ModelError: If the model cannot be had, is damaged, or is not supported.
    """
    found = resolve_model(name, offline=offline, rehash=rehash)
    if isinstance(found, ModelSpec):
        return found
    download(found)
    return find_model(name, offline=offline, rehash=rehash)


def downloader(console: Console) -> Callable[[DownloadPlan], None]:
    """Return a function that carries out a download and shows it on the console."""
    return partial(show_download, console)


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
