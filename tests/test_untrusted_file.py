"""Files that others wrote: what is no regular file is refused at once, whatever leads to it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from sheepgen.untrusted_file import lies_in, open_named, open_untrusted, read_untrusted

if TYPE_CHECKING:
    from pathlib import Path


def test_a_regular_file_is_read_also_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_untrusted(tmp_path / "link", max_bytes=7) == b"content"
    with open_untrusted(tmp_path / "file") as file:
        assert file.read() == b"content"


def test_a_fifo_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for name in ("fifo", "link"):
        with pytest.raises(OSError, match="Not a regular file") as caught:
            open_untrusted(tmp_path / name)
        assert caught.value.errno == errno.EINVAL


def test_a_device_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="Not a regular file"):
        read_untrusted(tmp_path / "link", max_bytes=10)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"regular file|directory"):
        read_untrusted(tmp_path, max_bytes=10)


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(11))
    with pytest.raises(OSError, match="Larger than 10 bytes") as caught:
        read_untrusted(tmp_path / "file", max_bytes=10)
    assert caught.value.errno == errno.EFBIG


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_untrusted(tmp_path / "none", max_bytes=10)


def test_a_pipe_that_the_user_named_is_read_to_its_end(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with open_named(str(fifo)) as file:
        assert file.read() == b"", "nobody writes into it"
    writer = os.open(fifo, os.O_RDWR)
    os.write(writer, b"content")
    with open_named(str(fifo), wait=True) as file:
        os.close(writer)
        assert file.read() == b"content"


def test_a_file_that_the_user_named_is_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with open_named(str(tmp_path / "file"), wait=True) as file:
        assert file.read() == b"content"
    for name in (str(tmp_path), "/dev/zero"):
        with pytest.raises(OSError, match="Not a regular file or pipe"):
            open_named(name, wait=True)


def test_what_a_link_puts_outside_does_not_lie_in_the_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "real").mkdir(parents=True)
    (home / "out").symlink_to(tmp_path)
    (home / "in").symlink_to("real")
    (home / "loop").symlink_to("loop")
    (tmp_path / "alias").symlink_to("home")
    assert lies_in(home, home / "real" / "not there yet")
    assert lies_in(home, home / "in")
    assert lies_in(tmp_path / "alias", home / "real")
    assert not lies_in(home, home / "out")
    assert not lies_in(home, home / "loop" / ".." / "..")
