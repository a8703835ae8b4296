"""Pictures to start from: what is refused, how they are turned, laid on white and fitted."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import ExifTags, Image

from sheepgen.errors import UsageError
from sheepgen.init_image import (
    init_image_notes,
    inspect_image,
    load_image,
    load_mask,
    resolve_init_image,
)
from sheepgen.request import GenerationRequest
from tests.pictures import bomb, photograph
from tests.samples import sample_request

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.resolved_request import ResolvedRequest

RED, WHITE = (255, 0, 0), (255, 255, 255)


def saved(picture: Image.Image, path: Path, **options: Any) -> str:
    picture.save(path, **options)
    return str(path)


def of(path: str, *, size: tuple[int, int] = (32, 32), **fields: Any) -> ResolvedRequest:
    """Return a request of an image of ``size`` that starts from a picture, resolved."""
    request = GenerationRequest(prompt="a fox", seed=1, image=path, **fields)
    given = {name: value for name, value in fields.items() if value is not None}
    resolved = resolve_init_image(request, 10)
    return sample_request(
        image=path, width=size[0], height=size[1], **given | resolved, num_inference_steps=10
    )


def test_a_picture_of_the_images_size_stays_as_it_is(tmp_path: Path) -> None:
    picture = photograph(48, 32)
    for fit in ("crop", "pad", "stretch"):
        request = of(saved(picture, tmp_path / "x.png"), size=(48, 32), fit=fit)
        assert load_image(request).tobytes() == picture.tobytes()


def test_the_hash_is_the_files(tmp_path: Path) -> None:
    path = saved(photograph(8, 8), tmp_path / "x.webp")
    data = (tmp_path / "x.webp").read_bytes()
    assert inspect_image(path).sha256 == hashlib.sha256(data).hexdigest()
    assert of(path).image_sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [(64, 32), (32, 64)])
def test_each_rule_brings_it_to_the_images_shape(tmp_path: Path, size: tuple[int, int]) -> None:
    """Two halves, red and black: of the middle, of all, and of all between bars of white."""
    picture = Image.new("RGB", size)
    half = (size[0] // 2, size[1]) if size[0] > size[1] else (size[0], size[1] // 2)
    picture.paste(RED, (0, 0, *half))
    path = saved(picture, tmp_path / "x.png")
    wide = size[0] > size[1]

    def along(fit: str, *places: int) -> list[Any]:
        fitted = load_image(of(path, fit=fit))
        assert fitted.size == (32, 32)
        return [fitted.getpixel((16, at) if wide else (at, 16)) for at in places] + [
            fitted.getpixel((at, 16) if wide else (16, at)) for at in places
        ]

    black = (0, 0, 0)
    assert along("crop", 0, 31)[2:] == [RED, black]
    assert along("stretch", 0, 31)[2:] == [RED, black]
    assert along("pad", 0, 31)[:2] == [WHITE, WHITE]
    assert along("pad", 4, 28)[2:] == [RED, black]


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_as_exif_says(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture = photograph(48, 16)
    path = saved(picture, tmp_path / f"x{suffix}", exif=exif)
    with Image.open(path) as opened:
        from PIL import ImageOps

        upright = ImageOps.exif_transpose(opened).convert("RGB")
    assert inspect_image(path).size == upright.size == ((48, 16) if orientation < 5 else (16, 48))
    assert load_image(of(path, size=upright.size)).tobytes() == upright.tobytes()


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    picture.paste((255, 0, 0, 255), (0, 0, 16, 32))
    request = of(saved(picture, tmp_path / "x.png"))
    fitted = load_image(request)
    assert (fitted.getpixel((0, 0)), fitted.getpixel((31, 0))) == (RED, WHITE)
    (note,) = init_image_notes([request, request])
    assert note.endswith("has 32x32 pixels: what is transparent in it is taken as white.")
    opaque = of(saved(picture.convert("RGB").convert("RGBA"), tmp_path / "y.png"))
    assert init_image_notes([opaque]) == ()


def test_a_palette_may_be_transparent_too(tmp_path: Path) -> None:
    picture = Image.new("P", (32, 32), 1)
    picture.putpalette([0, 0, 0, 255, 0, 0])
    path = saved(picture, tmp_path / "x.png", transparency=1)
    assert load_image(of(path)).getpixel((5, 5)) == WHITE


def test_sixteen_bits_of_grey_become_eight(tmp_path: Path) -> None:
    picture = Image.new("I;16", (32, 32), 32_768)
    assert load_image(of(saved(picture, tmp_path / "x.png"))).getpixel((5, 5)) == (127,) * 3


@pytest.mark.parametrize(
    ("fit", "size", "note"),
    [
        (None, (48, 32), "its middle of 32x32 is taken, and scaled to 16x16"),
        ("pad", (48, 32), "it is scaled to 16x11 and padded with white to 16x16"),
        ("stretch", (48, 32), "it is stretched to 16x16"),
        (None, (32, 32), "it is scaled to 16x16"),
        (
            "pad",
            (32, 32),
            "it is scaled to 16x16, and it has the image's shape, so there is nothing to pad",
        ),
        ("stretch", (16, 16), "it has the image's shape, so there is nothing to stretch"),
    ],
)
def test_what_is_done_to_it_is_said(
    tmp_path: Path, fit: str | None, size: tuple[int, int], note: str
) -> None:
    path = saved(photograph(*size), tmp_path / "x.png")
    request = of(path, size=(16, 16), fit=fit)
    assert init_image_notes([request]) == (f"{path} has {size[0]}x{size[1]} pixels: {note}.",)


def test_what_is_no_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    whole = io.BytesIO()
    photograph(64, 64).save(whole, "PNG")
    first, second = photograph(8, 8), Image.new("RGB", (8, 8))
    wrong = {
        "bomb.png": (bomb(), "is too large: more than"),
        "words.png": (b"once upon a time", "cannot be read as a PNG, JPEG or WebP image"),
        "empty.png": (b"", "cannot be read as a PNG, JPEG or WebP image"),
        "cut.png": (whole.getvalue()[:-400], "cannot be read as a PNG, JPEG or WebP image"),
    }
    for name, (data, complaint) in wrong.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UsageError, match=complaint) as caught:
            inspect_image(str(tmp_path / name))
        assert caught.value.hint
        assert "\n" not in caught.value.message
    first.save(tmp_path / "moving.webp", save_all=True, append_images=[second])
    Image.new("RGB", (8, 8)).save(tmp_path / "x.bmp")
    os.mkfifo(tmp_path / "pipe.png")
    for name, complaint in (
        ("moving.webp", "is an animation"),
        ("x.bmp", "cannot be read as a PNG, JPEG or WebP image"),
        ("pipe.png", "it is not a file"),
        (".", "it is not a file"),
        ("missing.png", "No such file"),
    ):
        with pytest.raises(UsageError, match=complaint):
            inspect_image(str(tmp_path / name))


def test_a_picture_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    request = of(saved(photograph(32, 32), tmp_path / "x.png"))
    saved(Image.new("RGB", (32, 32)), tmp_path / "x.png")
    with pytest.raises(UsageError, match="has changed since the run was planned"):
        load_image(request)
    with pytest.raises(UsageError, match="has changed since the run was planned"):
        load_mask(replace(request, mask=request.image, mask_sha256=request.image_sha256))


def test_one_that_changed_since_it_was_looked_at_is_looked_at_again(tmp_path: Path) -> None:
    path = saved(photograph(32, 32), tmp_path / "x.png")
    before = inspect_image(path)
    saved(Image.new("RGB", (16, 16)), tmp_path / "x.png")
    assert inspect_image(path) != before


def test_a_mask_is_black_or_white(tmp_path: Path) -> None:
    picture = saved(photograph(32, 32), tmp_path / "x.png")
    shades = Image.new("L", (32, 32))
    for at, shade in enumerate((0, 127, 128, 255)):
        shades.paste(shade, (8 * at, 0, 8 * at + 8, 32))
    request = of(picture, mask=saved(shades, tmp_path / "mask.png"))
    mask = load_mask(request)
    assert [mask.getpixel((8 * at + 4, 9)) for at in range(4)] == [0, 0, 255, 255]
    assert request.strength == 1


def test_a_mask_repaints_what_is_padded_and_transparent(tmp_path: Path) -> None:
    picture = saved(photograph(64, 32), tmp_path / "x.png")
    shape = Image.new("LA", (64, 32), (0, 255))
    shape.paste((0, 0), (0, 0, 32, 32))
    request = of(picture, mask=saved(shape, tmp_path / "mask.png"), fit="pad")
    mask = load_mask(request)
    assert [mask.getpixel(place) for place in ((2, 2), (8, 16), (24, 16))] == [255, 255, 0]


@pytest.mark.parametrize(
    ("mask", "complaint"),
    [
        (Image.new("L", (32, 32)), "has no white in it, so nothing would be repainted"),
        (Image.new("L", (32, 31), 255), "has 32x31 pixels, and the picture 32x32"),
    ],
)
def test_a_mask_that_does_not_go_with_the_picture_is_refused(
    tmp_path: Path, mask: Image.Image, complaint: str
) -> None:
    picture = saved(photograph(32, 32), tmp_path / "x.png")
    with pytest.raises(UsageError, match=complaint):
        of(picture, mask=saved(mask, tmp_path / "mask.png"))


def test_a_strength_of_less_than_a_step_is_refused(tmp_path: Path) -> None:
    path = saved(photograph(8, 8), tmp_path / "x.png")
    assert of(path, strength=0.1).steps_taken == 1
    assert of(path).steps_taken == 8
    with pytest.raises(UsageError, match=r"strength 0.09 of 10 steps is less than one step"):
        of(path, strength=0.09)


@pytest.mark.parametrize("field", [{"strength": 0.5}, {"mask": "x.png"}, {"fit": "pad"}])
def test_nothing_about_a_picture_comes_without_one(field: dict[str, Any]) -> None:
    (name,) = field
    with pytest.raises(UsageError, match=f"^{name} is .*, without a picture to start from") as no:
        GenerationRequest(prompt="a fox", seed=1, **field)
    assert no.value.hint == f"Give the picture with --image, or leave out --{name}."


def test_a_path_is_taken_as_text(tmp_path: Path) -> None:
    request = GenerationRequest(prompt="a fox", seed=1, image=tmp_path / "x.png")  # type: ignore[arg-type]
    assert request.image == str(tmp_path / "x.png")


def test_what_was_resolved_needs_no_file() -> None:
    request = sample_request(image="gone.png", image_sha256="0" * 64, strength=0.5)
    assert resolve_init_image(request, 10) == {
        "strength": 0.5,
        "fit": "crop",
        "image_sha256": "0" * 64,
        "mask_sha256": None,
    }
