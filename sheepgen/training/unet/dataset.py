"""What the U-Net learns from: latents of scenes, what is where in them, and what captions say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from sheepgen.embedded.drawings import ChosenDrawings
from sheepgen.embedded.scene_text_encoder import LabelTensors
from sheepgen.training.data.captions import caption_labels
from sheepgen.training.data.dataset import CHUNK
from sheepgen.training.data.segmentation import target_token_maps
from sheepgen.training.processes import map_in_processes
from sheepgen.training.unet.attention_supervision import NOTHING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sheepgen.embedded.drawings import DrawingTable
    from sheepgen.embedded.scene_labels import SceneLabels
    from sheepgen.embedded.scene_text_encoder import SceneTextEncoder
    from sheepgen.training.data.dataset import Split
    from sheepgen.training.data.icons import IconStore
    from sheepgen.training.data.scene import Scene

__all__ = ["Batch", "Examples", "gather_examples"]


class Batch(NamedTuple):
    """Some examples.

    Args:
        latents: (examples, channels, height, width), float32, as the U-Net sees them.
        tokens: Conditioning tokens, (examples, tokens, width), float32.
        target_tokens: The memory token to attend to at each position, or `NOTHING`, (examples,
            height, width), int64.
    """

    latents: Tensor
    tokens: Tensor
    target_tokens: Tensor


@dataclass(frozen=True, slots=True)
class Examples:
    """Training scenes; all tensors are on one device.

    Args:
        latents: (examples, channels, height, width), as the U-Net sees them.
        target_tokens: (examples, height, width), int16; see `sheepgen.training.data.segmentation`.
        labels: What their captions say.
        text_encoder: Writes conditioning tokens from labels.
    """

    latents: Tensor
    target_tokens: Tensor
    labels: LabelTensors
    text_encoder: SceneTextEncoder

    def to(self, device: torch.device) -> Examples:
        """Return them on another device."""
        return replace(
            self,
            latents=self.latents.to(device),
            target_tokens=self.target_tokens.to(device),
            labels=LabelTensors(*(column.to(device) for column in self.labels)),
            text_encoder=self.text_encoder.to(device),
        )

    @torch.no_grad()
    def sample(self, count: int, empty_rate: float, rng: torch.Generator) -> Batch:
        """Return ``count`` random examples, the captions of some emptied.

        Args:
            count: How many.
            empty_rate: How many of them are emptied, on average.
            rng: Chooses; on the examples' device.
        """
        chosen = torch.randint(len(self.latents), (count,), generator=rng, device=rng.device)
        tokens = self.text_encoder(*(column[chosen] for column in self.labels))
        target_tokens = self.target_tokens[chosen].long()
        emptied = torch.rand(count, generator=rng, device=rng.device) < empty_rate
        tokens[emptied] = 0.0
        target_tokens[emptied] = NOTHING
        return Batch(self.latents[chosen].float(), tokens, target_tokens)


def gather_examples(
    split: Split,
    latents: Tensor,
    icons: IconStore,
    text_encoder: SceneTextEncoder,
    drawings: DrawingTable,
    *,
    processes: int | None = None,
) -> Examples:
    """Compute the labels of a split's scenes, and which token is to be attended to where.

    Args:
        split: Which scenes.
        latents: Theirs, in order.
        icons: What they are composed of.
        text_encoder: Its table holds the drawings.
        drawings: The rows of the table.
        processes: How many work at a time; all processors by default.
    """
    gather = partial(_gather_chunk, split, icons, drawings)
    maps, columns = [], []
    for map_chunk, labels, chosen in map_in_processes(
        gather, range(0, split.count, CHUNK), processes
    ):
        maps.append(torch.from_numpy(map_chunk))
        columns.append(text_encoder.label_tensors(labels, chosen))
    return Examples(
        latents=latents,
        target_tokens=torch.cat(maps),
        labels=LabelTensors(*(torch.cat(parts) for parts in zip(*columns, strict=True))),
        text_encoder=text_encoder,
    )


def _gather_chunk(
    split: Split, icons: IconStore, drawings: DrawingTable, first: int
) -> tuple[NDArray[np.int16], list[SceneLabels], list[ChosenDrawings]]:
    """Return target tokens, labels and drawings; no tensors: each would keep a file open."""
    # As many processes as processors: threads of their own would only wait.
    torch.set_num_threads(1)
    scenes = [split.scene(index) for index in range(first, first + split.chunk_size(first))]
    return (
        target_token_maps(scenes, icons).numpy(),
        [caption_labels(scene) for scene in scenes],
        [_drawings_of(scene, drawings) for scene in scenes],
    )


def _drawings_of(scene: Scene, drawings: DrawingTable) -> ChosenDrawings:
    """Return the drawings that a scene shows."""
    rows = tuple(drawings.rows_for(name, scene.style)[0] for name in scene.things)
    colours = (scene.colour, scene.other_colour)[: len(rows)]
    return ChosenDrawings(rows=rows, colours=colours, style=scene.style, mirrored=scene.mirrored)
