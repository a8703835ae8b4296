"""Small pictures of an image that is still in the making, for a terminal to show.

Colours are nearly linear in the channels of latents. The map is fitted, before the first step, to a
chart of random colours that the model's own VAE encodes: no table of constants, and no decoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import interpolate

from sheepgen.pipeline.frames import colour_latents, latents_to_colours, to_pil

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from sheepgen.pipeline.family import Model

__all__ = ["Preview", "begin_preview"]

_SIDE = 256
_CELLS = (3, 7, 13, 27, 53)
"""Patches along a side: their edges are anywhere between positions of the latents."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Turns latents of one model into small pictures.

    Args:
        colours: What `latents_to_colours` returned.
    """

    colours: Tensor

    def picture(self, latents: Tensor) -> Image:
        """Return the picture of one image's latents, (1, channels, height, width).

        Returns:
            RGB, a pixel for each position.
        """
        return to_pil(colour_latents(latents, self.colours))[0]


@torch.inference_mode()
def begin_preview(model: Model) -> Preview:
    """Return what makes previews of a model's images, after encoding 256x256 pixels."""
    generator = torch.Generator("cpu").manual_seed(0)
    chart = _colour_chart(generator)
    latents = model.encode_image(chart, generator)
    return Preview(latents_to_colours(latents, chart * 0.5 + 0.5))


def _colour_chart(generator: torch.Generator) -> Tensor:
    """Return random colours in patches of several sizes, (1, 3, 256, 256), -1 to 1.

    Flat colours alone would not do: channels that carry edges hardly change in them, and so a fit
    to them would take any weight.
    """
    chart = torch.zeros(1, 3, _SIDE, _SIDE)
    for cells in _CELLS:
        patches = torch.rand((1, 3, cells, cells), generator=generator) * 2 - 1
        chart += interpolate(patches, size=(_SIDE, _SIDE), mode="nearest")
    return chart.clamp(-1, 1)
