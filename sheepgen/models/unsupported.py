"""Families of models that do not run yet, by the names that users and models have for them.

They are refused by name. The row of a family goes when it gets one in `sheepgen.models.families`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["unsupported_family_of_class", "unsupported_family_of_name"]


@dataclass(frozen=True, slots=True)
class _Family:
    """A family of models that does not run yet, and is refused by name.

    Args:
        name: What it is called.
        class_start: How the names of its pipeline classes begin in diffusers, a regular expression.
        short_names: How names begin by which people ask for it: letters and digits only.
        repositories: How the names of its best known repositories begin on the Hub.
    """

    name: str
    class_start: str
    short_names: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()


_FAMILIES = (
    _Family("Anima", "AnimaModular", ("anima",)),
    _Family("DeepFloyd IF for repainting", "IFInpainting"),
    _Family(
        "FLUX.1 for pictures in the prompt",
        "FluxKontext",
        ("fluxkontext", "flux1kontext"),
        ("black-forest-labs/flux.1-kontext",),
    ),
    _Family("FLUX.1 with control", "FluxControl", (), ("black-forest-labs/flux.1-canny",)),
    _Family("FLUX.1 Fill", "FluxFill", ("fluxfill",), ("black-forest-labs/flux.1-fill",)),
    _Family("FLUX.3", "Flux3", ("flux3",), ("black-forest-labs/flux.3",)),
    _Family("GLM-Image", "GlmImage", ("glmimage",), ("zai-org/glm-image",)),
    _Family("Helios, for films", "Helios", ("helios",)),
    _Family(
        "Kandinsky 2.1",
        "Kandinsky(Combined)?Pipeline",
        ("kandinsky21",),
        ("kandinsky-community/kandinsky-2-1",),
    ),
    _Family("Kandinsky 5", "Kandinsky5", ("kandinsky5",), ("kandinskylab/",)),
    _Family("Kolors", "Kolors", ("kolors",)),
    _Family("Latent Diffusion for larger pictures", "LDMSuper"),
    _Family("PRX on pixels", "PRXPixel", ("prxpixel",)),
    _Family(
        "Qwen-Image for editing", "QwenImageEdit", ("qwenimageedit",), ("qwen/qwen-image-edit",)
    ),
    _Family("Qwen-Image in layers", "QwenImageLayered", (), ("qwen/qwen-image-layered",)),
    _Family("Sana-Sprint", "SanaSprint", ("sanasprint",), ("efficient-large-model/sana_sprint",)),
    _Family("Sana-Video", "SanaVideo", ("sanavideo",), ("efficient-large-model/sana-video",)),
    _Family("Sana with control", "SanaControlNet"),
    _Family("Stable Diffusion 3 with control", "StableDiffusion3ControlNet"),
    _Family("unCLIP", "UnCLIP"),
    _Family("Z-Image for pictures in the prompt", "ZImageOmni"),
    _Family("a model with control", ".*Control"),
    _Family("a model with perturbed-attention guidance", ".*PAG"),
)


def unsupported_family_of_class(class_name: str) -> str | None:
    """Return the name of the unsupported family that a diffusers pipeline is of, if it is."""
    for family in _FAMILIES:
        if re.match(family.class_start, class_name):
            return family.name
    return None


def unsupported_family_of_name(name: str) -> str | None:
    """Return the name of the unsupported family that a model's name stands for, if it is of one.

    Args:
        name: A repository of the Hub, only the best known of which are recognised, or
            a name like those that other programs have for models.
    """
    lower = name.casefold()
    is_repository = "/" in name
    asked = lower if is_repository else "".join(filter(str.isalnum, lower))
    for family in _FAMILIES:
        if asked.startswith(family.repositories if is_repository else family.short_names):
            return family.name
    return None
