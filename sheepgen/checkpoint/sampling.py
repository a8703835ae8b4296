"""How to sample from a model that sheepgen trained, as its training record says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sheepgen.checkpoint.json_file import read_object
from sheepgen.errors import ModelError
from sheepgen.request import MAX_GUIDANCE, MAX_STEPS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RECORD_FILE", "Sampling", "recorded_sampling"]

RECORD_FILE = "training.json"
"""What `sheepgen train` writes beside a model's parts."""


class Sampling(NamedTuple):
    """Denoising steps, and guidance in diffusers' convention, where 1 is off."""

    num_inference_steps: int
    guidance_scale: float


def recorded_sampling(folder: Path) -> Sampling | None:
    """Return what the record in a model's folder advises, or None if it advises nothing.

    Other trainers leave files of that name, too: what makes no sense here is passed over. Models
    of the hub come without one.
    """
    try:
        sampling = read_object(folder / RECORD_FILE).get("sampling")
    except (OSError, ModelError):
        return None
    match sampling:
        case {"num_inference_steps": int(steps), "guidance_scale": int() | float() as guidance}:
            numbers = bool not in {type(steps), type(guidance)}
            sensible = numbers and 1 <= steps <= MAX_STEPS and 0 <= guidance <= MAX_GUIDANCE
            return Sampling(steps, float(guidance)) if sensible else None
        case _:
            return None
