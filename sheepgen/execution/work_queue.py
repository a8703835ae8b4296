"""Which process generates which image: a folder's manifest, and claims on images in progress.

Several processes may work on one folder. Each claims an image before it makes it, and gives the
claim up with the line it writes into the manifest. Claims die with their process, so that what a
killed one was at is free at once.

Shards have claims, a lock and a manifest of their own each, and wait for no other shard.

What killed processes have left is removed: in the folders that images go to or that the manifest
names, and nowhere else.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from sheepgen.output.atomic import make_folder, output_errors, prepare_folder, remove_leftovers
from sheepgen.output.jsonl import outcome_to_dict
from sheepgen.output.locks import hold, lock_folder
from sheepgen.output.manifest import Manifest, path_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from filelock import BaseFileLock

    from sheepgen.events import ImageSaved, RunFailed
    from sheepgen.shard import Shard

__all__ = ["Claim", "WorkQueue"]

Claim = Literal["claimed", "done", "taken"]
"""Answer to a claim: this process is to generate the image, it exists, another process has it."""

_CLAIM_NAME = re.compile(r"\.claim-(?:(\d{1,5}-of-\d{1,5})-)?[0-9a-f]{64}", re.ASCII)
"""With the shard, if it is of one."""


class WorkQueue:
    """The folder's manifest and this process's claims; a context that gives up what it holds.

    Args:
        folder: Where the images go; created if it is not there.
        folders: Those below it that images go to.
        shard: The only one whose images are asked for; None for all images.
        manifest: Of the folder, as far as it has been read; None if it has not been.

    Attributes:
        taken: Keys of the images that another process had when they were last asked for.

    Raises:
        OutputError: If the folder cannot be written to, or its manifest cannot be appended to.
    """

    def __init__(
        self,
        folder: Path,
        folders: Iterable[Path] = (),
        *,
        shard: Shard | None = None,
        manifest: Manifest | None = None,
    ) -> None:
        make_folder(folder)
        self.folder = folder
        self.manifest = manifest or Manifest(folder, shard)
        self.taken: set[str] = set()
        self._shard = "" if shard is None else str(shard)
        self._claims: dict[str, BaseFileLock] = {}
        self.manifest.check_appendable()
        self._folders = {folder, *folders, *self.manifest.folders}
        self._tidy()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with output_errors(self.folder), self._locked():
            for key in list(self._claims):
                self._give_up(key)
        self._tidy()

    def add_folder(self, folder: Path) -> None:
        """Make ready another folder that images go to.

        Raises:
            OutputError: If it cannot be written to.
        """
        if folder not in self._folders:
            prepare_folder(folder)
            remove_leftovers(folder)
            self._folders.add(folder)

    def claim(self, key: str) -> Claim:
        """Ask for an image."""
        with output_errors(self.folder), self._locked():
            self.manifest.follow()
            self.taken.discard(key)
            if self.manifest.is_intact(key):
                return "done"
            lock = hold(self._claim_path(key))
            if lock is None:
                self.taken.add(key)
                return "taken"
            self._claims[key] = lock
            return "claimed"

    def done_entry(self, key: str) -> dict[str, Any]:
        """Return the manifest's line of an image that is done, with paths as the folder's."""
        entry = self.manifest.entry(key)
        assert entry is not None, "the claim on it said so"
        told = {name: value for name, value in entry.items() if name != "revision"}
        return _with_paths(told, lambda path: str(self.folder / path))

    def record(self, key: str, outcome: ImageSaved | RunFailed) -> None:
        """Write what became of an image, and give the claim on it up, if there is one.

        Raises:
            OutputError: If the manifest cannot be written.
        """
        entry = _with_paths(
            outcome_to_dict(outcome),
            lambda path: Path(os.path.relpath(path, self.folder)).as_posix(),
        )
        with output_errors(self.folder), self._locked():
            self.manifest.append({"key": key, **entry})
            self._give_up(key)

    def _give_up(self, key: str) -> None:
        lock = self._claims.pop(key, None)
        if lock is not None:
            self._claim_path(key).unlink(missing_ok=True)
            lock.release()

    def _claim_path(self, key: str) -> Path:
        shard = self._shard and f"{self._shard}-"
        return self.folder / f".claim-{shard}{hashlib.sha256(key.encode()).hexdigest()}"

    def _locked(self) -> AbstractContextManager[None]:
        """Hold the lock of these claims and of the file that lines are appended to."""
        return lock_folder(self.folder, shard=self._shard)

    def _tidy(self) -> None:
        """Remove what killed processes have left."""
        for folder in self._folders:
            remove_leftovers(folder)
        with output_errors(self.folder):
            left: defaultdict[str, list[Path]] = defaultdict(list)
            for path in self.folder.iterdir():
                if match := _CLAIM_NAME.fullmatch(path.name):
                    left[match[1] or ""].append(path)
            for shard, paths in left.items():
                with lock_folder(self.folder, shard=shard):
                    for path in paths:
                        _remove_claim(path)


def _remove_claim(path: Path) -> None:
    """Remove a claim that nobody holds: an empty file, and never a link."""
    with suppress(OSError):  # another user's, or removed meanwhile
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size:
            return
        if (lock := hold(path)) is not None:
            if lock.is_locked:
                path.unlink()
            lock.release()


def _with_paths(entry: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    paths = {name: change(entry[name]) for name in path_keys() if entry.get(name) is not None}
    return {**entry, **paths}
