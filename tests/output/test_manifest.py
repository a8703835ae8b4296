from __future__ import annotations

import errno
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from sheepgen.errors import OutputError
from sheepgen.output.manifest import MANIFEST_NAME, Manifest, is_manifest_name
from sheepgen.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Callable
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
    assert manifest.key_of(tmp_path / "not there" / "a.png") is None


def test_a_line_is_there_for_all_who_look(tmp_path: Path) -> None:
    writer, reader = Manifest(tmp_path), Manifest(tmp_path)
    writer.append(done(tmp_path, "a"))
    assert not reader.is_intact("a")
    reader.refresh()
    assert reader.is_intact("a")
    assert reader.key_of(tmp_path / "a.png") == "a"
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
    assert manifest.invalid_lines == 0


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
    assert again.invalid_lines == (strange != b"\n")
    assert lines(tmp_path)[0] == strange


@pytest.mark.parametrize("key", ["path", "frames", "filmstrip", "animation"])
def test_an_image_without_its_artifacts_is_not_intact(tmp_path: Path, key: str) -> None:
    manifest = Manifest(tmp_path)
    manifest.append(done(tmp_path, "a", **{key: "gone"}))
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
    assert manifest.key_of(tmp_path / "b.png") is None


@pytest.mark.parametrize("path", ["../a.png", "/a.png", "b/../../a.png", 7, "a\0b"])
def test_lines_that_lead_out_of_the_folder_are_passed_over(tmp_path: Path, path: object) -> None:
    manifest = Manifest(tmp_path)
    for name in ("path", "frames", "filmstrip", "animation"):
        manifest.append(done(tmp_path, "a", **{name: path}))
    assert [*manifest.entries()] == []
    assert manifest.invalid_lines == 4
    assert manifest.folders == set()


def test_a_line_without_end_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sheepgen.output.manifest.MAX_LINE_BYTES", 1000)
    manifest = Manifest(tmp_path)
    manifest.append(done(tmp_path, "a"))
    manifest.append(done(tmp_path, "b", more="x" * 5000))
    manifest.append(done(tmp_path, "c"))
    assert [entry["key"] for entry in manifest.entries()] == ["a", "c"]
    assert manifest.invalid_lines == 1
    assert len(lines(tmp_path)) == 3


def test_who_saved_an_image_outlives_a_later_failure(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    manifest.append(done(tmp_path, "a"))
    manifest.append({"key": "a", "status": "failed"})
    made = manifest.saved_as(tmp_path / "a.png")
    assert made is not None
    assert made["key"] == "a"
    manifest.append(done(tmp_path, "b", path="a.png"))
    made = manifest.saved_as(tmp_path / "a.png")
    assert made is not None
    assert made["key"] == "b"
    assert manifest.saved_as(tmp_path / "b.png") is None


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [os.mkfifo, endless, os.mkdir])
def test_what_is_no_regular_file_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / MANIFEST_NAME)
    with pytest.raises(OutputError, match=r"manifest\.jsonl cannot be read"):
        Manifest(tmp_path).refresh()
    with pytest.raises(OutputError, match=r"manifest\.jsonl cannot be"):
        Manifest(tmp_path).check_appendable()


def test_a_manifest_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Manifest(tmp_path).append(done(tmp_path, "a"))
    monkeypatch.setattr("sheepgen.output.manifest.MAX_MANIFEST_BYTES", 10)
    with pytest.raises(OutputError, match="Larger than 10 bytes"):
        Manifest(tmp_path).refresh()


def test_a_link_is_read_but_never_appended_to(tmp_path: Path) -> None:
    theirs = Manifest(tmp_path / "theirs")
    theirs.folder.mkdir()
    theirs.append(done(theirs.folder, "a"))
    before = theirs.path.read_bytes()
    manifest = Manifest(tmp_path)
    manifest.path.symlink_to(theirs.path)
    manifest.refresh()
    assert manifest.entry("a") is not None
    with pytest.raises(OutputError, match="cannot be appended to: It is a link"):
        manifest.check_appendable()
    with pytest.raises(OSError, match="link"):
        manifest.append(done(tmp_path, "b"))
    manifest.path.unlink()
    manifest.path.symlink_to("not there")
    with pytest.raises(OSError, match="link"):
        manifest.append(done(tmp_path, "b"))
    assert theirs.path.read_bytes() == before
    assert not (tmp_path / "not there").exists()


@pytest.mark.parametrize("content", [b'{"audio": "a.wav"}\n', b'{"audio": "a.wav"}', b"a,b\n"])
def test_another_programs_file_is_not_appended_to(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST_NAME).write_bytes(content)
    with pytest.raises(OutputError, match="is not a manifest"):
        Manifest(tmp_path).check_appendable()
    assert (tmp_path / MANIFEST_NAME).read_bytes() == content


@pytest.mark.parametrize("content", [b"", b'{"key"', b'{"key": "a", "stat'])
def test_half_a_line_of_ours_is_gone_on_from(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST_NAME).write_bytes(content)
    manifest = Manifest(tmp_path)
    manifest.check_appendable()
    manifest.append(done(tmp_path, "a"))
    assert [json.loads(line)["key"] for line in lines(tmp_path)] == ["a"]


@pytest.mark.parametrize("last", [b'{"key": "z", "status": "failed"}', b"# a person's own words"])
def test_a_last_line_that_is_whole_or_not_ours_is_kept(tmp_path: Path, last: bytes) -> None:
    Manifest(tmp_path).append(done(tmp_path, "a"))
    with (tmp_path / MANIFEST_NAME).open("ab") as file:
        file.write(last)
    Manifest(tmp_path).append(done(tmp_path, "b"))
    first, kept, added = lines(tmp_path)
    assert kept == last + b"\n"
    assert [json.loads(line)["key"] for line in (first, added)] == ["a", "b"]


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


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("manifest.jsonl", True),
        ("manifest-3-of-8.jsonl", True),
        ("manifest-10000-of-10000.jsonl", True),
        ("manifest-0-of-8.jsonl", False),
        ("manifest-03-of-8.jsonl", False),
        ("manifest-3-of-8.jsonl.bak", False),
        ("manifest-3-of-8.jsonl\n", False),
        ("manifest-\u0663-of-8.jsonl", False),
        ("my-manifest.jsonl", False),
        ("manifest-3-of-999999.jsonl", False),
    ],
)
def test_manifests_are_known_by_their_names(tmp_path: Path, name: str, *, is_one: bool) -> None:
    assert is_manifest_name(name) is is_one
    (tmp_path / name).write_text(json.dumps(done(tmp_path, "a")) + "\n", encoding="utf-8")
    manifest = Manifest(tmp_path)
    manifest.refresh()
    assert manifest.is_intact("a") is is_one


def test_all_manifests_of_a_folder_are_one(tmp_path: Path) -> None:
    first, second = Manifest(tmp_path, Shard(1, 2)), Manifest(tmp_path, Shard(2, 2))
    first.append(done(tmp_path, "a"))
    second.append(done(tmp_path, "b"))
    assert [line.path.name for line in (first, second)] == [
        "manifest-1-of-2.jsonl",
        "manifest-2-of-2.jsonl",
    ]
    together = Manifest(tmp_path)
    together.refresh()
    assert {entry["key"] for entry in together.entries()} == {"a", "b"}
    first.append(done(tmp_path, "c"))
    second.follow()
    assert second.entry("c") is None, "shards wait for no other"
    second.refresh()
    together.follow()
    assert second.is_intact("c")
    assert together.is_intact("c")


def test_between_files_the_line_that_follows_the_other_counts(tmp_path: Path) -> None:
    shard, plain = Manifest(tmp_path, Shard(1, 2)), Manifest(tmp_path)
    shard.append(done(tmp_path, "a"))
    plain.refresh()
    plain.append({"key": "a", "status": "failed"})
    plain.append({"key": "a", "status": "failed"})
    assert [json.loads(line)["revision"] for line in lines(tmp_path)] == [1, 1]
    shard.refresh()
    again = Manifest(tmp_path)
    again.refresh()
    assert not shard.is_intact("a")
    assert not again.is_intact("a")
    shard.append(done(tmp_path, "a"))
    for manifest in (shard, plain, again):
        manifest.refresh()
        assert manifest.is_intact("a")
    entry = again.entry("a")
    assert entry is not None
    assert entry["revision"] == 2


def test_of_two_lines_that_know_nothing_of_each_other_the_finished_image_counts(
    tmp_path: Path,
) -> None:
    shard, plain = Manifest(tmp_path, Shard(1, 2)), Manifest(tmp_path)
    plain.append({"key": "a", "status": "failed"})
    shard.append(done(tmp_path, "a"))
    for manifest in (shard, plain):
        manifest.refresh()
        assert manifest.is_intact("a")


@pytest.mark.parametrize("revision", [-1, 1.5, "9", None, True, 10**9, [1]])
def test_a_revision_that_makes_no_sense_is_none(tmp_path: Path, revision: object) -> None:
    strange = done(tmp_path, "a", revision=revision, sha256="x")
    (tmp_path / "manifest-1-of-2.jsonl").write_text(json.dumps(strange) + "\n", encoding="utf-8")
    manifest = Manifest(tmp_path)
    manifest.refresh()
    manifest.append(done(tmp_path, "a"))
    assert manifest.is_intact("a")
    again = Manifest(tmp_path)
    again.refresh()
    assert again.is_intact("a")


def test_a_manifest_that_is_gone_meanwhile_knows_nothing(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    manifest.append(done(tmp_path, "a"))
    other = lines(tmp_path)[0].replace(b'"a"', b'"b"')
    manifest.path.write_bytes(other)
    assert manifest.entry("a") is None
    manifest.path.unlink()
    assert not manifest.is_intact("a")
    assert [*manifest.entries()] == []


def test_the_manifest_of_a_shard_is_no_less_checked(tmp_path: Path) -> None:
    name = "manifest-1-of-2.jsonl"
    (tmp_path / name).write_bytes(b"a,b\n")
    with pytest.raises(OutputError, match=rf"{name} is not a manifest"):
        Manifest(tmp_path, Shard(1, 2)).check_appendable()
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="cannot be appended to: It is a link"):
        Manifest(tmp_path, Shard(1, 2)).check_appendable()
    Manifest(tmp_path).check_appendable()
