"""How well a group of prompts was drawn: counted, with the doubt that small numbers leave."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sheepgen.training.evaluation.predictions import Sighting
    from sheepgen.training.evaluation.prompts import Prompt

__all__ = ["Score", "is_found", "is_right", "wilson_interval"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How often the judge saw what was prompted.

    Args:
        group: What kind of prompts.
        pictures: How many.
        right: In how many per cent of them everything prompted was seen.
        interval: Of ``right``, in per cent, from `wilson_interval`.
        found: In how many per cent of them the things were, whatever their number, colour, style
            and surroundings.
        ceiling: How often the judge is right about real scenes of the same prompts, in per cent.
        by_chance: How often it finds another prompt's things, in per cent: what its eagerness
            alone is worth.
    """

    group: str
    pictures: int
    right: float
    interval: tuple[float, float]
    found: float
    ceiling: float
    by_chance: float

    def to_dict(self) -> dict[str, object]:
        """Return the score as plain data."""
        return asdict(self)


def is_found(prompt: Prompt, sighting: Sighting) -> bool:
    """Whether all prompted things are in the picture; more may be."""
    return prompt.things <= sighting.things


def is_right(prompt: Prompt, sighting: Sighting) -> bool:
    """Whether all prompted things are in the picture, and all else is as prompted."""
    answers = (sighting.answers[name] == right for name, right in prompt.asked.items())
    return is_found(prompt, sighting) and all(answers)


def wilson_interval(hits: int, of: int) -> tuple[float, float]:
    """Return the 95% interval of a share, in per cent.

    Wilson's: unlike the usual one it holds for few pictures and near 0 and 100 per cent, too
    (https://doi.org/10.1080/01621459.1927.10502953).

    Args:
        hits: How many were right.
        of: How many there were, at least 1.
    """
    z = 1.96
    share = hits / of
    middle = share + z * z / (2 * of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 100.0 / (1 + z * z / of)
    return round(max(0.0, scale * (middle - reach)), 1), round(
        min(100.0, scale * (middle + reach)), 1
    )
