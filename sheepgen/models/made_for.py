"""The range that a model was made for, and what requests ask of it outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.request import MAX_STEPS
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sheepgen.models.resolve import ModelSpec
    from sheepgen.request import GenerationRequest

__all__ = ["MadeFor", "outside_warnings"]

_MOST_LISTED = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeFor:
    """Where a model's pictures are good; it draws outside of it, too, but poorly.

    Args:
        guidance_scale: Lowest and highest, in diffusers' convention, where 1 and less is off.
        num_inference_steps: Fewest and most, with most schedulers.
        side: Shortest and longest width or height, in pixels.
        slower_schedulers: Short names of schedulers, with the fewest steps that they need here.
    """

    guidance_scale: tuple[float, float]
    num_inference_steps: tuple[int, int]
    side: tuple[int, int]
    slower_schedulers: tuple[tuple[str, int], ...] = ()

    @property
    def guidance(self) -> str:
        """The guidance in words."""
        return f"guidance {_span(*self.guidance_scale)}"

    @property
    def steps(self) -> str:
        """The steps in words."""
        fewest, most = self.num_inference_steps
        return f"{fewest} steps or more" if most == MAX_STEPS else f"{_span(fewest, most)} steps"

    @property
    def sides(self) -> str:
        """The sides in words."""
        return f"sides of {_span(*self.side)} pixels"


def outside_warnings(
    requests: Iterable[GenerationRequest], specs: Mapping[str, ModelSpec]
) -> tuple[str, ...]:
    """Return a line for each model that is asked for what it was not made for.

    Args:
        requests: With every field resolved.
        specs: Their models by name.
    """
    found: dict[str, dict[str, dict[str, None]]] = {}
    for request in requests:
        made_for = specs[request.model].made_for
        for clause, value in _outside(made_for, request) if made_for else ():
            found.setdefault(request.model, {}).setdefault(clause, {})[value] = None
    return tuple(
        f"Warning: {excerpt(model)} was made for "
        f"{'; '.join(f'{clause} {_listed([*values])}' for clause, values in clauses.items())}. "
        "Pictures may be poor."
        for model, clauses in found.items()
    )


def _outside(made_for: MadeFor, request: GenerationRequest) -> Iterator[tuple[str, str]]:
    """Yield what the model was made for, and what is asked for instead."""
    assert request.guidance_scale is not None
    assert request.num_inference_steps is not None
    assert request.width is not None
    assert request.height is not None
    low, high = made_for.guidance_scale
    if not low <= max(request.guidance_scale, 1.0) <= high:
        yield f"{made_for.guidance}, not", f"{request.guidance_scale:g}"
    fewest, most = made_for.num_inference_steps
    needed = dict(made_for.slower_schedulers).get(request.scheduler or "", fewest)
    if not fewest <= request.num_inference_steps <= most:
        yield f"{made_for.steps}, not", f"{request.num_inference_steps}"
    elif request.num_inference_steps < needed:
        clause = f"{needed} steps or more with {request.scheduler}, not"
        yield clause, f"{request.num_inference_steps}"
    shortest, longest = made_for.side
    if not all(shortest <= side <= longest for side in (request.width, request.height)):
        yield f"{made_for.sides}, not", f"{request.width}x{request.height}"


def _span(low: float, high: float) -> str:
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _listed(values: Sequence[str]) -> str:
    """Return values in a row; of many, the first few and how many more."""
    if len(values) > _MOST_LISTED:
        values = [*values[: _MOST_LISTED - 1], f"{len(values) - _MOST_LISTED + 1} more"]
    return " or ".join(filter(None, [", ".join(values[:-1]), values[-1]]))
