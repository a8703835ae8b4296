from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from sheepgen.errors import OutputError
from sheepgen.output.atomic import make_folder, output_errors, staging_folder, write_synced
from sheepgen.output.locks import LOCK_NAME


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota"),
        (errno.EACCES, "permission denied"),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_what_the_system_refuses_is_said_plainly(number: int, reason: str) -> None:
    with (
        pytest.raises(OutputError, match=f"some/folder: {reason}"),
        output_errors(Path("some/folder")),
    ):
        raise OSError(number, os.strerror(number))


def test_an_error_without_a_number_keeps_its_words() -> None:
    with pytest.raises(OutputError, match="odd"), output_errors(Path("some")):
        raise OSError("odd")


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    make_folder(tmp_path / "a/b/c")
    make_folder(tmp_path / "a/b/c")
    assert (tmp_path / "a/b/c").is_dir()


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="already exists"):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputError, match="not a folder"):
        make_folder(tmp_path / "file/below")


def test_a_folder_that_is_read_only_is_found_out_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="permission denied"):
        make_folder(tmp_path)
    read_only = SimpleNamespace(f_flag=os.ST_RDONLY)
    monkeypatch.setattr(os, "statvfs", lambda _path: read_only)
    with pytest.raises(OutputError, match="the file system is read-only"):
        make_folder(tmp_path)


def test_nothing_staged_is_left(tmp_path: Path) -> None:
    def fail_while_staging() -> None:
        with staging_folder(tmp_path) as staging:
            assert staging.name.startswith(".")
            write_synced(staging / "file", b"data")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_while_staging()
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_NAME]


def test_writing_replaces_nothing_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_synced(tmp_path / "link", b"data")
    assert not (tmp_path / "elsewhere").exists()
