"""Fetching a model from the hub, step by step.

The files go through the hub's own library into its own cache: whole or not at all, and found there
by every other program. The library blocks until a file is there, so it works in a thread, and what
it reports is yielded to whoever draws the bar. Dropping the generator stops the transfer and takes
away the half of a file that it leaves.

What arrives is held against what the hub announced, in bytes while it comes and by its hash when it
is there. From then on its hash is remembered, so that nothing is hashed twice.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from sheepgen.errors import Interrupted
from sheepgen.models.hub.answers import Announcement, checked_answers, senseless_answer
from sheepgen.models.hub.arrival import check_arrival
from sheepgen.models.hub.errors import hub_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from huggingface_hub.utils.tqdm import tqdm

    from sheepgen.models.hub.listing import PlannedFile
    from sheepgen.models.hub.plan import DownloadPlan

__all__ = ["DownloadProgress", "download", "fetch", "fetch_file"]

_FAREWELL_S = 2.0  # for a stopped transfer to take away its half of a file


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadProgress:
    """How far a download is: bytes of all its files, and the file that is being fetched."""

    done_bytes: int
    total_bytes: int
    file: str


def fetch(plan: DownloadPlan) -> None:
    """Carry out a plan without reporting progress."""
    for _ in download(plan):
        pass


def download(plan: DownloadPlan) -> Generator[DownloadProgress]:
    """Carry out a plan, smallest files first.

    Yields:
        Progress, at least once a file; ``done_bytes`` never falls and ends at ``total_bytes``.

    Raises:
        ModelError: If the hub stops serving the model, serves anything else than it announced,
            or the disk fills up. What has arrived whole stays in the cache.
    """
    done = 0
    for file in sorted(plan.files, key=lambda file: file.size):
        for arrived in fetch_file(plan.repo, plan.commit, file):
            yield DownloadProgress(
                done_bytes=done + arrived, total_bytes=plan.total_bytes, file=file.name
            )
        done += file.size
        yield DownloadProgress(done_bytes=done, total_bytes=plan.total_bytes, file=file.name)


def fetch_file(repo: str, revision: str, file: PlannedFile) -> Generator[int]:
    """Fetch one file into the hub's cache.

    Args:
        repo: The repository, ``org/name``.
        revision: A branch, tag or commit.
        file: As the hub lists it.

    Yields:
        The bytes that have arrived, more each time.

    Raises:
        ModelError: If it cannot be had, or is not what was announced.
    """
    news: SimpleQueue[int | None] = SimpleQueue()
    outcome: Future[str] = Future()
    announcement = Announcement(repo, file.size)

    def report(arrived: int, on_the_wire: bool) -> None:
        if announcement.stopped.is_set():
            raise Interrupted
        # What goes over the wire in pieces that files share may be more than the file.
        if arrived > file.size and not on_the_wire:
            raise senseless_answer(repo, f"more than the {file.size:,} bytes of {file.name}")
        news.put(arrived)

    def work() -> None:
        try:
            with checked_answers(announcement):
                outcome.set_result(_hub_download(repo, revision, file, _bar_class(report)))
        except BaseException as error:  # noqa: BLE001 - raised where the outcome is asked for
            outcome.set_exception(error)
        news.put(None)

    # A daemon, so that Ctrl-C need not wait for a transfer that hangs.
    worker = threading.Thread(target=work, name="download", daemon=True)
    worker.start()
    most = 0
    try:
        while (arrived := news.get()) is not None:
            # The library draws two bars for some files: bytes off the wire and bytes on the disk.
            if most < arrived <= file.size:
                most = arrived
                yield most
    finally:
        announcement.stopped.set()
        worker.join(_FAREWELL_S)
        if worker.is_alive() and (blob := announcement.etag or file.sha256):
            _remove_half(repo, blob)
    with hub_errors(repo):
        path = Path(outcome.result())
    check_arrival(repo, path, file, announcement.etag)


def _bar_class(report: Callable[[int, bool], None]) -> type[tqdm]:
    """Return a bar for the hub's library that draws nothing.

    Args:
        report: Called with the bytes of one file that have arrived so far, and whether they were
            counted on the wire and not on the disk.
    """
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401
            self._on_the_wire = str(settings.get("name")).endswith(".transfer")
            super().__init__(*args, **{**settings, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            report(int(self.n), self._on_the_wire)

    return Bar


def _hub_download(repo: str, revision: str, file: PlannedFile, bar: type[tqdm]) -> str:
    from huggingface_hub import HfApi

    return HfApi().hf_hub_download(repo, file.name, revision=revision, tqdm_class=bar)


def _remove_half(repo: str, blob: str) -> None:
    """Remove what a transfer that hangs has written; no other process writes it while this does.

    The library locks a blob of the cache by its name, with which the half of it begins, too.
    """
    from huggingface_hub import constants

    blobs = Path(constants.HF_HUB_CACHE, f"models--{repo.replace('/', '--')}", "blobs")
    with suppress(OSError):
        for half in blobs.glob(f"{blob}.*.incomplete"):
            half.unlink()
