from __future__ import annotations

import os
from pathlib import Path

import pytest

from sheepgen import wildcards as module
from sheepgen.errors import UsageError
from sheepgen.wildcards import Wildcards


def test_lines_are_choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "c-d_e.f.txt").write_bytes(
        b"\xef\xbb\xbfred\r\n\r\n# no\r\n  # no\rgr\xc3\xbcn \nred\n#5 ok\nx\xe2\x80\xa8y"
    )
    lines = Wildcards(tmp_path).lines("a b/c-d_e.f")
    assert lines == ("red", "grün", "red", "x\u2028y")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Wildcards(Path("~/a b")).lines("c-d_e.f") == lines


def test_a_file_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one")
    wildcards = Wildcards(tmp_path)
    wildcards.lines("a")
    path.write_text("two")
    assert wildcards.lines("a") == ("one",)
    assert Wildcards(tmp_path).lines("a") == ("two",)


@pytest.mark.parametrize(
    "name",
    ["../secret", "/etc/passwd", "a/../../secret", ".hidden", "a//b", "", "a__b", "x" * 5000],
)
def test_no_name_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "wildcards"
    folder.mkdir()
    for path in (tmp_path / "secret.txt", folder / ".hidden.txt"):
        path.write_text("secret")
    with pytest.raises(UsageError):
        Wildcards(folder).lines(name)


def test_links_lead_only_to_the_folder_itself(tmp_path: Path) -> None:
    folder = tmp_path / "wildcards"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "a.txt").write_text("one")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "up").symlink_to(tmp_path)
    (folder / "in.txt").symlink_to("a.txt")
    wildcards = Wildcards(folder)
    for name in ("out", "up/secret"):
        with pytest.raises(UsageError, match="is a link out of the folder"):
            wildcards.lines(name)
    assert wildcards.lines("in") == ("one",)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\xff\xfea", "Cannot read .*a.txt: not UTF-8 text"),
        (b"x" * 101, "Cannot read .*a.txt: Larger than 100 bytes"),
        (b"# only\n\n", "a.txt has no lines"),
        (b"a\0b", "a.txt.* NUL"),
    ],
)
def test_what_cannot_be_read_is_said(
    content: bytes, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_FILE_BYTES", 100)
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(UsageError, match=complaint):
        Wildcards(tmp_path).lines("a")


def test_a_pipe_or_folder_in_a_files_place_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.txt").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(UsageError, match=f"Cannot read .*{name}.txt"):
            Wildcards(tmp_path).lines(name)


def test_a_name_that_is_near_is_offered(tmp_path: Path) -> None:
    (tmp_path / "birds").mkdir()
    (tmp_path / "birds" / "owls.txt").write_text("an owl")
    with pytest.raises(UsageError) as caught:
        Wildcards(tmp_path).lines("birds/owl")
    assert "Did you mean __birds/owls__?" in caught.value.hint


@pytest.mark.parametrize("folder", ["nowhere", "file", "x" * 5000, "a\0b"])
def test_a_folder_that_is_none_is_refused(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="No such folder"):
        Wildcards(tmp_path / folder)
