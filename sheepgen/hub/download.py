"""Fetching a model from the hub, told step by step.

The files go through the hub's own library into its own cache: whole or not at all, checked, and
found there by every other program. The library blocks until a file is there, so it works in a
thread, and what it reports is yielded to whoever draws the bar. Dropping the generator stops the
transfer.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from sheepgen.errors import Interrupted
from sheepgen.hub.errors import hub_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from huggingface_hub.utils.tqdm import tqdm

    from sheepgen.hub.plan import DownloadPlan, PlannedFile

__all__ = ["DownloadProgress", "bar_class", "download", "fetch"]

_FAREWELL_S = 2.0  # for a stopped transfer to take away its half of a file


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadProgress:
    """How far a download is: bytes of all its files, and the file that is being fetched."""

    done_bytes: int
    total_bytes: int
    file: str


def fetch(plan: DownloadPlan) -> None:
    """Carry out a plan without telling how far it is."""
    for _ in download(plan):
        pass


def download(plan: DownloadPlan) -> Generator[DownloadProgress]:
    """Carry out a plan, smallest files first.

    Yields:
        Progress, at least once a file; ``done_bytes`` never falls and ends at ``total_bytes``.

    Raises:
        ModelError: If the hub stops serving the model or the disk fills up. What has arrived
            whole stays in the cache.
    """
    done = 0
    for file in sorted(plan.files, key=lambda file: file.size):
        for arrived in _fetch_file(plan, file):
            yield DownloadProgress(
                done_bytes=done + arrived, total_bytes=plan.total_bytes, file=file.name
            )
        done += file.size
        yield DownloadProgress(done_bytes=done, total_bytes=plan.total_bytes, file=file.name)


def bar_class(report: Callable[[int], None]) -> type[tqdm]:
    """Return a bar for the hub's library that draws nothing.

    Args:
        report: Called with the bytes of one file that have arrived so far.
    """
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401
            super().__init__(*args, **{**settings, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            report(int(self.n))

    return Bar


def _fetch_file(plan: DownloadPlan, file: PlannedFile) -> Iterator[int]:
    """Fetch one file; yield the bytes that have arrived, more each time."""
    news: SimpleQueue[int | None] = SimpleQueue()
    outcome: Future[None] = Future()
    stopped = threading.Event()

    def report(arrived: int) -> None:
        if stopped.is_set():
            raise Interrupted
        news.put(arrived)

    def work() -> None:
        try:
            _hub_download(plan, file, bar_class(report))
        except BaseException as error:  # noqa: BLE001 - raised where the outcome is asked for
            outcome.set_exception(error)
        else:
            outcome.set_result(None)
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
        stopped.set()
        worker.join(_FAREWELL_S)
    with hub_errors(plan.repo):
        outcome.result()


def _hub_download(plan: DownloadPlan, file: PlannedFile, bar: type[tqdm]) -> None:
    from huggingface_hub import HfApi

    HfApi().hf_hub_download(plan.repo, file.name, revision=plan.commit, tqdm_class=bar)
