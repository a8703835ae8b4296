"""Warnings about settings without effect, and outside the range that a model was made for."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from sheepgen.fields import FIELDS, MAX_SIDE
from sheepgen.guidance_interval import ALL_STEPS, guided_steps
from sheepgen.models.added.embedding import find_embedding
from sheepgen.models.branching import branch_warnings
from sheepgen.models.families import readers_of_fields
from sheepgen.passes import PRIOR
from sheepgen.prompt_syntax import marks_in
from sheepgen.request import DEFAULTS
from sheepgen.sanitize import excerpt, joined, plural
from sheepgen.schedulers import SCHEDULERS, timesteps_taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sheepgen.models.family import MadeFor
    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import ModelReference
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["outside_warnings"]

_MOST_LISTED = 6

_CONDITIONAL_FIELDS = tuple(each for each in FIELDS.values() if each.needs or each.needs_guidance)


def outside_warnings(
    requests: Iterable[ResolvedRequest], specs: Mapping[ModelReference, ModelSpec]
) -> tuple[str, ...]:
    """Return warnings about settings without effect, and outside the range a model was made for.

    Args:
        requests: Any number.
        specs: Their models.
    """
    requests = tuple(requests)
    found: dict[str, dict[str, dict[str, None]]] = {}
    idle: dict[str, None] = {}
    has_seed, has_strength = False, False
    for request in requests:
        has_seed |= request.variation_seed is not None
        has_strength |= request.variation_strength > 0
        spec = specs[request.model_reference]
        idle |= dict.fromkeys(branch_warnings(request))
        for leg in request.legs:
            idle |= dict.fromkeys(_without_effect(leg.request, spec))
        if spec.checkpoint.assumption:
            idle[f"Warning: {spec.checkpoint.assumption}"] = None
        made_for = spec.made_for
        outside = (_outside(made_for, leg.request) for leg in request.legs) if made_for else ()
        for clause, value in chain.from_iterable(outside):
            found.setdefault(request.model, {}).setdefault(clause, {})[value] = None
    # One image of a sweep may have strength 0 beside others that have more.
    if has_seed and not has_strength:
        idle["Warning: variation seed has no effect without a variation strength."] = None
    poor = (
        f"Warning: {excerpt(model)} was made for "
        f"{'; '.join(f'{clause} {_listed([*values])}' for clause, values in clauses.items())}. "
        "Images may be poor."
        for model, clauses in found.items()
    )
    return (*idle, *_idle_adapters(requests, specs), *poor)


def _without_effect(request: ResolvedRequest, spec: ModelSpec) -> Iterator[str]:
    """Yield a warning for each field that the scheduler or the model makes no use of."""
    of_others = {
        name: families
        for name, families in readers_of_fields().items()
        if name not in spec.family.fields
    }
    for name, families in of_others.items():
        if getattr(request, name) != DEFAULTS[name]:
            yield (
                f"Warning: {_idle(FIELDS[name].label)} with {excerpt(request.model)}; "
                f"{_it_is(FIELDS[name].label)} for {joined(families, 'and')}."
            )
    if not spec.family.reads_prompt and request.prompt:
        yield f"Warning: prompt has no effect with {excerpt(request.model)}; it reads none."
    if "upscaler" in spec.family.fields and not request.upscaler:
        for name in ("upscaler_steps", "upscaler_guidance", "upscaler_noise"):
            if getattr(request, name) is not None:
                yield f"Warning: {_idle(FIELDS[name].label)} without an upscaler."
    if spec.guidance == "none" and request.guidance_scale > 1:
        why = "was distilled to do without" if spec.family.reads_prompt else "reads no prompt"
        yield f"Warning: guidance has no effect with {excerpt(request.model)}; it {why}."
    longest = spec.made_for.side[1] if spec.made_for else MAX_SIDE
    if request.hires and spec.family.has_one_scale and max(request.final_size) > longest:
        yield (
            f"Warning: {excerpt(request.model)} was made for sides of at most {longest} pixels. A "
            "larger second pass may show things several times."
        )
    if 1 < request.clip_skip <= spec.family.text_layer:
        yield (
            f"Warning: clip skip {request.clip_skip} has no effect with {excerpt(request.model)}; "
            "it reads that layer anyway."
        )
    if "prompt_syntax" in spec.family.fields and not request.prompt_format.has_marks:
        for name in ("prompt", "negative_prompt"):
            if form := marks_in(getattr(request, name)):
                yield (
                    f"Warning: the {FIELDS[name].label} contains {form}, which is read literally; "
                    "--prompt-syntax a1111 reads it as AUTOMATIC1111 does."
                )
    for each in _CONDITIONAL_FIELDS:
        if each.name in of_others or getattr(request, each.name) == DEFAULTS[each.name]:
            continue
        if each.name in spec.unread:
            yield f"Warning: {_idle(each.label)} with {excerpt(request.model)}."
            continue
        if not each.has_effect(request.scheduler):
            users = [scheduler for scheduler in SCHEDULERS if each.has_effect(scheduler)]
            yield (
                f"Warning: {_idle(each.label)} with {request.scheduler}; "
                f"{_it_is(each.label)} for {joined(users, 'and')}."
            )
        is_read = each.name == "negative_prompt" and _prior_reads_it(request, spec)
        if each.needs_guidance and not is_read and not _runs_twice(request, spec):
            yield f"Warning: {_idle(each.label)} {_why_once(request, spec)}."
    if request.guidance_interval != ALL_STEPS and _runs_twice(request, spec):
        yield from _idle_interval(request)


def _idle_interval(request: ResolvedRequest) -> Iterator[str]:
    """Yield a warning if all steps of the model's own network are guided, or none."""
    text = request.guidance_interval
    totals = [
        timesteps_taken(each.scheduler, each.num_inference_steps, each.steps)
        for each in request.passes
        if not each.stage
    ]
    guided = sum(len(guided_steps(text, total)) for total in totals)
    if guided == sum(totals):
        yield (
            f"Warning: guidance interval {text} has no effect: all of "
            f"{plural(sum(totals), 'step')} are in it."
        )
    elif not guided:
        yield (
            f"Warning: guidance has no effect: none of {plural(sum(totals), 'step')} is in the "
            f"interval {text}."
        )


def _idle(label: str) -> str:
    return f"{label} {'have' if _is_plural(label) else 'has'} no effect"


def _it_is(label: str) -> str:
    return "they are" if _is_plural(label) else "it is"


def _is_plural(label: str) -> bool:
    return label.endswith("steps")


def _prior_reads_it(request: ResolvedRequest, spec: ModelSpec) -> bool:
    """Return whether a prior reads the negative prompt.

    Kandinsky's makes a picture of it to stay away from, however it is guided.
    """
    assert request.stages != PRIOR or request.prior_guidance is not None, "it is resolved"
    return request.stages == PRIOR and (spec.family.own_loop or (request.prior_guidance or 0) > 1)


def _runs_twice(request: ResolvedRequest, spec: ModelSpec) -> bool:
    """Return whether the network runs without the prompt, too."""
    if spec.guidance == "two passes":
        return request.guidance_scale > 1
    return "true_cfg" in spec.family.fields and request.true_cfg > 1


def _why_once(request: ResolvedRequest, spec: ModelSpec) -> str:
    if spec.guidance == "two passes":
        return "with guidance 1 or less"
    if "true_cfg" in spec.family.fields:
        return f"with {excerpt(request.model)} and true cfg 1"
    return f"with {excerpt(request.model)}; it is for models that run with and without the prompt"


def _idle_adapters(
    requests: Iterable[ResolvedRequest], specs: Mapping[ModelReference, ModelSpec]
) -> list[str]:
    """Return a warning for everything that is added and changes none of the images."""
    used: dict[str, bool] = {}
    for request in requests:
        for path, scale in request.adapters.loras:
            warning = f"Warning: the LoRA {excerpt(path, 200)} has no effect at scale 0."
            used[warning] = used.get(warning, False) or scale != 0
        for path in request.adapters.embeddings:
            token = find_embedding(path, specs[request.model_reference].checkpoint).token
            warning = (
                f"Warning: the embedding {excerpt(path, 200)} has no effect: no prompt contains "
                f"its token, {excerpt(token)}."
            )
            texts = [f"{each.prompt} {each.negative_prompt}" for _, each in request.legs]
            is_used = any(token.casefold() in text.casefold() for text in texts)
            used[warning] = used.get(warning, False) or is_used
    return [warning for warning, has_effect in used.items() if not has_effect]


def _outside(made_for: MadeFor, request: ResolvedRequest) -> Iterator[tuple[str, str]]:
    """Yield what the model was made for, and what is requested instead."""
    low, high = made_for.guidance_scale
    if not low <= max(request.guidance_scale, 1.0) <= high:
        yield f"{made_for.guidance}, not", f"{request.guidance_scale:g}"
    fewest, most = made_for.num_inference_steps
    needed = dict(made_for.slower_schedulers).get(request.scheduler, fewest)
    if not fewest <= request.num_inference_steps <= most:
        yield f"{made_for.steps}, not", f"{request.num_inference_steps}"
    elif request.num_inference_steps < needed:
        clause = f"{needed} steps or more with {request.scheduler}, not"
        yield clause, f"{request.num_inference_steps}"
    shortest, longest = made_for.side
    if not all(shortest <= side <= longest for side in (request.width, request.height)):
        yield f"{made_for.sides}, not", f"{request.width}x{request.height}"


def _listed(values: Sequence[str]) -> str:
    """Join values with commas; of many, only the first few and how many more."""
    if len(values) > _MOST_LISTED:
        values = [*values[: _MOST_LISTED - 1], f"{len(values) - _MOST_LISTED + 1} more"]
    return joined(values, "or")
