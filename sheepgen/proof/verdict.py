"""What differs between an image and the one that was made again from its record, and why.

An image comes about in stages: noise, which depends on little; final latents, which depend on
everything; pixels. The first stage that differs says what can be the cause: a difference between
the record's environment and this one that reaches that stage, or somebody's hand.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sheepgen.proof.pixels import PixelDifference, as_jpeg, measure
from sheepgen.text import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from sheepgen.errors import SheepgenError
    from sheepgen.events import RunFinished
    from sheepgen.metadata import Environment, ImageRecord
    from sheepgen.proof.exhibits import Exhibit
    from sheepgen.proof.pixels import Picture

__all__ = ["Outcome", "Unchecked", "Verdict", "environment_differences", "judge"]

_Value = str | int | None

_REACHES_NOISE = frozenset(
    {"sheepgen", "recipe", "torch", "platform", "model_sha256", "model_revision"}
)
"""What drawn noise depends on besides seed and size: the generator and the latents' shape. Mixing
two noises is arithmetic, which everything reaches."""

_NAMES = {"model_sha256": "model weights"}
_SHOWN_CHARACTERS = 40
_SHOWN_DIGITS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """An image held against the one that was made again.

    Args:
        path: Of the image.
        noise_equal: Whether the starting noise has the hash of the record.
        latents_equal: Whether the final latents have.
        pixels: How far the pixels are apart; None if the sizes differ. A JPEG is held against
            what a JPEG keeps of the new image.
        is_jpeg: Whether the image is one.
        as_listed: Whether the file has the manifest's hash; None if no manifest was asked.
        environment: By its name, what the record has and what is here, where they differ.
        causes: What can have made the difference; empty if there is none.
    """

    path: Path
    noise_equal: bool
    latents_equal: bool
    pixels: PixelDifference | None
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
        same = self.noise_equal and self.latents_equal and self.pixels_equal
        return same and self.as_listed is not False


@dataclass(frozen=True, kw_only=True, slots=True)
class Unchecked:
    """An image about which nothing can be said."""

    path: Path
    error: SheepgenError


Outcome = Verdict | Unchecked


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
    as_listed = None if exhibit.sha256 is None else _sha256(exhibit.path) == exhibit.sha256
    here = remade.record.environment
    environment = environment_differences(record.environment, here)
    causes: list[str] = []
    if as_listed is False:
        causes.append("the file is not the one that the manifest lists")
    if not noise_equal:
        drawn = not record.request.variation_strength
        causes += _told(environment, _REACHES_NOISE if drawn else environment)
        causes.append("the record was edited: its seed, size or noise hash")
    elif not latents_equal:
        causes += _told(environment, environment) or _hands_or_chance(here.device)
    elif pixels is None or pixels.largest:
        causes += [*_told(environment, environment), "the file was edited"]
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
    """Return the fields that differ, each with the record's value and this machine's."""
    ours = asdict(here)
    return {
        name: (value, ours[name]) for name, value in asdict(recorded).items() if value != ours[name]
    }


def _told(environment: Mapping[str, tuple[_Value, _Value]], names: Collection[str]) -> list[str]:
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


def _hands_or_chance(device: str) -> list[str]:
    """Return the causes that are left where nothing of the environment differs."""
    edited = "the record was edited: its request or latents hash"
    return [edited] if device == "cpu" else [edited, f"{device} does not compute twice the same"]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
