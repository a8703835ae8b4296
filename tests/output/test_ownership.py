"""Which files at an image's names are its own: by the manifest, or by what they say themselves."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from sheepgen.events import ImageSaved
from sheepgen.execution.work_queue import WorkQueue
from sheepgen.metadata.image_file import encode_image
from sheepgen.output.artifacts import FRAME_CHOICES
from sheepgen.output.images import OutputLayout, save_images
from sheepgen.output.manifest import Manifest
from sheepgen.output.ownership import FolderNames, own_paths
from sheepgen.output.template import Target, parse_output
from tests.samples import sample_events, sample_image, sample_record, sample_request

KEY = "ab" * 32
REQUEST = sample_request()
ALL = {"image", "frames", "filmstrip", "gif"}


def target_of(folder: Path, *, key: str = KEY, suffix: str = ".png") -> Target:
    return Target(folder=folder, stem="1", suffix=suffix, key=key)


def own(folder: Path, *, key: str = KEY, suffix: str = ".png") -> set[str]:
    manifest = Manifest(folder)
    manifest.refresh()
    return set(own_paths(target_of(folder, key=key, suffix=suffix), REQUEST, manifest))


@pytest.fixture
def made(tmp_path: Path) -> ImageSaved:
    """Save an image with all that can belong to it, and record it."""
    target = target_of(tmp_path)
    template = parse_output(f"{tmp_path}/1.png", several=False)
    layout = OutputLayout(template=template, frames=FRAME_CHOICES["gif"])
    (saved,) = (
        event
        for event in save_images(sample_events(REQUEST), layout, {REQUEST: target})
        if isinstance(event, ImageSaved)
    )
    with WorkQueue(tmp_path) as queue:
        queue.record(KEY, saved)
    return saved


def test_all_that_the_line_names_is_the_images(made: ImageSaved) -> None:
    folder = made.path.parent
    made.path.write_bytes(b"changed")
    (folder / "1_filmstrip.png").write_bytes(b"changed")
    (folder / "1_animation.webp").write_bytes(b"not named")
    assert own(folder) == ALL


def test_what_was_kept_when_the_image_was_made_again_is_still_its_own(made: ImageSaved) -> None:
    folder = made.path.parent
    (folder / "1_filmstrip.png").write_bytes(b"as an older version made it")
    with WorkQueue(folder) as queue:
        again = replace(made, artifacts={})
        queue.record(KEY, again)
        assert own(folder) == ALL
        queue.record("cd" * 32, again)
    assert own(folder) == {"image", "frames", "gif"}, "by their own content alone"


def test_without_the_manifest_each_artifact_shows_it_itself(made: ImageSaved) -> None:
    folder = made.path.parent
    (folder / "manifest.jsonl").unlink()
    assert own(folder) == ALL
    other = replace(REQUEST, seed=7)
    record = replace(sample_record(), request=other)
    made.path.write_bytes(encode_image(sample_image(), record, ".png"))
    shutil.copy(made.path, folder / "1_frames" / "step_001.png")
    assert own(folder) == {"filmstrip", "gif"}
    assert own(folder, key="cd" * 32) == set()


def test_another_images_line_names_nothing_of_this_one(made: ImageSaved) -> None:
    folder = made.path.parent
    for name in ("1.png", "1_filmstrip.png", "1_animation.gif"):
        (folder / name).write_bytes(b"changed")
    shutil.rmtree(folder / "1_frames")
    assert own(folder) == {"image", "filmstrip", "gif"}
    assert own(folder, key="cd" * 32) == set()
    assert own(folder, suffix=".webp") == set(), "the line is that of 1.png"


@pytest.mark.parametrize("kept", [0, 100])
def test_frames_are_not_the_images_if_one_of_them_does_not_show_it(
    made: ImageSaved, kept: int
) -> None:
    (made.path.parent / "manifest.jsonl").unlink()
    frame = made.artifacts["frames"] / "step_001.png"
    frame.write_bytes(frame.read_bytes()[:kept])
    assert own(made.path.parent) == ALL - {"frames"}


def test_a_folder_in_place_of_a_file_is_not_the_images(made: ImageSaved) -> None:
    (made.path.parent / "manifest.jsonl").unlink()
    made.artifacts["filmstrip"].unlink()
    made.artifacts["filmstrip"].mkdir()
    assert own(made.path.parent) == ALL - {"filmstrip"}


def test_what_is_a_persons_is_not_the_images(tmp_path: Path) -> None:
    (tmp_path / "1_frames").mkdir()
    (tmp_path / "1_frames" / "notes.txt").touch()
    for name in ("1_filmstrip.png", "1_animation.gif", "1_animation.webp", "1.png"):
        (tmp_path / name).write_bytes(b"mine")
    assert own(tmp_path) == set()
    shutil.rmtree(tmp_path / "1_frames")
    (tmp_path / "1_frames").write_bytes(b"mine")
    (tmp_path / "1.png").unlink()
    (tmp_path / "1.png").mkdir()
    assert own(tmp_path) == set()


def test_links_say_nothing_for_themselves(made: ImageSaved) -> None:
    folder = made.path.parent
    (folder / "manifest.jsonl").unlink()
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    for name in ("1.png", "1_frames", "1_filmstrip.png"):
        (folder / name).rename(elsewhere / name)
        (folder / name).symlink_to(elsewhere / name)
    assert own(folder) == {"gif"}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_torn_image_is_its_own_wherever_it_was_torn(tmp_path: Path, suffix: str) -> None:
    data = encode_image(sample_image(), sample_record(), suffix)
    path = tmp_path / f"1{suffix}"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        assert own(tmp_path, suffix=suffix) == {"image"}, length
    path.write_bytes(bytes(len(data)))
    assert own(tmp_path, suffix=suffix) == {"image"}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_another_image_is_not_taken_for_a_torn_one(tmp_path: Path, suffix: str) -> None:
    record = replace(sample_record(), request=replace(REQUEST, seed=7))
    data = encode_image(sample_image(), record, suffix)
    path = tmp_path / f"1{suffix}"
    path.write_bytes(data)
    assert own(tmp_path, suffix=suffix) == set()
    path.write_bytes(data[:-1] if suffix != ".webp" else data)
    assert own(tmp_path, suffix=suffix) == set()
    for mine in (b"GIF89a", b"text", b"x"):
        path.write_bytes(mine)
        assert own(tmp_path, suffix=suffix) == set()


def test_folders_are_listed_once_for_all_images(tmp_path: Path) -> None:
    names = FolderNames()
    target = Target(folder=tmp_path, stem="a-sheep_s1", suffix=".png")
    assert not names.may_include(replace(target, folder=tmp_path / "not there"))
    (tmp_path / "A-Sheep_s1_frames").mkdir()
    assert names.may_include(target), "a file system may know no capitals"
    assert not names.may_include(replace(target, stem="a-sheep_s2"))
    (tmp_path / "a-sheep_s2.png").touch()
    assert not names.may_include(replace(target, stem="a-sheep_s2")), "it was listed before"
    assert FolderNames().may_include(replace(target, stem="a-sheep_s2"))


def test_in_a_folder_that_cannot_be_listed_anything_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise PermissionError

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert FolderNames().may_include(Target(folder=tmp_path, stem="a", suffix=".png"))
