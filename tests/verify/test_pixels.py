from __future__ import annotations

import io
import math
import os
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sheepgen.errors import OutputError
from sheepgen.metadata.image_file import encode_image
from sheepgen.verify.pixels import (
    PixelDifference,
    Shape,
    as_jpeg,
    measure,
    read_picture,
    read_shape,
)
from tests.samples import SIZE, sample_image, sample_record

if TYPE_CHECKING:
    from pathlib import Path

PIXELS = SIZE[0] * SIZE[1]


def test_equal_pictures_are_infinitely_near() -> None:
    nothing = PixelDifference(largest=0, share=0.0, psnr_db=math.inf)
    assert measure(sample_image(), sample_image()) == nothing


def test_one_changed_level_is_measured() -> None:
    changed = sample_image((200, 30, 30))
    changed.putpixel((3, 4), (200, 35, 30))
    difference = measure(changed, sample_image((200, 30, 30)))
    assert difference is not None
    assert difference.largest == 5
    assert difference.share == pytest.approx(1 / PIXELS)
    assert difference.psnr_db == pytest.approx(10 * math.log10(255**2 / (25 / (3 * PIXELS))))


def test_every_pixel_moved_by_one_level_is_48_db() -> None:
    difference = measure(sample_image((10, 10, 10)), sample_image((11, 9, 11)))
    assert difference is not None
    assert (difference.largest, difference.share) == (1, 1.0)
    assert difference.psnr_db == pytest.approx(48.1308, abs=1e-4)


def test_transparency_counts() -> None:
    hidden = sample_image().convert("RGBA")
    hidden.putalpha(250)
    difference = measure(hidden, sample_image())
    assert difference is not None
    assert difference.largest == 5


def test_other_sizes_cannot_be_compared() -> None:
    assert measure(sample_image().resize((8, 8)), sample_image()) is None


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_a_file_shows_what_was_saved(tmp_path: Path, suffix: str) -> None:
    image = Image.frombytes("RGB", SIZE, os.urandom(PIXELS * 3))
    path = tmp_path / f"x{suffix}"
    path.write_bytes(encode_image(image, sample_record(), suffix))
    picture = read_picture(path)
    assert picture.is_jpeg == (suffix == ".jpg")
    kept = as_jpeg(image, sample_record()) if picture.is_jpeg else image
    assert picture.image.tobytes() == kept.tobytes()
    assert (kept.tobytes() != image.tobytes()) == picture.is_jpeg


def test_steps_and_animations_are_no_finished_images(tmp_path: Path) -> None:
    step, film, torn = tmp_path / "step.png", tmp_path / "film.webp", tmp_path / "torn.png"
    data = encode_image(sample_image(), sample_record(), ".png", texts={"sheepgen-step": "1/3"})
    step.write_bytes(data)
    buffer = io.BytesIO()
    sample_image().save(buffer, "WEBP", save_all=True, append_images=[sample_image((0, 0, 0))])
    film.write_bytes(buffer.getvalue())
    torn.write_bytes(encode_image(sample_image(), sample_record(), ".png")[:-40])
    for path, said in ((step, "intermediate step"), (film, "animation"), (torn, "cannot be read")):
        with pytest.raises(OutputError, match=said):
            read_picture(path)
    for path, said in ((step, "intermediate step"), (film, "animation")):
        with pytest.raises(OutputError, match=said):
            read_shape(path)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_the_shape_is_known_without_the_pixels(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(encode_image(sample_image(), sample_record(), suffix))
    assert read_shape(path) == Shape(size=SIZE, is_jpeg=suffix == ".jpg")


@pytest.mark.parametrize("side", [9_500, 14_000])
def test_a_picture_that_is_too_large_is_called_so(tmp_path: Path, side: int) -> None:
    path = tmp_path / "x.png"
    Image.new("1", (side, side)).save(path)
    for read in (read_shape, read_picture):
        with pytest.raises(OutputError, match="too large: more than 89,478,485 pixels"):
            read(path)


def test_texts_of_any_size_do_not_hide_the_picture(tmp_path: Path) -> None:
    path, info = tmp_path / "x.png", PngInfo()
    info.add_text("workflow", "wool " * 300_000, zip=True)
    image = Image.frombytes("RGB", SIZE, os.urandom(PIXELS * 3))
    image.save(path, pnginfo=info)
    assert read_picture(path).image.tobytes() == image.tobytes()


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    for name in ("pipe.png", "device.png", "."):
        with pytest.raises(OutputError, match="it is not a file"):
            read_picture(tmp_path / name)
    with pytest.raises(OutputError, match="No such file"):
        read_picture(tmp_path / "missing.png")
