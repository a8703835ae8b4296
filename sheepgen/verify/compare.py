"""Compare an image with the one regenerated from its record: what differs, and possible causes.

An image is generated in stages: noise, which depends on little; final latents, which depend on
everything; pixels. The first stage that differs limits the causes: a difference between the
record's environment and this one that reaches that stage, or an edit of the record or the pixels.
Several may be possible; the comparison does not choose among them.

Other processors round differently: with the same weights, versions and threads, pictures look the
same and are not equal bit for bit. That has a verdict of its own. It reaches the noise only where
two seeds' are blended, by sines and cosines whose last bits differ between makers.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import open_untrusted
from sheepgen.verify.find import Candidate, NotVerified
from sheepgen.verify.pixels import PixelDifference, as_jpeg, measure

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from sheepgen.events import RunFinished
    from sheepgen.metadata.record import Environment, ImageRecord
    from sheepgen.verify.pixels import Picture, Shape

__all__ = [
    "Comparison",
    "Outcome",
    "Verdict",
    "compare",
    "compare_sizes",
    "environment_differences",
]

_Value = str | int | None

Verdict = Literal["equal", "equal_within_processor", "differs"]

_REACHES_NOISE = frozenset(
    {"sheepgen", "recipe", "torch", "platform", "device_name", "model_sha256", "model_revision"}
)
"""What random noise depends on besides seed and size: the generator, which has a path with vector
instructions and one without, and the latents' shape. Blending two noises is arithmetic, which
everything reaches."""

_WITHOUT_EFFECT = frozenset({"offload"})
"""What is recorded and changes no pixel."""

_MAX_PROCESSOR_LEVELS = 64
_MIN_PROCESSOR_PSNR_DB = 40.0
"""The most that another processor may change if nothing else differs; the eye sees none of it.

The picture at the top of the README, generated on an AMD EPYC, is 16 levels and 52 dB off on an
Intel Xeon. Of 19 pictures with AVX2 in place of AVX-512, 18 were 9 to 53 levels and 45 to 57 dB
off; in one a detail came out differently (123 levels, 36 dB), and that one counts as different.
"""

_NAMES = {"model_sha256": "model weights"}
_SHOWN_CHARACTERS = 40
_SHOWN_DIGITS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """An image, compared with the one regenerated from its record.

    Args:
        path: Of the image.
        noise_equal: Whether the starting noise has the record's hash; None if the image was not
            regenerated, because its size is not the record's.
        latents_equal: Whether the final latents have the record's hash; None likewise.
        is_blended: Whether the noise is a blend of two seeds'.
        pixels: How far the pixels are apart; None if the sizes differ. A JPEG is compared with the
            new image after JPEG compression.
        sizes: Width and height of the file and of the record, in pixels, if they differ.
        is_jpeg: Whether the image is a JPEG.
        matches_manifest: Whether the file has the manifest's hash; None without a manifest.
        environment: The record's value and this machine's for each field that differs.
        causes: Possible causes of the difference; empty if there is none.
    """

    path: Path
    noise_equal: bool | None
    latents_equal: bool | None
    is_blended: bool = False
    pixels: PixelDifference | None
    sizes: tuple[tuple[int, int], tuple[int, int]] | None = None
    is_jpeg: bool
    matches_manifest: bool | None
    environment: Mapping[str, tuple[_Value, _Value]]
    causes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """The outcome in one word."""
        if self.equal:
            return "equal"
        return "equal_within_processor" if self.equal_within_processor else "differs"

    @property
    def pixels_equal(self) -> bool:
        """Whether every pixel is equal."""
        return self.pixels is not None and self.pixels.largest == 0

    @property
    def equal(self) -> bool:
        """Whether noise, latents, pixels and the manifest's hash are equal, bit for bit."""
        same = bool(self.noise_equal and self.latents_equal) and self.pixels_equal
        return same and self.matches_manifest is not False

    @property
    def equal_within_processor(self) -> bool:
        """Whether only the processor differs, and the pixels by no more than that explains."""
        return (
            not self.equal
            and bool(self.noise_equal or self.is_blended)
            and self.environment.keys() == {"device_name"}
            and self.matches_manifest is not False
            and self.pixels is not None
            and self.pixels.largest <= _MAX_PROCESSOR_LEVELS
            and self.pixels.psnr_db >= _MIN_PROCESSOR_PSNR_DB
        )

    @property
    def is_confirmed(self) -> bool:
        """Whether the image matches its record, as far as this processor can show."""
        return self.equal or self.equal_within_processor


Outcome = Comparison | NotVerified


def compare_sizes(candidate: Candidate, record: ImageRecord, shape: Shape) -> Comparison | None:
    """Return the comparison if an image has another size than its record; else None. It is cheap.

    Args:
        candidate: The file.
        record: The file's.
        shape: Of the picture in it.
    """
    recorded = record.request.final_size
    if shape.size == recorded:
        return None
    matches_manifest = _matches_manifest(candidate)
    return Comparison(
        path=candidate.path,
        noise_equal=None,
        latents_equal=None,
        pixels=None,
        sizes=(shape.size, recorded),
        is_jpeg=shape.is_jpeg,
        matches_manifest=matches_manifest,
        environment={},
        causes=(
            *_unlisted(matches_manifest),
            "the image was resized, or the record belongs to another image",
        ),
    )


def compare(
    candidate: Candidate, record: ImageRecord, picture: Picture, regenerated: RunFinished
) -> Comparison:
    """Compare an image with the one regenerated from its record.

    Args:
        candidate: The file.
        record: The file's.
        picture: The file's.
        regenerated: The image regenerated from the record's request, with its own record.
    """
    expected = as_jpeg(regenerated.image, record) if picture.is_jpeg else regenerated.image
    pixels = measure(picture.image, expected)
    noise_equal = record.noise_sha256 == regenerated.record.noise_sha256
    is_blended = record.request.variation_strength > 0
    latents_equal = record.latents_sha256 == regenerated.record.latents_sha256
    matches_manifest = _matches_manifest(candidate)
    here = regenerated.record.environment
    environment = environment_differences(record.environment, here)
    causes = _unlisted(matches_manifest)
    if not noise_equal:
        causes += _named(environment, environment if is_blended else _REACHES_NOISE)
        if is_blended and here.device != "cpu":
            causes.append("another processor, which records of graphics cards do not name")
        if not (is_blended and "device_name" in environment):
            causes.append("the record's seed, size or noise hash was changed")
    elif not latents_equal:
        causes += _named(environment, environment) or _tampering_or_nondeterminism(here.device)
    elif pixels is None or pixels.largest:
        causes += [*_named(environment, environment), "the pixels were changed afterwards"]
    return Comparison(
        path=candidate.path,
        noise_equal=noise_equal,
        latents_equal=latents_equal,
        is_blended=is_blended,
        pixels=pixels,
        is_jpeg=picture.is_jpeg,
        matches_manifest=matches_manifest,
        environment=environment,
        causes=tuple(causes),
    )


def environment_differences(
    recorded: Environment, here: Environment
) -> dict[str, tuple[_Value, _Value]]:
    """Return the fields that differ, each with the record's value and this machine's.

    A recorded processor without its instruction set, as in the first images, matches any of that
    name.
    """
    ours = asdict(here)
    differing = {
        name: (value, ours[name])
        for name, value in asdict(recorded).items()
        if value != ours[name] and name not in _WITHOUT_EFFECT
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


def _unlisted(matches_manifest: bool | None) -> list[str]:
    return ["the file is not the one in the manifest"] if matches_manifest is False else []


def _tampering_or_nondeterminism(device: str) -> list[str]:
    """Return the possible causes if the environment is the same."""
    nondeterminism = (
        "this processor computes differently under the same name"
        if device == "cpu"
        else f"results on {device} are not deterministic"
    )
    return ["the record's request or latents hash was changed", nondeterminism]


def _matches_manifest(candidate: Candidate) -> bool | None:
    if candidate.sha256 is None:
        return None
    with open_untrusted(candidate.path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == candidate.sha256
