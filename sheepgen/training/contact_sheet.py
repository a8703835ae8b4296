"""The model card's contact sheet: pictures of some prompts of every group, with fixed seeds."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from PIL.Image import Resampling

from sheepgen.training.evaluation.evaluate import generate_images
from sheepgen.training.evaluation.prompts import prompt_groups
from sheepgen.training.image_grid import make_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from sheepgen.pipeline.family import LoadedModel
    from sheepgen.request import GenerationRequest

__all__ = ["contact_prompts", "make_contact_sheet"]

PROMPTS_PER_GROUP = 4
"""They are one row of the sheet."""


def contact_prompts() -> list[str]:
    """Return some prompts of each group, evenly spaced from the first on."""
    return [
        prompts[number * len(prompts) // PROMPTS_PER_GROUP].text
        for prompts in prompt_groups().values()
        for number in range(PROMPTS_PER_GROUP)
    ]


def make_contact_sheet(
    model: LoadedModel,
    settings: GenerationRequest,
    seeds: Sequence[int] = (0, 1, 2, 3),
    side: int = 96,
) -> Image:
    """Generate `contact_prompts`, each with the same seeds.

    Args:
        model: The model.
        settings: All settings but prompt and seed.
        seeds: The seeds of a prompt's pictures, from left to right.
        side: Pixels that each picture is reduced to.

    Returns:
        RGB, one row per group, each prompt below its pictures.
    """
    prompts = contact_prompts()
    small = (
        picture.resize((side, side), Resampling.LANCZOS, reducing_gap=3)
        for picture in generate_images(model, settings, prompts, seeds)
    )
    strips = [make_grid([*islice(small, len(seeds))], columns=len(seeds)) for _ in prompts]
    return make_grid(strips, prompts, columns=PROMPTS_PER_GROUP)
