"""``manifest.jsonl``: what became of every image of a folder, one line each, only ever appended to.

A line is an object: ``key``, and what `sheepgen.sinks.jsonlines.outcome_to_dict` says of the image,
with paths relative to the folder. The last line of a key counts.

A process that is killed while it writes leaves half a line at the end. Readers do not see it, and
the next line takes its place.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["MANIFEST_NAME", "PRODUCTS", "Manifest"]

MANIFEST_NAME = "manifest.jsonl"
PRODUCTS = ("path", "frames", "filmstrip", "animation")
"""Entries that name a file or folder."""


@dataclass(slots=True)
class Manifest:
    """A folder's manifest, as far as it has been read. It need not be there yet."""

    folder: Path
    _entries: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _read_bytes: int = 0

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / MANIFEST_NAME

    def refresh(self) -> None:
        """Read the whole lines that were appended since the last time.

        A line that is no such object is passed over: it makes an image be drawn again at worst.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read_bytes)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        for line in whole.splitlines():
            try:
                entry = json.loads(line)
                self._entries[entry["key"]] = entry
            except (ValueError, TypeError, KeyError, RecursionError):
                continue

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add a line and wait until the disk has it; the caller holds the folder's lock.

        Raises:
            OSError: If it cannot be written; then the manifest is as it was.
        """
        self.refresh()
        with self.path.open("ab") as file:
            file.truncate(self._read_bytes)
            try:
                file.write(json.dumps(entry).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), self._read_bytes)
                raise
        self.refresh()

    def entry(self, key: str) -> Mapping[str, Any] | None:
        """Return the last line of that key, as of the last `refresh`."""
        return self._entries.get(key)

    @property
    def entries(self) -> tuple[Mapping[str, Any], ...]:
        """The last line of each key."""
        return tuple(self._entries.values())

    @property
    def image_keys(self) -> dict[Path, str]:
        """Keys of the images that this manifest has made, by where they are."""
        paths = ((entry.get("path"), key) for key, entry in self._entries.items())
        return {self.folder / path: key for path, key in paths if isinstance(path, str)}

    def is_intact(self, key: str) -> bool:
        """Say whether an image is done and all that was saved of it is still as it was.

        Frames and filmstrips are looked for; the image itself is compared byte for byte.
        """
        entry = self.entry(key)
        if entry is None or entry.get("status") != "done":
            return False
        try:
            products = [self.folder / entry[name] for name in PRODUCTS if entry[name] is not None]
            data = products[0].read_bytes()
            there = all(product.exists() for product in products)
            return there and hashlib.sha256(data).hexdigest() == entry["sha256"]
        except (OSError, LookupError, TypeError, ValueError):
            return False
