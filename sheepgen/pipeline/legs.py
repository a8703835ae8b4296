"""The stretches of a batch's steps in which nothing changes: one, unless the images branch.

Guidance that holds for a part of the steps alone makes further ones.

A generator goes on from one leg to the next, so that a change of the prompt changes nothing that is
random; where the seed changes, another one begins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from sheepgen.guidance_interval import guided_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.models.family import GuidanceKind
    from sheepgen.passes import Pass
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["BatchLeg", "guided_legs", "leg_of_pass", "plan_legs"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchLeg:
    """Steps of one or more images in which nothing changes, as in `sheepgen.resolved_request.Leg`.

    Args:
        steps_before: Scheduler steps of all passes before it.
        requests: What is asked for in it.
        generators: On the CPU, one for each image; those of the leg before unless seeds change.
    """

    steps_before: int
    requests: Sequence[ResolvedRequest]
    generators: Sequence[torch.Generator]


def plan_legs(requests: Sequence[ResolvedRequest]) -> list[BatchLeg]:
    """Return the legs of a batch; an image's generator goes on until its seed changes."""
    legs: list[BatchLeg] = []
    for own in zip(*(request.legs for request in requests), strict=True):
        before = legs[-1] if legs else None
        legs.append(
            BatchLeg(
                steps_before=own[0].steps_before,
                requests=[leg.request for leg in own],
                generators=[
                    before.generators[number]
                    if before and before.requests[number].seed == leg.request.seed
                    else torch.Generator("cpu").manual_seed(leg.request.seed)
                    for number, leg in enumerate(own)
                ],
            )
        )
    return legs


def leg_of_pass(number: int, leg: BatchLeg) -> BatchLeg:
    """Return a leg with its requests as the network of a pass is to read them.

    Args:
        number: Of the pass, from 0.
        leg: From `plan_legs`.
    """
    requests = [_request_of(request.passes[number], request) for request in leg.requests]
    return replace(leg, requests=requests)


def guided_legs(legs: Sequence[BatchLeg], steps: range, kind: GuidanceKind) -> list[BatchLeg]:
    """Return the legs of a pass, cut where guidance begins and ends.

    Args:
        legs: Of the pass; the first may have begun before it.
        steps: Of the pass, as numbers among those of all passes, from 0.
        kind: How its network is guided.
    """
    share = guided_steps(legs[0].requests[0].guidance_interval, len(steps))
    guided = steps[share.start : share.stop]
    cut: list[BatchLeg] = []
    ends = [max(leg.steps_before, steps.start) for leg in legs] + [steps.stop]
    for leg, (first, end) in zip(legs, pairwise(ends), strict=True):
        inner = {guided.start, guided.stop} & {*range(first + 1, end)}
        for start in sorted({first} | inner):
            requests = leg.requests
            if start not in guided:
                requests = [_unguided(request, kind) for request in requests]
            cut.append(replace(leg, steps_before=start, requests=requests))
    return cut


def _unguided(request: ResolvedRequest, kind: GuidanceKind) -> ResolvedRequest:
    """Return a request without a second pass; a network that reads the scale goes on with it."""
    request = replace(request, true_cfg=1.0)
    return replace(request, guidance_scale=1.0) if kind == "two passes" else request


def _request_of(each: Pass, request: ResolvedRequest) -> ResolvedRequest:
    """Return a request as the network of a pass is to read it."""
    if each.makes_picture:
        request = replace(request, width=each.width, height=each.height)
    if each.stage:  # it starts from no picture
        request = replace(request, image=None, strength=None, mask=None, fit=None)
    return replace(
        request,
        num_inference_steps=each.num_inference_steps,
        guidance_scale=each.guidance_scale,
        scheduler=each.scheduler,
    )
