"""``manifest.jsonl``: what became of every image of a folder, one line each, only ever appended to.

A line is an object: ``key``, and what `sheepgen.output.jsonl.outcome_to_dict` says of the image,
with paths relative to the folder. The last line of a key counts.

A process that is killed while it writes leaves half a line at the end. Readers do not see it, and
the next line takes its place.

A manifest may come from anybody, with the folder that it is in. Only a regular file of bounded
size is read; a line that leads out of the folder, or is no such object, is passed over; and a link
is never appended to, nor is the end of another program's file cut off.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from sheepgen.errors import OutputError
from sheepgen.metadata.image_file import MAX_FILE_BYTES
from sheepgen.output.artifacts import json_keys
from sheepgen.untrusted_file import lies_in, open_regular, open_untrusted, read_untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MANIFEST_NAME", "Manifest", "path_keys"]

MANIFEST_NAME = "manifest.jsonl"

MAX_MANIFEST_BYTES = 2**30
MAX_LINE_BYTES = 4 * 2**20
"""Many times what a record with the longest prompts takes."""

_LINE_BEGINS = b'{"key":'
_APPENDING = os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)


def path_keys() -> tuple[str, ...]:
    """Return the keys of a line whose values are paths, or null."""
    return ("path", *json_keys())


@dataclass(slots=True)
class Manifest:
    """A folder's manifest, as far as it has been read. It need not be there yet."""

    folder: Path
    _entries: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _makers: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _read_bytes: int = 0

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / MANIFEST_NAME

    def refresh(self) -> None:
        """Read the whole lines that were appended since the last time.

        A line that is no such object is passed over: it makes an image be drawn again at worst.

        Raises:
            OutputError: If what has that name cannot be read, or is too large.
        """
        try:
            with open_untrusted(self.path, max_bytes=MAX_MANIFEST_BYTES) as file:
                file.seek(self._read_bytes)
                while line := file.readline(MAX_LINE_BYTES):
                    part = line
                    while part and not part.endswith(b"\n"):  # too long, or half a line at the end
                        line, part = b"", file.readline(MAX_LINE_BYTES)
                    if not part:
                        return
                    self._read_bytes = file.tell()
                    self._take(line)
        except FileNotFoundError:
            return
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be read: {error.strerror}.",
                "Move it, or choose another folder.",
            ) from error

    def check_appendable(self) -> None:
        """Read what is there, and make sure that lines can be added to it.

        Raises:
            OutputError: If what has that name is a link, not a regular file, another program's, or
                not this user's to write.
        """
        self.refresh()
        try:
            handle = self._open_to_append(os.O_RDWR)
        except FileNotFoundError:
            return
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be appended to: {error.strerror}.",
                "Move it, or choose another folder with --output.",
            ) from error
        try:
            begins = os.read(handle, len(_LINE_BEGINS))
        finally:
            os.close(handle)
        if not self._entries and not _LINE_BEGINS.startswith(begins):
            raise OutputError(
                f"{self.path} is another program's file.",
                "Move it, or choose another folder with --output.",
            )

    def append(self, entry: Mapping[str, Any]) -> None:
        """Add a line and wait until the disk has it; the caller holds the folder's lock.

        Raises:
            OSError: If it cannot be written; then the manifest is as it was.
        """
        self.refresh()
        line = json.dumps(entry).encode() + b"\n"
        handle = self._open_to_append(os.O_RDWR | os.O_CREAT)
        try:
            size = self._read_bytes
            if self._half_line_is_ours(handle):
                os.ftruncate(handle, size)
            else:
                size, line = os.fstat(handle).st_size, b"\n" + line
            try:
                _write_all(handle, line)
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
        self.refresh()

    def entry(self, key: str) -> Mapping[str, Any] | None:
        """Return the last line of that key, as of the last `refresh`."""
        return self._entries.get(key)

    def maker(self, path: Path) -> Mapping[str, Any] | None:
        """Return the last line that says an image was saved as ``path``.

        It also names what earlier lines say was saved with the same image, which is kept when the
        image is made again without it. Later lines of its key may say that it failed.
        """
        return self._makers.get(Path(os.path.relpath(path, self.folder)).as_posix())

    @property
    def entries(self) -> tuple[Mapping[str, Any], ...]:
        """The last line of each key."""
        return tuple(self._entries.values())

    @property
    def image_keys(self) -> dict[Path, str]:
        """Keys of the images that this manifest has made, by where they are."""
        return {self.folder / path: line["key"] for path, line in self._makers.items()}

    @property
    def folders(self) -> set[Path]:
        """The folders that images were saved in, except where a link leads out of this one."""
        named = {self.folder / PurePath(path).parent for path in self._makers}
        return {path for path in named if lies_in(self.folder, path)}

    def is_intact(self, key: str) -> bool:
        """Say whether an image is done and all that was saved of it is still as it was.

        Frames and filmstrips are looked for; the image itself is compared byte for byte.
        """
        entry = self.entry(key)
        if entry is None or entry.get("status") != "done":
            return False
        try:
            data = read_untrusted(self.folder / entry["path"], max_bytes=MAX_FILE_BYTES)
            # A key is missing if the artifact was unknown to the version that wrote the line.
            beside = [entry[key] for key in json_keys() if entry.get(key) is not None]
            there = all((self.folder / path).exists() for path in beside)
            return there and hashlib.sha256(data).hexdigest() == entry["sha256"]
        except (OSError, LookupError, TypeError, ValueError):
            return False

    def _take(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            return
        match entry:
            case {"key": str(key)} if all(map(_stays_inside, map(entry.get, path_keys()))):
                self._entries[key] = entry
            case _:
                return
        match entry:
            case {"status": "done", "path": str(path)}:
                self._makers[path] = {**entry, **self._kept(path, entry)}
            case _:
                pass

    def _kept(self, path: str, entry: Mapping[str, Any]) -> dict[str, str]:
        """Return what earlier lines say was saved with the same image, and this one does not."""
        before = self._makers.get(path, {})
        if before.get("key") != entry["key"]:
            return {}
        return {
            name: before[name]
            for name in path_keys()
            if entry.get(name) is None and before.get(name) is not None
        }

    def _open_to_append(self, flags: int) -> int:
        """Open the file and return its handle, which the caller closes.

        Raises:
            OSError: If it cannot be opened, or is a link or no regular file.
        """
        if self.path.is_symlink():
            raise OSError(errno.ELOOP, "It is a link", str(self.path))
        return open_regular(self.path, flags | _APPENDING)

    def _half_line_is_ours(self, handle: int) -> bool:
        """Say whether what follows the last whole line is a line of ours, cut short, or nothing."""
        os.lseek(handle, self._read_bytes, os.SEEK_SET)
        half = os.read(handle, MAX_LINE_BYTES)
        begins = half[: len(_LINE_BEGINS)]
        if begins != _LINE_BEGINS[: len(begins)]:
            return False
        with suppress(ValueError, RecursionError):
            json.loads(half)
            return False  # whole, but for the line's end
        return True


def _stays_inside(path: object) -> bool:
    """Say whether a path of a line's is none, or leads into the manifest's folder."""
    if path is None:
        return True
    if not isinstance(path, str) or "\0" in path:
        return False
    return not PurePath(path).anchor and ".." not in PurePath(path).parts


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
