from __future__ import annotations

import errno
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from sheepgen.sweep.manifest import MANIFEST_NAME, Manifest

if TYPE_CHECKING:
    from pathlib import Path


def done(folder: Path, key: str, **entries: Any) -> dict[str, Any]:
    """Write an image file and return the line for it."""
    data = b"pixels"
    (folder / f"{key}.png").write_bytes(data)
    entry: dict[str, Any] = {"key": key, "status": "done", "path": f"{key}.png"}
    entry |= {"frames": None, "filmstrip": None, "animation": None}
    return entry | {"sha256": hashlib.sha256(data).hexdigest()} | entries


def lines(folder: Path) -> list[bytes]:
    return (folder / MANIFEST_NAME).read_bytes().splitlines(keepends=True)


def test_a_folder_without_one_has_nothing_in_it(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "not there")
    manifest.refresh()
    assert manifest.entry("a") is None
    assert not manifest.is_intact("a")
    assert manifest.image_keys == {}


def test_a_line_is_there_for_all_who_look(tmp_path: Path) -> None:
    writer, reader = Manifest(tmp_path), Manifest(tmp_path)
    writer.append(done(tmp_path, "a"))
    assert not reader.is_intact("a")
    reader.refresh()
    assert reader.is_intact("a")
    assert set(reader.image_keys) == {tmp_path / "a.png"}
    writer.append(done(tmp_path, "b"))
    reader.refresh()
    assert reader.is_intact("a")
    assert reader.is_intact("b")
    assert [json.loads(line)["key"] for line in lines(tmp_path)] == ["a", "b"]


def test_the_last_line_of_a_key_counts(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    manifest.append({"key": "a", "status": "failed"})
    assert not manifest.is_intact("a")
    manifest.append(done(tmp_path, "a"))
    assert manifest.is_intact("a")
    manifest.append({"key": "a", "status": "failed"})
    assert not manifest.is_intact("a")


@pytest.mark.parametrize("kept", [0, 1, 17, -1])
def test_half_a_line_is_not_read_and_makes_room(tmp_path: Path, kept: int) -> None:
    Manifest(tmp_path).append(done(tmp_path, "a"))
    whole = lines(tmp_path)
    half = json.dumps(done(tmp_path, "b")).encode()[:kept]
    with (tmp_path / MANIFEST_NAME).open("ab") as file:
        file.write(half)
    manifest = Manifest(tmp_path)
    manifest.refresh()
    assert manifest.is_intact("a")
    assert manifest.entry("b") is None
    manifest.append(done(tmp_path, "c"))
    assert lines(tmp_path)[0] == whole[0]
    assert [json.loads(line)["key"] for line in lines(tmp_path)] == ["a", "c"]


@pytest.mark.parametrize(
    "strange", [b"\n", b"nonsense\n", b"[1]\n", b"7\n", b'{"key": []}\n', b"[" * 100_000 + b"\n"]
)
def test_lines_that_are_no_entries_are_passed_over(tmp_path: Path, strange: bytes) -> None:
    (tmp_path / MANIFEST_NAME).write_bytes(strange)
    manifest = Manifest(tmp_path)
    manifest.append(done(tmp_path, "a"))
    again = Manifest(tmp_path)
    again.refresh()
    assert manifest.is_intact("a")
    assert again.is_intact("a")
    assert lines(tmp_path)[0] == strange


@pytest.mark.parametrize("product", ["path", "frames", "filmstrip", "animation"])
def test_an_image_without_what_belongs_to_it_is_not_intact(tmp_path: Path, product: str) -> None:
    manifest = Manifest(tmp_path)
    manifest.append(done(tmp_path, "a", **{product: "gone"}))
    assert not manifest.is_intact("a")


def test_a_changed_image_is_not_intact(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    manifest.append(done(tmp_path, "a"))
    (tmp_path / "a.png").write_bytes(b"pixelS")
    assert not manifest.is_intact("a")
    (tmp_path / "a.png").write_bytes(b"pixels")
    assert manifest.is_intact("a")


@pytest.mark.parametrize("entry", [{"path": 7}, {"path": "a\0b"}, {"sha256": None}, {"frames": 1}])
def test_an_entry_that_makes_no_sense_is_not_intact(tmp_path: Path, entry: dict[str, Any]) -> None:
    manifest = Manifest(tmp_path)
    manifest.append(done(tmp_path, "a", **entry))
    assert not manifest.is_intact("a")
    assert set(manifest.image_keys) <= {tmp_path / "a.png", tmp_path / "a\0b"}


def test_a_full_disk_leaves_the_manifest_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = Manifest(tmp_path)
    manifest.append(done(tmp_path, "a"))
    before = lines(tmp_path)

    def full(_handle: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            manifest.append(done(tmp_path, "b"))
    assert lines(tmp_path) == before
    assert manifest.entry("b") is None
    manifest.append(done(tmp_path, "b"))
    assert manifest.is_intact("b")
