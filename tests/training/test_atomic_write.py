"""What is written is there whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sheepgen.training.atomic_write import atomic_write, replace_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "words.json"
    with atomic_write(path) as partial:
        partial.write_text("half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert [*path.parent.iterdir()] == [path]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "words.json"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_write(path) as partial:
        (partial / "no folder").write_text("half")
    assert path.read_text() == "old"


def test_a_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "tokenizer") as partial:
        partial.mkdir()
        (partial / "vocab.json").write_text("{}")
    assert (tmp_path / "tokenizer" / "vocab.json").is_file()


def test_a_folder_is_replaced_or_put_back(tmp_path: Path) -> None:
    folder, new, old = tmp_path / "model", tmp_path / "new", tmp_path / "old"
    folder.mkdir()
    (folder / "weights").write_text("first")
    with pytest.raises(FileNotFoundError):
        replace_folder(folder, new, old=old)
    assert (folder / "weights").read_text() == "first"
    new.mkdir()
    (new / "weights").write_text("second")
    replace_folder(folder, new, old=old)
    assert (folder / "weights").read_text() == "second"
    assert (old / "weights").read_text() == "first"
