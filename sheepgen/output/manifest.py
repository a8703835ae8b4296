"""``manifest.jsonl``: an append-only file with one line for every image of a folder.

    manifest.jsonl             of processes that share the folder
    manifest-3-of-8.jsonl      of one shard, which appends to it alone

A line is an object: ``key``, and what `sheepgen.output.jsonl.outcome_to_dict` returns for the
image, with paths relative to the folder. All files of a folder are read together. The last line of
a key counts; between two files it is the one with the higher ``revision``, which a line has if it
takes the place of one in another file.

Of a line only its place in the file is kept in memory, so that there may be millions.

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
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from sheepgen.errors import OutputError
from sheepgen.metadata.image_file import MAX_FILE_BYTES
from sheepgen.output.artifacts import json_keys
from sheepgen.untrusted_file import lies_in, open_regular, open_untrusted, read_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sheepgen.shard import Shard

__all__ = ["MANIFEST_NAME", "Manifest", "is_manifest_name", "path_keys"]

MANIFEST_NAME = "manifest.jsonl"

MAX_MANIFEST_BYTES = 2**35
"""Of one file; its lines are read one by one."""
MAX_LINE_BYTES = 4 * 2**20
"""Many times the size of a record with the longest prompts."""

_SHARD_NAME = re.compile(r"manifest-[1-9]\d{0,4}-of-[1-9]\d{0,4}\.jsonl", re.ASCII)
_MAX_REVISION = 10**6

_LINE_BEGINS = b'{"key":'
_APPENDING = os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)


def path_keys() -> tuple[str, ...]:
    """Return the keys of a line whose values are paths, or null."""
    return ("path", *json_keys())


def is_manifest_name(name: str) -> bool:
    """Check whether a file has the name of a manifest, of whichever shard."""
    return name == MANIFEST_NAME or _SHARD_NAME.fullmatch(name) is not None


class _Line(NamedTuple):
    """Where a line is, and whether it takes the place of another.

    Args:
        name: Of its file.
        start: Where it begins there, in bytes.
        revision: How many lines in other files it follows.
        is_done: Whether it says that the image is there.
    """

    name: str
    start: int
    revision: int
    is_done: bool

    def replaces(self, other: _Line | None) -> bool:
        """Check whether this line counts in place of another of its key that was read before."""
        if other is None or other.name == self.name:
            return True
        return (self.revision, self.is_done) > (other.revision, other.is_done)


@dataclass(slots=True)
class Manifest:
    """All manifests of a folder, as far as they have been read. No file need exist yet.

    Args:
        folder: Where the files are.
        shard: Which of the files lines are appended to; None for that of no shard.
        invalid_lines: How many lines so far are not a manifest's; they are skipped.
    """

    folder: Path
    shard: Shard | None = None
    invalid_lines: int = 0
    _lines: dict[str, _Line] = field(default_factory=dict)
    _saved: dict[str, str] = field(default_factory=dict)
    _artifacts: dict[str, dict[str, str]] = field(default_factory=dict)
    _read_bytes: dict[str, int] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file that lines are appended to."""
        return self.folder / self._name

    @property
    def _name(self) -> str:
        return MANIFEST_NAME if self.shard is None else f"manifest-{self.shard}.jsonl"

    def refresh(self) -> None:
        """Read the complete lines of all files of the folder that were not there the last time.

        An invalid line is skipped: at worst, an image is generated again.

        Raises:
            OutputError: If a file cannot be read, or is too large.
        """
        for name in self._names():
            self._read_bytes.setdefault(name, 0)
        self.follow(everything=True)

    def follow(self, *, everything: bool = False) -> None:
        """Read what was appended since `refresh` to the files that may tell of the same images.

        These are all that were there; of a shard, its own, as no other has its images.

        Args:
            everything: Whether a shard reads the others, too.

        Raises:
            OutputError: If a file cannot be read, or is too large.
        """
        alone = self.shard is not None and not everything
        for name in [self._name] if alone else sorted({self._name, *self._read_bytes}):
            self._read(name)

    def _names(self) -> list[str]:
        """Return the names of the folder's manifests."""
        with (
            suppress(FileNotFoundError, NotADirectoryError),
            _read_errors(self.folder),
            os.scandir(self.folder) as found,
        ):
            return [each.name for each in found if is_manifest_name(each.name)]
        return []

    def _read(self, name: str) -> None:
        path = self.folder / name
        with (
            suppress(FileNotFoundError, NotADirectoryError),
            _read_errors(path),
            open_untrusted(path, max_bytes=MAX_MANIFEST_BYTES) as file,
        ):
            start = self._read_bytes.get(name, 0)
            file.seek(start)
            while line := file.readline(MAX_LINE_BYTES):
                part = line
                while part and not part.endswith(b"\n"):  # too long, or partial
                    line, part = b"", file.readline(MAX_LINE_BYTES)
                if not part:
                    return
                self._take(line, name, start)
                self._read_bytes[name] = start = file.tell()

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
        known = _LINE_BEGINS.startswith(begins) or any(
            line.name == self._name for line in self._lines.values()
        )
        if not known:
            raise OutputError(
                f"{self.path} is not a manifest of sheepgen.",
                "Move it, or choose another folder with --output.",
            )

    def append(self, entry: Mapping[str, Any]) -> None:
        """Append a line and wait until it is on disk; the caller holds the lock for this file.

        Raises:
            OSError: If it cannot be written; the manifest is then unchanged.
        """
        self.follow()
        known = self._lines.get(entry["key"])
        if known is not None and (revision := known.revision + (known.name != self._name)):
            entry = {**entry, "revision": revision}
        line = json.dumps(entry).encode() + b"\n"
        handle = self._open_to_append(os.O_RDWR | os.O_CREAT)
        try:
            size = self._read_bytes.get(self._name, 0)
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
        self.follow()

    def entry(self, key: str) -> Mapping[str, Any] | None:
        """Return the last line of a key, as of the last `refresh`."""
        line = self._lines.get(key)
        if line is None:
            return None
        try:
            with open_untrusted(self.folder / line.name, max_bytes=MAX_MANIFEST_BYTES) as file:
                file.seek(line.start)
                entry = _parse(file.readline(MAX_LINE_BYTES))
        except OSError:  # the file is gone
            return None
        return entry if entry is not None and entry["key"] == key else None

    def entries(self) -> Iterator[Mapping[str, Any]]:
        """Yield the last line of each key."""
        yield from filter(None, map(self.entry, self._lines))

    def saved_as(self, path: Path) -> Mapping[str, Any] | None:
        """Return ``key``, ``path`` and artifacts of the last image that was saved as ``path``.

        These include artifacts that only earlier lines of the same image name, as they are kept
        when it is generated again without them. Later lines of its key may say that it failed.
        """
        name = Path(os.path.relpath(path, self.folder)).as_posix()
        key = self._saved.get(name)
        if key is None:
            return None
        return {"key": key, "path": name, **self._artifacts.get(name, {})}

    def key_of(self, path: Path) -> str | None:
        """Return the key of the last image that was saved as ``path``."""
        if not self._saved:
            return None
        return self._saved.get(Path(os.path.relpath(path, self.folder)).as_posix())

    @property
    def folders(self) -> set[Path]:
        """Folders that images were saved in, except those that a link leads out of this one."""
        named = {self.folder / PurePath(path).parent for path in self._saved}
        return {path for path in named if lies_in(self.folder, path)}

    def is_intact(self, key: str) -> bool:
        """Check whether an image is done, unchanged, and still has all of its artifacts."""
        return self.intact_path(key) is not None

    def intact_path(self, key: str) -> Path | None:
        """Return where an image is if it is done, unchanged, and still has all of its artifacts.

        The image is compared by its hash; artifacts only have to exist.
        """
        line = self._lines.get(key)
        if line is None or not line.is_done or (entry := self.entry(key)) is None:
            return None
        try:
            image: Path = self.folder / entry["path"]
            data = read_untrusted(image, max_bytes=MAX_FILE_BYTES)
            # A key is missing if the artifact was unknown to the version that wrote the line.
            beside = [entry[key] for key in json_keys() if entry.get(key) is not None]
            there = all((self.folder / path).exists() for path in beside)
            is_same = there and hashlib.sha256(data).hexdigest() == entry["sha256"]
        except (OSError, LookupError, TypeError, ValueError):
            return None
        return image if is_same else None

    def _take(self, text: bytes, name: str, start: int) -> None:
        entry = _parse(text)
        if entry is None:
            self.invalid_lines += text != b"\n"
            return
        key, revision = entry["key"], entry.get("revision")
        if type(revision) is not int or not 0 <= revision <= _MAX_REVISION:
            revision = 0
        line = _Line(name, start, revision, entry.get("status") == "done")
        if not line.replaces(self._lines.get(key)):
            return
        self._lines[key] = line
        if line.is_done and isinstance(path := entry.get("path"), str):
            self._take_saved(path, key, entry)

    def _take_saved(self, path: str, key: str, entry: Mapping[str, Any]) -> None:
        """Remember whose image is at a path, and the artifacts of all lines of that image."""
        if self._saved.get(path) != key:
            self._artifacts.pop(path, None)
        self._saved[path] = key
        if named := {name: entry[name] for name in json_keys() if entry.get(name) is not None}:
            self._artifacts.setdefault(path, {}).update(named)

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
        os.lseek(handle, self._read_bytes.get(self._name, 0), os.SEEK_SET)
        partial = os.read(handle, MAX_LINE_BYTES)
        begins = partial[: len(_LINE_BEGINS)]
        if begins != _LINE_BEGINS[: len(begins)]:
            return False
        with suppress(ValueError, RecursionError):
            json.loads(partial)
            return False  # complete, except for the line break
        return True


@contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` into an `OutputError`, unless it is that there is no such file."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise OutputError(
            f"{path} cannot be read: {error.strerror}.",
            "Move it, or choose another folder.",
        ) from error


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return what a line says; None if it is not a manifest's."""
    with suppress(ValueError, RecursionError):
        match json.loads(line):
            case {"key": str()} as entry if all(map(_stays_inside, map(entry.get, path_keys()))):
                return dict(entry)
            case _:
                pass
    return None


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
