"""The passes of an image through the denoising loop: which network, at which size, how many steps.

Most images are one pass. A second one goes over what the first made, upscaled (`sheepgen.hires`).
Models of several stages (https://arxiv.org/abs/2204.06125) have a network for each pass: a prior
makes of the prompt what describes a picture, and the model's own network makes a picture of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sheepgen.hires import parse_hires
from sheepgen.schedulers import steps_taken

if TYPE_CHECKING:
    from sheepgen.request import ResolvedRequest

__all__ = ["PRIOR", "Pass", "passes_of"]

PRIOR = "prior"
"""The stage that makes an embedding of a picture, for the network that makes the picture."""

_STAGE_SCHEDULER = "ddpm"
"""Samples all stages but the one that a scheduler can be chosen for, as they were trained."""


class Pass(NamedTuple):
    """One way through the denoising loop.

    Args:
        stage: Name of the network that denoises; empty for the model's own, which makes pictures.
        width: Of the picture that it makes, in pixels; 0 if it makes none.
        height: Likewise.
        steps: How many are taken: the last ones of the schedule, where it starts from a picture.
        num_inference_steps: Of the whole schedule.
        guidance_scale: In diffusers' convention, where 1 is off.
        scheduler: A short name.
    """

    stage: str
    width: int
    height: int
    steps: int
    num_inference_steps: int
    guidance_scale: float
    scheduler: str

    @property
    def makes_picture(self) -> bool:
        """Whether what it makes can be seen."""
        return self.width > 0


def passes_of(request: ResolvedRequest) -> tuple[Pass, ...]:
    """Return the passes of an image, in their order."""
    steps = request.num_inference_steps
    own = Pass(
        stage="",
        width=request.width,
        height=request.height,
        steps=steps_taken(steps, request.strength),
        num_inference_steps=steps,
        guidance_scale=request.guidance_scale,
        scheduler=request.scheduler,
    )
    passes = [own]
    if request.stages == PRIOR:
        assert request.prior_steps is not None, "the model's own is filled in"
        assert request.prior_guidance is not None, "likewise"
        prior = own._replace(
            stage=PRIOR,
            width=0,
            height=0,
            steps=request.prior_steps,
            num_inference_steps=request.prior_steps,
            guidance_scale=request.prior_guidance,
            scheduler=_STAGE_SCHEDULER,
        )
        passes = [prior, own]
    hires = parse_hires(request.hires)
    if hires and request.hires_width is not None and request.hires_height is not None:
        second = own._replace(
            width=request.hires_width,
            height=request.hires_height,
            steps=steps_taken(steps, hires.strength),
        )
        passes.append(second)
    return tuple(passes)
