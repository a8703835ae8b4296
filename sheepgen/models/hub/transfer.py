"""One file from the Hub into its cache, checked when it is there.

The Hub's own library writes it: completely or not at all, so that every other program finds it. The
library blocks until the file is there, so it works in a thread, and the bytes that have arrived are
yielded. Closing the generator stops the transfer and removes the partial file.

What arrives is compared with what the Hub announced: its size while it arrives, its hash when it
is there. From then on its hash is cached, so that nothing is hashed twice.
"""

from __future__ import annotations

import hashlib
import re
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from sheepgen.errors import Interrupted, ModelError
from sheepgen.models.fingerprint import SHA256, file_sha256
from sheepgen.models.hub.answers import Announcement, checked_answers, invalid_answer
from sheepgen.models.hub.errors import hub_errors
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import open_untrusted

if TYPE_CHECKING:
    from collections.abc import Generator

    from huggingface_hub.utils.tqdm import tqdm

__all__ = ["GRACE_S", "SHA1", "HubFile", "fetch_file"]

GRACE_S = 2.0
"""How long a stopped transfer has to remove its partial file, in seconds."""

SHA1 = re.compile(r"[0-9a-f]{40}")
"""The name that git gives a small file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HubFile:
    """One file of a repository.

    Args:
        name: Within the repository.
        size: In bytes.
        sha256: Of its content, if the Hub lists it, as it does for large files.
    """

    name: str
    size: int
    sha256: str | None = None


def fetch_file(repo: str, revision: str, file: HubFile) -> Generator[int]:
    """Download one file into the Hub's cache.

    Args:
        repo: The repository, ``org/name``.
        revision: A branch, tag or commit.
        file: As the Hub lists it.

    Yields:
        The number of bytes that have arrived, more each time.

    Raises:
        ModelError: If it cannot be downloaded, or is not what was announced.
    """
    arrivals: SimpleQueue[int | None] = SimpleQueue()
    outcome: Future[str] = Future()
    announcement = Announcement(repo, file.size)

    def work() -> None:
        try:
            with checked_answers(announcement):
                bar = _bar_class(file, announcement, arrivals)
                outcome.set_result(_hub_download(repo, revision, file, bar))
        except BaseException as error:  # noqa: BLE001 - raised where the outcome is asked for
            outcome.set_exception(error)
        arrivals.put(None)

    # A daemon, so that Ctrl-C does not wait for a transfer that hangs.
    worker = threading.Thread(target=work, name="download", daemon=True)
    worker.start()
    most = 0
    try:
        while (arrived := arrivals.get()) is not None:
            # The library has two bars for some files: bytes received and bytes written.
            if most < arrived <= file.size:
                most = arrived
                yield most
    finally:
        announcement.stopped.set()
        worker.join(GRACE_S)
        if worker.is_alive() and (blob := announcement.etag or file.sha256):
            _remove_partial(repo, blob)
    with hub_errors(repo):
        path = Path(outcome.result())
    _check_arrival(repo, path, file, announcement.etag)


def _bar_class(
    file: HubFile, announcement: Announcement, arrivals: SimpleQueue[int | None]
) -> type[tqdm]:
    """Return a progress bar for the Hub's library that shows nothing and fills ``arrivals``."""
    from huggingface_hub.utils.tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **settings: Any) -> None:  # noqa: ANN401
            self._counts_received = str(settings.get("name")).endswith(".transfer")
            super().__init__(*args, **{**settings, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if announcement.stopped.is_set():
                raise Interrupted
            # What is received in pieces that files share may be more than the file.
            if self.n > file.size and not self._counts_received:
                raise invalid_answer(
                    announcement.repo, f"more than the {file.size:,} bytes of {file.name}"
                )
            arrivals.put(int(self.n))

    return Bar


def _hub_download(repo: str, revision: str, file: HubFile, bar: type[tqdm]) -> str:
    from huggingface_hub import HfApi

    return HfApi().hf_hub_download(repo, file.name, revision=revision, tqdm_class=bar)


def _remove_partial(repo: str, blob: str) -> None:
    """Remove what a transfer that hangs has written; no other process writes it meanwhile.

    The library locks a blob of the cache by its name, with which its partial file begins.
    """
    from huggingface_hub import constants

    blobs = Path(constants.HF_HUB_CACHE, f"models--{repo.replace('/', '--')}", "blobs")
    with suppress(OSError):
        for partial in blobs.glob(f"{blob}.*.incomplete"):
            partial.unlink()


def _check_arrival(repo: str, path: Path, file: HubFile, etag: str | None) -> None:
    """Check that a file in the cache is the one that the Hub announced, and remove it if not.

    The Hub names a large file by the sha256 of its content and a small one as git names a blob.
    Neither its library nor the network checks that this is what arrived.

    Args:
        repo: The repository, ``org/name``.
        path: Where it is.
        file: As the Hub listed it.
        etag: The Hub's name for its content.

    Raises:
        ModelError: If it is not.
        OSError: If it cannot be read.
    """
    size = path.stat().st_size
    if size != file.size:
        raise _mismatch(repo, path, f"{size:,} bytes instead of {file.size:,}")
    names = {name for name in (etag, file.sha256) if name is not None}
    hashes = {name for name in names if SHA256.fullmatch(name)}
    if hashes and hashes != {digest := file_sha256(path, rehash=True)}:
        raise _mismatch(repo, path, f"its sha256 is {digest}, not {min(hashes - {digest})}")
    for name in names:
        if SHA1.fullmatch(name) and name not in (digests := _sha1_names(path, size)):
            raise _mismatch(repo, path, f"git would name it {digests[0]}, not {name}")


def _sha1_names(path: Path, size: int) -> tuple[str, str]:
    """Return the hash that git names a file by, and that of its content, which some proxies use."""
    blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    content = hashlib.sha1(usedforsecurity=False)
    with open_untrusted(path) as file:
        while piece := file.read(2**20):
            blob.update(piece)
            content.update(piece)
    return blob.hexdigest(), content.hexdigest()


def _mismatch(repo: str, path: Path, what: str) -> ModelError:
    if path.is_symlink():
        (path.parent / path.readlink()).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    return ModelError(
        f"The Hub sent a different {excerpt(path.name)} of {repo} than it announced: {what}.",
        "The file was removed. Try again; if that does not help, the Hub or a proxy is at fault.",
    )
