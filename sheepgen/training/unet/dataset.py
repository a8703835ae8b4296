"""What the U-Net learns from: latents of scenes, what is shown where, and what captions tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sheepgen.training.data.dataset import CHUNK
from sheepgen.training.data.segmentation import target_token_maps
from sheepgen.training.processes import map_in_processes
from sheepgen.training.text_encoder.conditioning_targets import Notes
from sheepgen.training.unet.attention_supervision import NOTHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sheepgen.training.data.dataset import Split
    from sheepgen.training.data.icons import IconStore
    from sheepgen.training.text_encoder.conditioning_targets import States

__all__ = ["Batch", "Examples", "gather_examples"]


class Batch(NamedTuple):
    """Some examples, as `Examples` describes them; states are float32, and slots int64."""

    latents: Tensor
    states: Tensor
    slots_shown: Tensor


@dataclass(frozen=True, slots=True)
class Examples:
    """Latents, what they show, and where it is that their captions name; all on one device.

    Args:
        latents: (examples, channels, height, width), as the U-Net sees them.
        slots_shown: (examples, height, width), int16; see `sheepgen.training.data.segmentation`.
        notes: What their captions tell.
        states: Writes it out for the U-Net.
    """

    latents: Tensor
    slots_shown: Tensor
    notes: Notes
    states: States

    def to(self, device: torch.device) -> Examples:
        """Return them on another device."""
        return replace(
            self,
            latents=self.latents.to(device),
            slots_shown=self.slots_shown.to(device),
            notes=self.notes.to(device),
        )

    def draw(self, count: int, empty_rate: float, rng: torch.Generator) -> Batch:
        """Return ``count`` examples, the captions of some emptied, so that these name nothing.

        Args:
            count: How many.
            empty_rate: How many of them are emptied, on average.
            rng: Chooses; on the examples' device.
        """
        chosen = torch.randint(len(self.latents), (count,), generator=rng, device=rng.device)
        states = self.states.written(self.notes.of(chosen))
        slots_shown = self.slots_shown[chosen].long()
        emptied = torch.rand(count, generator=rng, device=rng.device) < empty_rate
        states[emptied] = 0.0
        slots_shown[emptied] = NOTHING
        return Batch(self.latents[chosen].float(), states, slots_shown)


def gather_examples(
    split: Split,
    latents: Tensor,
    icons: IconStore,
    states: States,
    *,
    processes: int | None = None,
) -> Examples:
    """Find out what a split's scenes show and tell.

    Args:
        split: Which scenes.
        latents: Theirs, in order.
        icons: The icons that they are composed of.
        states: Knows the drawings' codes.
        processes: How many work at a time; all processors by default.
    """
    gather = partial(_gather_chunk, split, icons, states)
    chunks = [*map_in_processes(gather, range(0, split.count, CHUNK), processes)]
    shown, *notes = (torch.from_numpy(np.concatenate(part)) for part in zip(*chunks, strict=True))
    return Examples(latents=latents, slots_shown=shown, notes=Notes(*notes), states=states)


def _gather_chunk(split: Split, icons: IconStore, states: States, first: int) -> list[NDArray[Any]]:
    """Return what is shown and notes; as arrays, for each tensor would keep a file open."""
    # As many processes as processors: threads of their own would only wait.
    torch.set_num_threads(1)
    scenes = [split.scene(index) for index in range(first, first + split.chunk_size(first))]
    columns = (target_token_maps(scenes, icons), *states.noted(scenes))
    return [column.numpy() for column in columns]
