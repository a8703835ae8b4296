"""How to sample from a model, as `sheepgen train` wrote beside its components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sheepgen.errors import ModelError
from sheepgen.fields import MAX_GUIDANCE, MAX_SIDE, MAX_STEPS
from sheepgen.models.family import MadeFor
from sheepgen.models.json_file import read_object
from sheepgen.schedulers import SCHEDULERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["RECORD_FILE", "Sampling", "recorded_sampling"]

RECORD_FILE = "training.json"
"""What `sheepgen train` writes beside a model's components."""


class Sampling(NamedTuple):
    """Denoising steps, guidance in diffusers' convention, where 1 is off, and the good range."""

    num_inference_steps: int
    guidance_scale: float
    made_for: MadeFor | None = None


def recorded_sampling(folder: Path) -> Sampling | None:
    """Return what the training record in a model's folder advises, or None if it advises nothing.

    Other programs write files of that name, too, so invalid values are ignored. Models from the Hub
    are downloaded without it.
    """
    try:
        sampling = read_object(folder / RECORD_FILE).get("sampling")
    except ModelError:
        return None
    match sampling:
        case {
            "num_inference_steps": int(steps),
            "guidance_scale": int() | float() as guidance,
            **others,
        }:
            numbers = bool not in {type(steps), type(guidance)}
            sensible = numbers and 1 <= steps <= MAX_STEPS and 0 <= guidance <= MAX_GUIDANCE
            if not sensible:
                return None
            return Sampling(steps, float(guidance), _made_for(others.get("made_for")))
        case _:
            return None


def _made_for(recorded: Any) -> MadeFor | None:  # noqa: ANN401 - anybody's JSON
    match recorded:
        case {
            "guidance_scale": [int() | float() as weakest, int() | float() as strongest],
            "num_inference_steps": [int(fewest), int(most)],
            "side": [int(shortest), int(longest)],
            "slower_schedulers": list(slower),
        }:
            spans = (weakest, strongest, MAX_GUIDANCE), (fewest, most, MAX_STEPS)
            for low, high, limit in (*spans, (shortest, longest, MAX_SIDE)):
                if not 0 <= low <= high <= limit:
                    return None
            return MadeFor(
                guidance_scale=(weakest, strongest),
                num_inference_steps=(fewest, most),
                side=(shortest, longest),
                slower_schedulers=tuple(_slower(slower)),
            )
        case _:
            return None


def _slower(recorded: list[object]) -> Iterator[tuple[str, int]]:
    for entry in recorded:
        match entry:
            case [str(name), int(steps)] if name in SCHEDULERS and steps <= MAX_STEPS:
                yield name, steps
            case _:
                pass
