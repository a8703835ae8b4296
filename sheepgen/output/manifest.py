"""``manifest.jsonl``: an append-only file with one line for every image of a folder.

A line is an object: ``key``, and what `sheepgen.output.jsonl.outcome_to_dict` returns for the
image, with paths relative to the folder. The last line of a key counts.

A process that is killed while it writes leaves a partial line at the end. Readers ignore it, and
the next line replaces it.

A manifest may come from anyone, together with its folder, so it is not trusted. Only a regular file
of bounded size is read; lines that lead out of the folder or are not such objects are skipped;
links are never appended to, and the end of another program's file is never cut off.
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
"""Many times the size of a record with the longest prompts."""

_LINE_BEGINS = b'{"key":'
_APPENDING = os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)


def path_keys() -> tuple[str, ...]:
    """Return the keys of a line whose values are paths, or null."""
    return ("path", *json_keys())


@dataclass(slots=True)
class Manifest:
    """A folder's manifest, as far as it has been read. The file need not exist yet.

    Args:
        folder: Where the file is.
        invalid_lines: How many lines so far are not a manifest's; they are skipped.
    """

    folder: Path
    invalid_lines: int = 0
    _entries: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _saved: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _read_bytes: int = 0

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / MANIFEST_NAME

    def refresh(self) -> None:
        """Read the complete lines that were appended since the last time.

        An invalid line is skipped: at worst, an image is generated again.

        Raises:
            OutputError: If the file cannot be read, or is too large.
        """
        try:
            with open_untrusted(self.path, max_bytes=MAX_MANIFEST_BYTES) as file:
                file.seek(self._read_bytes)
                while line := file.readline(MAX_LINE_BYTES):
                    part = line
                    while part and not part.endswith(b"\n"):  # too long, or partial
                        line, part = b"", file.readline(MAX_LINE_BYTES)
                    if not part:
                        return
                    self._read_bytes = file.tell()
                    self._take(line)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise OutputError(
                f"{self.path} cannot be read: {error.strerror}.",
                "Move it, or choose another folder.",
            ) from error

    def check_appendable(self) -> None:
        """Read the file if it exists, and check that lines can be appended to it.

        Raises:
            OutputError: If it is a link, not a regular file, not a manifest, or not writable.
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
                f"{self.path} is not a manifest of sheepgen.",
                "Move it, or choose another folder with --output.",
            )

    def append(self, entry: Mapping[str, Any]) -> None:
        """Append a line and wait until it is on disk; the caller holds the folder's lock.

        Raises:
            OSError: If it cannot be written; the manifest is then unchanged.
        """
        self.refresh()
        line = json.dumps(entry).encode() + b"\n"
        handle = self._open_to_append(os.O_RDWR | os.O_CREAT)
        try:
            size = self._read_bytes
            if self._partial_line_is_ours(handle):
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
        """Return the last line of a key, as of the last `refresh`."""
        return self._entries.get(key)

    def saved_as(self, path: Path) -> Mapping[str, Any] | None:
        """Return the last line that says that an image was saved as ``path``.

        It includes artifacts of the same image from earlier lines, as these are kept when the image
        is generated again without them. Later lines of its key may say that it failed.
        """
        return self._saved.get(Path(os.path.relpath(path, self.folder)).as_posix())

    @property
    def entries(self) -> tuple[Mapping[str, Any], ...]:
        """The last line of each key."""
        return tuple(self._entries.values())

    @property
    def image_keys(self) -> dict[Path, str]:
        """Keys of the images in this manifest, by their paths."""
        return {self.folder / path: line["key"] for path, line in self._saved.items()}

    @property
    def folders(self) -> set[Path]:
        """Folders that images were saved in, except those that a link leads out of this one."""
        named = {self.folder / PurePath(path).parent for path in self._saved}
        return {path for path in named if lies_in(self.folder, path)}

    def is_intact(self, key: str) -> bool:
        """Check whether an image is done, unchanged, and still has all of its artifacts.

        The image is compared by its hash; artifacts only have to exist.
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
        entry: Any = None
        with suppress(ValueError, RecursionError):
            entry = json.loads(line)
        match entry:
            case {"key": str(key)} if all(map(_stays_inside, map(entry.get, path_keys()))):
                self._entries[key] = entry
            case _:
                self.invalid_lines += line != b"\n"
                return
        match entry:
            case {"status": "done", "path": str(path)}:
                self._saved[path] = {**entry, **self._kept(path, entry)}
            case _:
                pass

    def _kept(self, path: str, entry: Mapping[str, Any]) -> dict[str, str]:
        """Return the artifacts of the same image that earlier lines name and this one does not."""
        before = self._saved.get(path, {})
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
            OSError: If it cannot be opened, or is a link or not a regular file.
        """
        if self.path.is_symlink():
            raise OSError(errno.ELOOP, "It is a link", str(self.path))
        return open_regular(self.path, flags | _APPENDING)

    def _partial_line_is_ours(self, handle: int) -> bool:
        """Check whether the complete lines are followed by nothing or a partial line of ours."""
        os.lseek(handle, self._read_bytes, os.SEEK_SET)
        partial = os.read(handle, MAX_LINE_BYTES)
        begins = partial[: len(_LINE_BEGINS)]
        if begins != _LINE_BEGINS[: len(begins)]:
            return False
        with suppress(ValueError, RecursionError):
            json.loads(partial)
            return False  # complete, except for the line break
        return True


def _stays_inside(path: object) -> bool:
    """Check whether a path in a line is null, or leads into the manifest's folder."""
    if path is None:
        return True
    if not isinstance(path, str) or "\0" in path:
        return False
    return not PurePath(path).anchor and ".." not in PurePath(path).parts


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
