"""Painted splits: the same for any number of processes, and after an interruption."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sheepgen.training.data import dataset
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.dataset import Split, paint_pictures, paint_split, unseen_scenes
from sheepgen.training.data.icon_sets import DRAWING_SETS
from sheepgen.training.data.splits import held_out_drawings
from tests.training.data.fakes import Blocks

if TYPE_CHECKING:
    from pathlib import Path

SPLIT = Split(name="train", count=10, size=32)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "CHUNK", 4)


def checksum(root: Path) -> str:
    return (SPLIT.folder(root) / "sha256").read_text("ascii")


def test_a_split_is_painted_once_and_reopened(tmp_path: Path) -> None:
    first = paint_split(SPLIT, Blocks(), tmp_path, processes=1)
    assert first.pictures.shape == (10, 32, 32, 3)
    assert first.pictures.dtype == np.uint8
    assert len(first.scenes) == 10
    scenes, pictures = paint_pictures(SPLIT, Blocks(), 3, 4)
    assert first.scenes[3:7] == scenes
    assert np.array_equal(first.pictures[3:7], pictures)
    again = paint_split(SPLIT, Blocks(), tmp_path, processes=1)
    assert again.scenes == first.scenes


def test_the_number_of_processes_does_not_matter(tmp_path: Path) -> None:
    one = paint_split(SPLIT, Blocks(), tmp_path / "one", processes=1)
    two = paint_split(SPLIT, Blocks(), tmp_path / "two", processes=2)
    assert one.scenes == two.scenes
    assert checksum(tmp_path / "one") == checksum(tmp_path / "two")
    assert np.array_equal(one.pictures, two.pictures)


def test_painting_resumes_where_it_stopped(tmp_path: Path) -> None:
    whole = paint_split(SPLIT, Blocks(), tmp_path / "whole", processes=1)
    paint_split(SPLIT, Blocks(), tmp_path / "stopped", processes=1)
    folder = SPLIT.folder(tmp_path / "stopped")
    (folder / "sha256").unlink()
    lines = (folder / "done").read_text("ascii").splitlines()
    # The second chunk's line was being written when the process was killed.
    (folder / "done").write_text(f"{lines[0]}\n{lines[1][:20]}", "ascii")
    pictures = np.load(folder / "pictures.npy", mmap_mode="r+")
    pictures[4:] = 0
    pictures.flush()
    resumed = paint_split(SPLIT, Blocks(), tmp_path / "stopped", processes=1)
    assert np.array_equal(resumed.pictures, whole.pictures)
    assert checksum(tmp_path / "stopped") == checksum(tmp_path / "whole")


def test_other_seeds_and_splits_give_other_scenes() -> None:
    other = Split(name="validation", count=10, size=32)
    assert SPLIT.scene(0) != other.scene(0)
    assert SPLIT.scene(0) != Split(name="train", count=10, size=32, seed=2).scene(0)


def test_the_checksum_is_that_of_the_scenes() -> None:
    assert SPLIT.sha256() == replace(SPLIT).sha256()
    others = [replace(SPLIT, seed=9), replace(SPLIT, count=SPLIT.count + 1)]
    assert len({split.sha256() for split in (SPLIT, *others)}) == 3


def test_every_unseen_scene_shows_what_is_held_out() -> None:
    of_drawings, of_a_set = unseen_scenes().values()
    assert min(len(of_drawings), len(of_a_set)) >= 150
    for scene in of_drawings:
        assert {(scene.style, name) for name in scene.things} & held_out_drawings()
    assert all(DRAWING_SETS[scene.style].held_out for scene in of_a_set)
    assert all(scene.style in concepts()[scene.subject].drawings for scene in of_a_set)
