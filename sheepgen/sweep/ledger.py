"""Who makes what: the manifest of a folder, and claims on the images that are being made.

Several processes may work on one folder. Each claims an image before it makes it, and gives the
claim up with the line it writes into the manifest. Claims die with their process, so that what a
killed one was at is free at once.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from sheepgen.sinks.atomic import (
    STAGING_PREFIX,
    make_folder,
    output_errors,
    remove_leftovers,
)
from sheepgen.sinks.jsonlines import outcome_to_dict
from sheepgen.sinks.locks import hold, lock_folder
from sheepgen.sweep.manifest import PRODUCTS, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from filelock import BaseFileLock

    from sheepgen.events import ImageSaved, RunFailed

__all__ = ["Claim", "Ledger"]

Claim = Literal["mine", "done", "busy"]
"""Answer to a claim: to be made by the one who asked, made already, being made by another."""

_CLAIM_PREFIX = ".claim-"


class Ledger:
    """The folder's manifest and this process's claims; a context that gives up what it holds.

    Args:
        folder: Where the images go; made if it is not there.

    Raises:
        OutputError: If the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self.folder = folder
        self.manifest = Manifest(folder)
        self._claims: dict[str, BaseFileLock] = {}
        self._tidy()
        self.manifest.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with lock_folder(self.folder):
            for key in list(self._claims):
                self._give_up(key)
        self._tidy()

    def claim(self, key: str) -> Claim:
        """Ask for an image."""
        with output_errors(self.folder), lock_folder(self.folder):
            self.manifest.refresh()
            if self.manifest.is_intact(key):
                return "done"
            lock = hold(self._claim_path(key))
            if lock is None:
                return "busy"
            self._claims[key] = lock
            return "mine"

    def done_entry(self, key: str) -> dict[str, Any]:
        """Return the manifest's line of an image that is done, with paths as the folder's."""
        entry = self.manifest.entry(key)
        assert entry is not None, "the claim on it said so"
        return _with_paths(entry, lambda path: str(self.folder / path))

    def record(self, key: str, outcome: ImageSaved | RunFailed) -> None:
        """Write what became of an image, and give the claim on it up, if there is one.

        Raises:
            OutputError: If the manifest cannot be written.
        """
        entry = _with_paths(
            outcome_to_dict(outcome),
            lambda path: Path(os.path.relpath(path, self.folder)).as_posix(),
        )
        with output_errors(self.folder), lock_folder(self.folder):
            self.manifest.append({"key": key, **entry})
            self._give_up(key)

    def _give_up(self, key: str) -> None:
        lock = self._claims.pop(key, None)
        if lock is not None:
            self._claim_path(key).unlink(missing_ok=True)
            lock.release()

    def _claim_path(self, key: str) -> Path:
        return self.folder / f"{_CLAIM_PREFIX}{key}"

    def _tidy(self) -> None:
        """Remove what killed processes have left."""
        staged = self.folder.rglob(f"{STAGING_PREFIX}*/")
        for folder in {self.folder, *(path.parent for path in staged)}:
            remove_leftovers(folder)
        with lock_folder(self.folder):
            for path in self.folder.glob(f"{_CLAIM_PREFIX}*"):
                if not path.is_symlink() and (lock := hold(path)) is not None:
                    with suppress(OSError):
                        path.unlink()
                    lock.release()


def _with_paths(entry: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    paths = {name: change(entry[name]) for name in PRODUCTS if entry.get(name) is not None}
    return {**entry, **paths}
