"""Whether a request can change where it says it does (`sheepgen.branch`), and to what effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.branch import parse_branch
from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt, plural
from sheepgen.schedulers import OWN_SCHEDULER, SCHEDULERS, timesteps_taken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["branch_warnings", "check_branch", "check_step"]


def check_branch(request: ResolvedRequest) -> None:
    """Check that a request's changes come between its steps, and that it has one stage.

    Raises:
        UsageError: If not.
    """
    for change in parse_branch(request.branch):
        check_step(request, change.step)


def check_step(request: ResolvedRequest, step: int) -> None:
    """Check that a request has one stage, and a step after this one.

    Raises:
        UsageError: If not.
    """
    if request.stages:
        raise UsageError(
            f"{excerpt(request.model)} works in two stages; only models of one can branch.",
            "Leave out --branch.",
        )
    if request.scheduler == OWN_SCHEDULER:
        raise UsageError(
            f"{excerpt(request.model)} runs in diffusers' own loop, where nothing can change.",
            "Branch an image of another model.",
        )
    total = sum(_timesteps_by_pass(request))
    if not 1 <= step < total:
        raise UsageError(
            f"Nothing can change after step {step}: the image has {plural(total, 'step')}.",
            f"Branch at a step between 1 and {total - 1}." if total > 1 else "Take more --steps.",
        )


def branch_warnings(request: ResolvedRequest) -> Iterator[str]:
    """Yield a warning for each change that changes nothing."""
    before = request.legs[0].request
    for change, leg in zip(parse_branch(request.branch), request.legs[1:], strict=True):
        if leg.request == before:
            yield f"Warning: nothing changes after step {change.step}: the image stays as it was."
        elif leg.request.seed != before.seed and not _draws_noise_after(change.step, leg.request):
            yield (
                f"Warning: the seed {leg.request.seed} has no effect after step {change.step}: "
                f"{request.scheduler} adds no noise on the way."
            )
        before = leg.request


def _timesteps_by_pass(request: ResolvedRequest) -> list[int]:
    return [
        timesteps_taken(each.scheduler, each.num_inference_steps, each.steps)
        for each in request.passes
    ]


def _draws_noise_after(step: int, request: ResolvedRequest) -> bool:
    """Return whether anything random comes after a step: in its steps, or with a further pass."""
    first = _timesteps_by_pass(request)[0]
    return SCHEDULERS[request.scheduler].draws_noise(request.eta) or (
        bool(request.hires) and step <= first
    )
