"""The model card's contact sheet: what a model draws for some prompts of every group, unpicked."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from PIL.Image import Resampling

from sheepgen.training.evaluation.evaluate import generate_images
from sheepgen.training.evaluation.prompts import prompt_groups
from sheepgen.training.image_grid import contact_sheet
from sheepgen.training.samples import tile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

    from sheepgen.pipeline.family import Model
    from sheepgen.request import GenerationRequest

__all__ = ["contact_prompts", "draw_contact_sheet"]

A_GROUP = 4
"""How many prompts of each group; they make one row of the sheet."""


def contact_prompts() -> list[str]:
    """Return some prompts of each group: the first, and others at equal distances after it."""
    return [
        prompts[number * len(prompts) // A_GROUP].text
        for prompts in prompt_groups().values()
        for number in range(A_GROUP)
    ]


def draw_contact_sheet(
    model: Model,
    settings: GenerationRequest,
    seeds: Sequence[int] = (0, 1, 2, 3),
    side: int = 96,
) -> Image:
    """Draw `contact_prompts` with the same seeds each, a row a group.

    Args:
        model: Loaded.
        settings: Steps, guidance and all else but prompt and seed.
        seeds: Of a prompt's pictures, from left to right.
        side: Pixels that each picture is shrunk to.

    Returns:
        RGB, each prompt under its pictures.
    """
    prompts = contact_prompts()
    small = (
        picture.resize((side, side), Resampling.LANCZOS, reducing_gap=3)
        for picture in generate_images(model, settings, prompts, seeds)
    )
    strips = [tile([*islice(small, len(seeds))], columns=len(seeds)) for _ in prompts]
    return contact_sheet(strips, prompts, columns=A_GROUP, lines=1)
