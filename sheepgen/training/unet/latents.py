"""The training scenes as latents on disk: painted, encoded, and their pictures let go.

Chunks are files of their own, so a stopped encoding goes on where it was, and more scenes can be
added to those that are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sheepgen.errors import ModelError
from sheepgen.training.atomic_write import atomic_write
from sheepgen.training.data.dataset import CHUNK, paint_chunks
from sheepgen.training.trainer import TrainStep
from sheepgen.training.vae import encode_pictures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from diffusers import AutoencoderTiny

    from sheepgen.training.data.dataset import Split
    from sheepgen.training.data.icons import IconStore

__all__ = ["LatentStore", "encode_split"]


@dataclass(frozen=True, slots=True)
class LatentStore:
    """A folder of chunks: ``000000.npz`` holds the first `CHUNK` scenes, and so on.

    It bears the name of the phase that fills it.
    """

    folder: Path

    def path(self, first: int) -> Path:
        """Return the file of the chunk that begins with scene ``first``."""
        return self.folder / f"{first:06d}.npz"

    def holds(self, first: int, count: int) -> bool:
        """Return whether ``count`` scenes from ``first`` on are in that scene's chunk."""
        if not self.path(first).exists():
            return False
        with np.load(self.path(first)) as chunk:
            return len(chunk["latents"]) >= count

    def save(self, first: int, latents: Tensor) -> None:
        """Write a chunk atomically."""
        with atomic_write(self.path(first)) as partial, partial.open("wb") as file:
            np.savez(file, latents=latents.half().numpy())

    def load(self, count: int) -> Tensor:
        """Return the first ``count`` latents, (count, channels, height, width), float16.

        Raises:
            ModelError: If they have not all been encoded.
        """
        if not all(self.path(first).exists() for first in range(0, count, CHUNK)):
            raise ModelError(
                f"Not all of the {count} scenes are encoded.",
                f"Run the stage {self.folder.name} first.",
            )
        latents = torch.empty(0, dtype=torch.half)
        for first in range(0, count, CHUNK):
            with np.load(self.path(first)) as file:
                chunk = torch.from_numpy(file["latents"])
            # Filled in place, for together they are gigabytes.
            if not first:
                latents = chunk.new_empty(count, *chunk.shape[1:])
            latents[first : first + CHUNK] = chunk[: count - first]
        return latents


def encode_split(
    split: Split,
    drawings: IconStore,
    vae: AutoencoderTiny,
    store: LatentStore,
    device: torch.device,
    *,
    processes: int | None = None,
) -> Iterator[TrainStep]:
    """Paint and encode the chunks that are missing, and yield a step a chunk.

    Args:
        split: Which scenes.
        drawings: What scenes are composed of.
        vae: Its encoder is used.
        store: Where they go.
        device: Where to encode.
        processes: How many paint at a time; all processors by default.
    """
    starts = range(0, split.count, CHUNK)
    missing = [first for first in starts if not store.holds(first, split.chunk_size(first))]
    painted = paint_chunks(split, drawings, missing, processes)
    for done, (first, pictures) in enumerate(painted, start=len(starts) - len(missing) + 1):
        store.save(first, torch.cat([*encode_pictures(vae, pictures, device)]))
        yield TrainStep(stage=store.folder.name, step=done, total_steps=len(starts))
