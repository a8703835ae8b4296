"""Verdicts and their lines, for records and pictures that no model has generated."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.errors import ModelError
from sheepgen.events import RunFinished
from sheepgen.metadata.image_file import encode_image
from sheepgen.verify.compare import (
    Comparison,
    compare,
    compare_sizes,
    environment_differences,
)
from sheepgen.verify.find import Candidate, NotVerified
from sheepgen.verify.pixels import Shape, read_picture
from sheepgen.verify.report import summary, to_json_line, to_line
from tests.samples import SIZE, sample_environment, sample_image, sample_record

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from sheepgen.metadata.record import ImageRecord

EDITED_PIXEL = "pixels (by at most 55 of 255, 0.13% of them, PSNR 46.9 dB)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.png"


def compared(
    path: Path,
    *,
    record: ImageRecord | None = None,
    image: Image.Image | None = None,
    sha256: str | None = None,
    here: dict[str, Any] | None = None,
) -> Comparison:
    """Judge a file, held against the sample record and image, made in an environment ``here``."""
    record = record or sample_record()
    data = encode_image(image or sample_image(), record, path.suffix)
    path.write_bytes(data)
    environment = replace(sample_environment(), **(here or {}))
    regenerated = RunFinished(
        request=record.request,
        image=sample_image(),
        record=replace(sample_record(), environment=environment),
        elapsed_s=1.0,
    )
    candidate = Candidate(path=path, sha256=sha256)
    return compare(candidate, record, read_picture(path), regenerated)


def edited_image() -> Image.Image:
    image = sample_image((200, 30, 30))
    image.putpixel((0, 0), (255, 30, 30))
    return image


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_an_image_as_it_was_made_is_equal(tmp_path: Path, suffix: str) -> None:
    comparison = compared(tmp_path / f"x{suffix}")
    assert comparison.equal
    assert comparison.causes == ()
    said = "equal (after JPEG compression)" if suffix == ".jpg" else "equal"
    assert to_line(comparison) == f"{tmp_path / f'x{suffix}'}: {said}"


def test_other_surroundings_with_the_same_bits_are_equal(path: Path) -> None:
    comparison = compared(path, here={"torch": "3.0", "threads": 8})
    assert comparison.equal
    assert comparison.environment == {"torch": ("2.14.1", "3.0"), "threads": (2, 8)}
    assert comparison.causes == ()


def test_an_edited_pixel_is_found(path: Path) -> None:
    comparison = compared(path, image=edited_image())
    assert (
        to_line(comparison)
        == f"{path}: differs in {EDITED_PIXEL}. Possible cause: the pixels were changed afterwards"
    )


def test_an_edited_pixel_of_a_jpeg_is_found(tmp_path: Path) -> None:
    comparison = compared(tmp_path / "x.jpg", image=edited_image())
    assert not comparison.equal
    assert comparison.causes == ("the pixels were changed afterwards",)


def test_another_size_is_found_without_making_the_image_again(path: Path) -> None:
    candidate, record = Candidate(path=path), sample_record()
    assert compare_sizes(candidate, record, Shape(size=SIZE, is_jpeg=False)) is None
    comparison = compare_sizes(candidate, record, Shape(size=(8, 8), is_jpeg=False))
    assert comparison is not None
    assert to_line(comparison) == (
        f"{path}: differs in size (8x8, recorded 32x24). "
        "Possible cause: the image was resized, or the record belongs to another image"
    )
    line = json.loads(to_json_line(comparison))
    assert line["verdict"] == "differs"
    assert line["sizes"] == [[8, 8], [32, 24]]
    assert (line["noise_equal"], line["latents_equal"], line["pixels"]) == (None, None, None)
    path.write_bytes(b"another file")
    listed = compare_sizes(
        replace(candidate, sha256="0" * 64), record, Shape(size=(8, 8), is_jpeg=False)
    )
    assert listed is not None
    assert listed.causes[0] == "the file is not the one in the manifest"


def nearby_image(levels: int) -> Image.Image:
    """Return an image of which one pixel is so many levels off."""
    image = sample_image()
    image.putpixel((0, 0), (200, 30 + levels, 30))
    return image


OTHER_PROCESSOR = {"device_name": "Another processor"}


@pytest.mark.parametrize("latents_sha256", ["34" * 32, "56" * 32])
def test_what_another_processor_changes_has_a_verdict_of_its_own(
    path: Path, latents_sha256: str
) -> None:
    record = replace(sample_record(), latents_sha256=latents_sha256)
    comparison = compared(path, record=record, image=nearby_image(64), here=OTHER_PROCESSOR)
    assert not comparison.equal
    assert comparison.equal_within_processor
    assert comparison.is_confirmed
    assert to_line(comparison) == (
        f"{path}: equal except for processor rounding (A processor, here Another "
        "processor): pixels (by at most 64 of 255, 0.13% of them, PSNR 45.6 dB)"
    )
    assert json.loads(to_json_line(comparison))["verdict"] == "equal_within_processor"
    assert summary([comparison]) == "1 image: 1 equal except for processor rounding."


@pytest.mark.parametrize(
    ("here", "levels"),
    [
        (OTHER_PROCESSOR, 65),
        ({}, 1),
        ({"threads": 1}, 1),
        (OTHER_PROCESSOR | {"threads": 1}, 1),
        (OTHER_PROCESSOR | {"torch": "3.0"}, 1),
        (OTHER_PROCESSOR | {"model_sha256": "cd" * 32}, 1),
    ],
)
def test_another_processor_explains_little_and_only_if_nothing_else_differs(
    path: Path, here: dict[str, Any], levels: int
) -> None:
    comparison = compared(path, image=nearby_image(levels), here=here)
    assert not comparison.equal_within_processor
    assert not comparison.is_confirmed
    assert json.loads(to_json_line(comparison))["verdict"] == "differs"


def test_another_processor_explains_no_other_noise_file_or_picture(path: Path) -> None:
    noise = replace(sample_record(), noise_sha256="56" * 32)
    assert not compared(path, record=noise, here=OTHER_PROCESSOR).is_confirmed
    assert not compared(path, sha256="0" * 64, here=OTHER_PROCESSOR).is_confirmed
    everywhere = sample_image((210, 20, 40))
    assert not compared(path, image=everywhere, here=OTHER_PROCESSOR).is_confirmed


BLENDED = sample_record(variation_seed=1, variation_strength=0.5)


def test_another_processor_may_blend_the_noise_of_two_seeds_differently(path: Path) -> None:
    record = replace(BLENDED, noise_sha256="56" * 32, latents_sha256="78" * 32)
    near = compared(path, record=record, image=nearby_image(20), here=OTHER_PROCESSOR)
    assert near.verdict == "equal_within_processor"
    assert near.noise_equal is False
    assert near.causes == ("device name (A processor, here Another processor)",)
    assert "changed" not in to_line(near)
    far = compared(path, record=record, image=nearby_image(65), here=OTHER_PROCESSOR)
    assert far.verdict == "differs"
    assert far.causes == near.causes
    torch = compared(path, record=record, here=OTHER_PROCESSOR | {"torch": "3.0"})
    assert torch.verdict == "differs"
    assert len(torch.causes) == 2


def test_the_same_processor_blends_as_it_did(path: Path) -> None:
    record = replace(BLENDED, noise_sha256="56" * 32)
    edited = "the record's seed, size or noise hash was changed"
    assert compared(path, record=record).verdict == "differs"
    assert compared(path, record=record).causes == (edited,)
    on_card = replace(record, environment=replace(record.environment, device="cuda:0"))
    assert compared(path, record=on_card, here={"device": "cuda:0"}).causes == (
        "another processor, which records of graphics cards do not name",
        edited,
    )


def test_more_threads_than_processors_can_be_asked_for(path: Path) -> None:
    record = replace(sample_record(), latents_sha256="56" * 32)
    assert to_line(compared(path, record=record, here={"threads": 1})).endswith(
        "Possible cause: threads (2, here 1). To use as many threads: --threads 2"
    )
    many = replace(record, environment=replace(record.environment, threads=1_000_000))
    assert "--threads" not in to_line(compared(path, record=many, here={"threads": 1}))


def test_pixels_may_also_differ_by_what_decoded_them(path: Path) -> None:
    comparison = compared(path, image=edited_image(), here={"threads": 1})
    assert comparison.causes == ("threads (2, here 1)", "the pixels were changed afterwards")
    assert "Possible causes: threads (2, here 1); the pixels were changed afterwards" in to_line(
        comparison
    )


@pytest.mark.parametrize(
    ("here", "causes"),
    [
        ({"threads": 1}, ["threads (2, here 1)"]),
        ({"batch_size": 4}, ["batch size (1, here 4)"]),
        (
            {"device": "cuda:0", "device_name": "A card", "dtype": "bf16"},
            [
                "device (cpu, here cuda:0)",
                "device name (A processor, here A card)",
                "dtype (fp32, here bf16)",
            ],
        ),
        ({"model_sha256": "cd" * 32}, ["model weights (ababababab, here cdcdcdcdcd)"]),
        ({"model_revision": "0123456789abc"}, ["model revision (none, here 0123456789)"]),
        (
            {},
            [
                "the record's request or latents hash was changed",
                "this processor computes differently under the same name",
            ],
        ),
    ],
)
def test_other_latents_have_every_difference_as_a_cause(
    path: Path, here: dict[str, Any], causes: list[str]
) -> None:
    record = replace(sample_record(), latents_sha256="56" * 32)
    comparison = compared(path, record=record, here=here)
    assert list(comparison.causes) == causes
    assert to_line(comparison).startswith(f"{path}: differs in latents. ")


def test_a_graphics_card_may_do_it_by_itself(path: Path) -> None:
    on_card = replace(sample_environment(), device="cuda:0")
    record = replace(sample_record(), latents_sha256="56" * 32, environment=on_card)
    comparison = compared(path, record=record, here={"device": "cuda:0"})
    assert comparison.causes[1:] == ("results on cuda:0 are not deterministic",)


def test_noise_is_only_reached_by_what_draws_it(path: Path) -> None:
    edited = "the record's seed, size or noise hash was changed"
    record = replace(sample_record(), noise_sha256="56" * 32)
    elsewhere = {"torch": "3.0", "threads": 1}
    assert compared(path, record=record, here={"threads": 1}).causes == (edited,)
    assert compared(path, record=record, here=elsewhere).causes == (
        "torch (2.14.1, here 3.0)",
        edited,
    )
    varied = replace(record.request, variation_seed=1, variation_strength=0.5)
    mixed = replace(record, request=varied)
    assert compared(path, record=mixed, here={"threads": 1}).causes == (
        "threads (2, here 1)",
        edited,
    )


def test_the_manifests_hash_counts(path: Path) -> None:
    data = encode_image(sample_image(), sample_record(), ".png")
    assert compared(path, sha256=hashlib.sha256(data).hexdigest()).equal
    comparison = compared(path, sha256="0" * 64)
    assert to_line(comparison) == (
        f"{path}: differs in bytes of the file. "
        "Possible cause: the file is not the one in the manifest"
    )


def test_all_differing_fields_are_named() -> None:
    here = replace(sample_environment(), python="3.14.0")
    assert environment_differences(sample_environment(), here) == {"python": ("3.11.7", "3.14.0")}


def test_the_first_images_name_the_processor_alone() -> None:
    recorded = sample_environment()
    here = replace(recorded, device_name=f"{recorded.device_name} (AVX2)")
    assert environment_differences(recorded, here) == {}
    newer = replace(recorded, device_name=f"{recorded.device_name} (AVX512)")
    assert environment_differences(newer, here) == {
        "device_name": ("A processor (AVX512)", "A processor (AVX2)")
    }


def test_json_says_everything(path: Path) -> None:
    line = json.loads(to_json_line(compared(path, image=edited_image(), here={"threads": 1})))
    assert line["pixels"].pop("psnr_db") == pytest.approx(46.95, abs=0.01)
    assert line == {
        "path": str(path),
        "verdict": "differs",
        "noise_equal": True,
        "latents_equal": True,
        "pixels": {"largest": 55, "share": pytest.approx(1 / 768)},
        "sizes": None,
        "jpeg": False,
        "as_listed": None,
        "environment": {"threads": [2, 1]},
        "causes": ["threads (2, here 1)", "the pixels were changed afterwards"],
    }
    assert json.loads(to_json_line(compared(path)))["pixels"]["psnr_db"] is None


def test_what_could_not_be_checked_says_why(path: Path) -> None:
    outcome = NotVerified(path=path, error=ModelError("\x1b[31mGone.", "Find it."))
    assert to_line(outcome) == f"{path}: skipped: [31mGone. Find it."
    assert json.loads(to_json_line(outcome)) == {
        "path": str(path),
        "verdict": "unchecked",
        "error": {"kind": "ModelError", "message": "\x1b[31mGone.", "hint": "Find it."},
    }


def test_strangers_values_are_shown_harmlessly(path: Path) -> None:
    environment = replace(sample_environment(), torch="\x1b[2J" + "x" * 100)
    record = replace(sample_record(), environment=environment, latents_sha256="")
    (cause,) = compared(path, record=record).causes
    assert cause == f"torch ([2J{'x' * 36}…, here 2.14.1)"


def test_the_summary_counts(path: Path) -> None:
    equal, differs = compared(path), compared(path, image=edited_image())
    unchecked = NotVerified(path=path, error=ModelError("Gone."))
    assert summary([equal]) == "1 image: 1 equal."
    assert summary([equal, differs, equal, unchecked]) == (
        "4 images: 2 equal, 1 differs, 1 skipped."
    )
