"""From Python, too, every picture that is saved carries its record."""

from __future__ import annotations

import copy
import io
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sheepgen import FrameOptions, GeneratedImage, GenerationRequest, generate, save, stream
from sheepgen.errors import UsageError
from sheepgen.events import RunFailed
from sheepgen.metadata.image_file import encode_image, read_record
from sheepgen.output.artifacts import FRAME_CHOICES
from tests.samples import sample_events, sample_image, sample_record, sample_request

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.pipeline.family import Model

REQUEST = GenerationRequest(prompt="a red sheep", seed=3, num_inference_steps=2)


@pytest.fixture
def image() -> GeneratedImage:
    return GeneratedImage(sample_image(), sample_record())


@pytest.mark.parametrize("name", ["x.png", "x.PNG", "x.jpg", "x.webp"])
def test_a_saved_image_is_the_file_that_the_command_writes(
    tmp_path: Path, image: GeneratedImage, name: str
) -> None:
    path = tmp_path / name
    for given in (path, str(path)):
        image.save(given)
        assert path.read_bytes() == encode_image(sample_image(), sample_record(), path.suffix)
        assert read_record(path) == sample_record()


def test_what_is_asked_of_pillow_is_done(tmp_path: Path, image: GeneratedImage) -> None:
    buffer = io.BytesIO()
    image.save(buffer, "png")
    assert buffer.getvalue() == encode_image(sample_image(), sample_record(), ".png")
    image.save(tmp_path / "small.jpg", quality=10)
    assert read_record(tmp_path / "small.jpg") == sample_record()
    image.save(tmp_path / "x.bmp")  # which has no room for a record
    with Image.open(tmp_path / "x.bmp") as plain:
        assert plain.size == image.size
    with pytest.raises(ValueError, match="unknown file extension"):
        image.save(tmp_path / "x.xyz")


def test_a_prompt_that_no_jpeg_can_hold_is_refused(tmp_path: Path) -> None:
    long = GeneratedImage(sample_image(), sample_record(prompt="sheep " * 1000))
    with pytest.raises(UsageError, match="JPEG"):
        long.save(tmp_path / "x.jpg")
    assert list(tmp_path.iterdir()) == []


def test_it_is_a_pillow_image_that_copies_without_its_record(image: GeneratedImage) -> None:
    assert np.array_equal(np.asarray(image), np.asarray(sample_image()))
    assert image.tobytes() == sample_image().tobytes()
    assert type(image.resize((4, 4))) is type(image.copy()) is Image.Image


def test_it_keeps_its_record_between_processes(image: GeneratedImage) -> None:
    for same in (pickle.loads(pickle.dumps(image)), copy.deepcopy(image)):
        assert (same.record, same.tobytes()) == (image.record, image.tobytes())


def test_generate_returns_one(tiny_parts: Model, tmp_path: Path) -> None:
    image = generate(tiny_parts, REQUEST)
    image.save(tmp_path / "x.png")
    record = read_record(tmp_path / "x.png")
    assert record == image.record
    assert record.request == tiny_parts.spec.resolve(REQUEST)


@pytest.mark.parametrize("frames", list(FRAME_CHOICES))
def test_frames_are_saved_if_they_are_wanted(
    tiny_parts: Model, tmp_path: Path, frames: str
) -> None:
    events = stream(tiny_parts, REQUEST, FrameOptions(noisy=True))
    saved = save(events, tmp_path / "new" / "x.png", frames=frames)
    choice = FRAME_CHOICES[frames]
    assert read_record(saved.path).request.prompt == REQUEST.prompt
    assert (saved.path.name, saved.path.parent) == ("x.png", tmp_path / "new")
    assert set(saved.artifacts) == {artifact.name for artifact in choice.artifacts()}
    assert {path for path in saved.path.parent.iterdir() if path.suffix != ".lock"} == {
        saved.path,
        *saved.artifacts.values(),
    }


def test_nothing_is_replaced_unless_told(tmp_path: Path) -> None:
    path = tmp_path / "{x}.png"
    first = save(sample_events(sample_request(seed=1)), str(path))
    second = save(sample_events(sample_request(seed=2)), str(path))
    assert (first.path, second.path) == (path, tmp_path / "{x}_2.png")
    third = save(sample_events(sample_request(seed=3)), path, overwrite=True)
    assert third.path == path
    assert read_record(path).request.seed == 3


def test_what_cannot_be_saved_is_said_before_drawing(tmp_path: Path) -> None:
    for path, frames in ((tmp_path / "x.xyz", "none"), (tmp_path / "x.png", "every")):
        events = sample_events(sample_request())
        with pytest.raises(UsageError):
            save(events, path, frames=frames)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_raises_its_error(tmp_path: Path) -> None:
    failed = RunFailed(request=sample_request(), error=MemoryError("none left"), elapsed_s=1.0)
    with pytest.raises(MemoryError, match="none left"):
        save(iter([failed]), tmp_path / "x.png")
    with pytest.raises(ValueError, match="do not contain an image"):
        save(iter([]), tmp_path / "x.png")
