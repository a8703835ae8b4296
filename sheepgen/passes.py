"""The passes of an image through the denoising loop: which network, at which size, how many steps.

Most images are one pass. A second one goes over what the first made, upscaled (`sheepgen.hires`).
Models of several stages have a network for each pass: a prior makes of the prompt what describes a
picture (https://arxiv.org/abs/2204.06125), for the model's own network; an upscaler makes of its
picture a larger one (https://arxiv.org/abs/2205.11487).
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PRIOR", "STAGE_SCHEDULER", "UPSCALER", "Pass"]

PRIOR = "prior"
"""The stage that makes an embedding of a picture, for the network that makes the picture."""

UPSCALER = "upscaler"
"""The stage that makes a larger picture of the one that the model's own network made."""

STAGE_SCHEDULER = "ddpm"
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
