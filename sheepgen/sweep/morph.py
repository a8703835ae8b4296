"""A morph: the images of a sweep on a path through prompts and seeds, in place of all combinations.

    a sheep                            stop 1, as `sheepgen "a sheep"` makes it
    0.75 a sheep + 0.25 a motorcycle   stops in between: blends of the prompts
    …
    a motorcycle                       the last stop

Between two seeds the stops are variations: their noise is blended by
`sheepgen.pipeline.noise.slerp`. Every prompt and every seed is itself a stop, an ordinary image
without blend or variation; the stops between are spread as evenly as whole numbers allow. If there
are several of both, both paths take as many stops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.blend import WeightedPrompt, blend_to_text
from sheepgen.errors import UsageError
from sheepgen.presets import Presets
from sheepgen.schedulers import SCHEDULERS
from sheepgen.sweep.grid import AXES, Axis, Cell, Grid, axis_label, request_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import GenerationRequest, ModelReference
    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.sweep.grid import Value

__all__ = ["MAX_STOPS", "STOP", "along_path", "morph_warnings", "named_by"]

MAX_STOPS = 500

STOP = "stop"
"""Name of the only axis."""

_DECIMALS = 4
"""Of the shares; so two that add up to 1 do so as they are written."""

_ON_THE_PATH = ("blend", "variation_seed", "variation_strength")
"""Fields that the path sets."""


def along_path(
    values: Mapping[str, Sequence[Value]], stops: int, presets: Presets | None = None
) -> Grid[GenerationRequest]:
    """Return the stops of a morph.

    Args:
        values: As `sheepgen.sweep.grid.combine` takes them: several prompts, seeds or both, in the
            order of the path, and one value of everything else.
        stops: How many images, at most `MAX_STOPS`.
        presets: Names that the model and LoRAs among the values may have.

    Raises:
        UsageError: If a request is wrong, nothing changes along the path, anything else has several
            values, or there are fewer stops than prompts or seeds.
    """
    prompts, seeds = values.get("prompt", [""]), values["seed"]
    rest = {name: each for name, each in values.items() if name not in ("prompt", "seed")}
    _check_path(prompts, seeds, rest, stops)
    fields = {name: each for name, (each,) in rest.items()}
    requests = [
        request_of({**fields, **_prompt_at(*prompt), **_seed_at(*seed)}, presets or Presets())
        for prompt, seed in zip(_stops(prompts, stops), _stops(seeds, stops), strict=True)
    ]
    labels = tuple(
        axis_label(f"{number}: {_words(each, seeds)}") for number, each in enumerate(requests, 1)
    )
    return Grid(
        axes=(Axis(name=STOP, values=labels, labels=labels),),
        cells=tuple(
            Cell(request=request, coordinates=(place,)) for place, request in enumerate(requests)
        ),
    )


def named_by(values: Mapping[str, Sequence[Value]]) -> dict[str, Sequence[Value]]:
    """Return values with those that the path sets, for `sheepgen.sweep.names.readable_names`."""
    varied = len(values["seed"]) > 1
    return {**values, **({"variation_seed": (0,), "variation_strength": (0.5,)} if varied else {})}


def morph_warnings(
    requests: Iterable[ResolvedRequest], specs: Mapping[ModelReference, ModelSpec]
) -> tuple[str, ...]:
    """Return a warning if the images of a path through seeds jump where one is reached, and why.

    Args:
        requests: Of all stops.
        specs: Their models.
    """
    reasons: dict[str, None] = {}
    for request in requests:
        if not request.variation_strength:
            continue
        scheduler = SCHEDULERS.get(request.scheduler)
        if specs[request.model_reference].family.vocabulary is not None:
            reasons["the seed also picks the model's drawings"] = None
        elif scheduler is not None and scheduler.draws_noise(request.eta):
            name = request.scheduler
            reasons[f"{name} adds noise by the seed at each step (euler adds none)"] = None
    return tuple(
        f"Warning: {reason}, so the images change abruptly at each seed of the path."
        for reason in reasons
    )


def _check_path(
    prompts: Sequence[Value],
    seeds: Sequence[Value],
    rest: Mapping[str, Sequence[Value]],
    stops: int,
) -> None:
    for name, each in rest.items():
        if name in _ON_THE_PATH and any(each):
            raise UsageError(
                f"{AXES[name]} is set by the path of a morph.",
                "Leave it out; give several prompts, or several seeds.",
            )
        if len(each) > 1:
            raise UsageError(
                f"{AXES[name]} has {len(each)} values; a morph changes only prompts and seeds.",
                "Give one value, or run several morphs.",
            )
    if len({*prompts}) == len({*seeds}) == 1:
        raise UsageError(
            "A morph needs two different prompts or seeds.",
            "For example: sheepgen morph 'a sheep' 'a motorcycle', or --seeds 1,2.",
        )
    fewest = max(len(prompts), len(seeds))
    if not fewest <= stops <= MAX_STOPS:
        raise UsageError(
            f"stops must be between {fewest}, the number of prompts or seeds, and {MAX_STOPS}, "
            f"got {stops}."
        )


def _stops(values: Sequence[Any], stops: int) -> Iterator[tuple[Any, Any, float]]:
    """Yield for each stop the value before it, the one after it, and the share of that, below 1.

    Value k of n is at stop round(k * (stops - 1) / (n - 1)), all counted from 0.
    """
    if len(values) == 1:
        yield from [(values[0], None, 0.0)] * stops
        return
    parts, last = len(values) - 1, stops - 1
    at = [(2 * k * last + parts) // (2 * parts) for k in range(len(values))]
    for k in range(parts):
        length = at[k + 1] - at[k]
        for place in range(length):
            yield values[k], values[k + 1], round(place / length, _DECIMALS)
    yield values[-1], None, 0.0


def _prompt_at(prompt: str, following: str, share: float) -> dict[str, str]:
    if not share or prompt == following:
        return {"prompt": prompt}
    both = WeightedPrompt(prompt, round(1 - share, _DECIMALS)), WeightedPrompt(following, share)
    return {"prompt": "", "blend": blend_to_text(both)}


def _seed_at(seed: int, following: int, share: float) -> dict[str, int | float]:
    if not share or seed == following:
        return {"seed": seed}
    return {"seed": seed, "variation_seed": following, "variation_strength": share}


def _words(request: GenerationRequest, seeds: Sequence[Value]) -> str:
    """Return what a stop shows, as far as it differs from others."""
    words = [request.prompt] if request.prompt else []
    if request.variation_strength:
        share = f"{request.variation_strength:g} of seed {request.variation_seed}"
        words.append(f"seed {request.seed} + {share}")
    elif len(seeds) > 1:
        words.append(f"seed {request.seed}")
    return ", ".join(words)
