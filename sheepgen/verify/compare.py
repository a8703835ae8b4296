"""What differs between an image and the one that was made again from its record, and why.

An image comes about in stages: noise, which depends on little; final latents, which depend on
everything; pixels. The first stage that differs says what can be the cause: a difference between
the record's environment and this one that reaches that stage, or a change to the record or the
pixels. Several may be possible; none of them is said to be so, and nobody to have done it.

Processors of another make round otherwise: the same weights, versions and threads give pictures
that look alike and are not equal bit for bit. That has a verdict of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import open_untrusted
from sheepgen.verify.find import Exhibit, Unchecked
from sheepgen.verify.pixels import PixelDifference, as_jpeg, measure

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from sheepgen.events import RunFinished
    from sheepgen.metadata.record import Environment, ImageRecord
    from sheepgen.verify.pixels import Picture, Shape

__all__ = ["Outcome", "Verdict", "compare_sizes", "environment_differences", "judge"]

_Value = str | int | None

_REACHES_NOISE = frozenset(
    {"sheepgen", "recipe", "torch", "platform", "device_name", "model_sha256", "model_revision"}
)
"""What drawn noise depends on besides seed and size: the generator, which has one way with vector
instructions and one without, and the latents' shape. Mixing two noises is arithmetic, which
everything reaches."""

_MAX_PROCESSOR_LEVELS = 64
_MIN_PROCESSOR_PSNR_DB = 40.0
"""What another processor changes at most, if nothing else differs: to the eye, nothing.

The picture at the top of the README, made on an AMD EPYC, is 16 levels and 52 dB off on an Intel
Xeon. Of 19 pictures with AVX2 in place of AVX-512, 18 were 9 to 53 levels and 45 to 57 dB off; in
one a detail came out another way (123 levels, 36 dB), and that differs.
"""

_NAMES = {"model_sha256": "model weights"}
_SHOWN_CHARACTERS = 40
_SHOWN_DIGITS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """An image held against the one that was made again.

    Args:
        path: Of the image.
        noise_equal: Whether the starting noise has the hash of the record; None if the image was
            not made again, because its size is not the record's.
        latents_equal: Whether the final latents have; None as before.
        pixels: How far the pixels are apart; None if the sizes differ. A JPEG is held against
            what a JPEG keeps of the new image.
        sizes: Width and height of the file and of the record, in pixels, if they differ.
        is_jpeg: Whether the image is one.
        as_listed: Whether the file has the manifest's hash; None if no manifest was asked.
        environment: By its name, what the record has and what is here, where they differ.
        causes: What can have made the difference; empty if there is none.
    """

    path: Path
    noise_equal: bool | None
    latents_equal: bool | None
    pixels: PixelDifference | None
    sizes: tuple[tuple[int, int], tuple[int, int]] | None = None
    is_jpeg: bool
    as_listed: bool | None
    environment: Mapping[str, tuple[_Value, _Value]]
    causes: tuple[str, ...]

    @property
    def pixels_equal(self) -> bool:
        """Whether every pixel is as it was made."""
        return self.pixels is not None and self.pixels.largest == 0

    @property
    def equal(self) -> bool:
        """Whether all that was compared is equal, bit for bit."""
        same = bool(self.noise_equal and self.latents_equal) and self.pixels_equal
        return same and self.as_listed is not False

    @property
    def equal_within_processor(self) -> bool:
        """Whether all that differs is as little as another processor changes, and it is another."""
        return (
            not self.equal
            and bool(self.noise_equal)
            and self.environment.keys() == {"device_name"}
            and self.as_listed is not False
            and self.pixels is not None
            and self.pixels.largest <= _MAX_PROCESSOR_LEVELS
            and self.pixels.psnr_db >= _MIN_PROCESSOR_PSNR_DB
        )

    @property
    def is_confirmed(self) -> bool:
        """Whether the image is what its record says, as far as this processor can show."""
        return self.equal or self.equal_within_processor


Outcome = Verdict | Unchecked


def compare_sizes(exhibit: Exhibit, record: ImageRecord, shape: Shape) -> Verdict | None:
    """Return the verdict if an image is not as large as its record says, which costs nothing.

    Args:
        exhibit: The file.
        record: The file's.
        shape: Of the picture in it.
    """
    request = record.request
    recorded = request.width, request.height
    if shape.size == recorded:
        return None
    as_listed = _as_listed(exhibit)
    return Verdict(
        path=exhibit.path,
        noise_equal=None,
        latents_equal=None,
        pixels=None,
        sizes=(shape.size, recorded),
        is_jpeg=shape.is_jpeg,
        as_listed=as_listed,
        environment={},
        causes=(*_unlisted(as_listed), "the picture was resized, or the record is of another"),
    )


def judge(exhibit: Exhibit, record: ImageRecord, picture: Picture, remade: RunFinished) -> Verdict:
    """Compare an image with the one that was made again from its record.

    Args:
        exhibit: The file.
        record: The file's.
        picture: The file's.
        remade: The image that was made from the record's request, with its own record.
    """
    expected = as_jpeg(remade.image, record) if picture.is_jpeg else remade.image
    pixels = measure(picture.image, expected)
    noise_equal = record.noise_sha256 == remade.record.noise_sha256
    latents_equal = record.latents_sha256 == remade.record.latents_sha256
    as_listed = _as_listed(exhibit)
    here = remade.record.environment
    environment = environment_differences(record.environment, here)
    causes = _unlisted(as_listed)
    if not noise_equal:
        drawn = not record.request.variation_strength
        causes += _named(environment, _REACHES_NOISE if drawn else environment)
        causes.append("the record's seed, size or noise hash was changed")
    elif not latents_equal:
        causes += _named(environment, environment) or _unexplained(here.device)
    elif pixels is None or pixels.largest:
        causes += [*_named(environment, environment), "the pixels were changed afterwards"]
    return Verdict(
        path=exhibit.path,
        noise_equal=noise_equal,
        latents_equal=latents_equal,
        pixels=pixels,
        is_jpeg=picture.is_jpeg,
        as_listed=as_listed,
        environment=environment,
        causes=tuple(causes),
    )


def environment_differences(
    recorded: Environment, here: Environment
) -> dict[str, tuple[_Value, _Value]]:
    """Return the fields that differ, each with the record's value and this machine's.

    A processor without its instructions, as the first images have it, is any of that name.
    """
    ours = asdict(here)
    differing = {
        name: (value, ours[name]) for name, value in asdict(recorded).items() if value != ours[name]
    }
    if here.device_name.startswith(f"{recorded.device_name} ("):
        differing.pop("device_name", None)
    return differing


def _named(environment: Mapping[str, tuple[_Value, _Value]], names: Collection[str]) -> list[str]:
    return [
        f"{_NAMES.get(name, name.replace('_', ' '))} "
        f"({_shown(name, recorded)}, here {_shown(name, here)})"
        for name, (recorded, here) in environment.items()
        if name in names
    ]


def _shown(name: str, value: _Value) -> str:
    if value is None:
        return "none"
    digits = name in ("model_sha256", "model_revision")
    return excerpt(str(value)[:_SHOWN_DIGITS] if digits else value, _SHOWN_CHARACTERS)


def _unlisted(as_listed: bool | None) -> list[str]:
    return ["the file is not the one that the manifest lists"] if as_listed is False else []


def _unexplained(device: str) -> list[str]:
    """Return the causes that are left where nothing of the environment differs."""
    by_itself = (
        "this processor computes otherwise under the same name"
        if device == "cpu"
        else f"results on {device} are not deterministic"
    )
    return ["the record's request or latents hash was changed", by_itself]


def _as_listed(exhibit: Exhibit) -> bool | None:
    if exhibit.sha256 is None:
        return None
    with open_untrusted(exhibit.path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == exhibit.sha256
