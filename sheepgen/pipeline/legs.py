"""The stretches of a batch's steps in which nothing changes: one, unless the images branch.

A generator goes on from one leg to the next, so that a change of the prompt changes nothing that is
random; where the seed changes, another one begins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.passes import Pass
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["BatchLeg", "leg_of_pass", "plan_legs"]


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
