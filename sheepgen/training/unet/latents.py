"""The training scenes as latents on disk: painted, encoded, and their pictures let go.

A folder holds chunks: ``000000.npz`` the first `CHUNK` scenes, and so on. So an encoding that was
stopped resumes, and more scenes can be added to those that are there.
"""

from __future__ import annotations

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

__all__ = ["encode_scenes", "load_latents"]


def encode_scenes(
    split: Split,
    icons: IconStore,
    vae: AutoencoderTiny,
    folder: Path,
    device: torch.device,
    *,
    processes: int | None = None,
) -> Iterator[TrainStep]:
    """Paint and encode the chunks that are missing, and yield a step per chunk.

    Args:
        split: Which scenes.
        icons: What scenes are composed of.
        vae: Its encoder is used.
        folder: Where they are kept.
        device: Where to encode.
        processes: How many paint at a time; all processors by default.
    """
    starts = range(0, split.count, CHUNK)
    missing = [
        first for first in starts if _encoded(_path(folder, first)) < split.chunk_size(first)
    ]
    painted = paint_chunks(split, icons, missing, processes)
    for done, (first, pictures) in enumerate(painted, start=len(starts) - len(missing) + 1):
        latents = torch.cat([*encode_pictures(vae, pictures, device)])
        with atomic_write(_path(folder, first)) as partial, partial.open("wb") as file:
            np.savez(file, latents=latents.half().numpy())
        yield TrainStep(stage="latents", step=done, total_steps=len(starts))


def load_latents(folder: Path, count: int) -> Tensor:
    """Return the first ``count`` latents, (count, channels, height, width), float16.

    Raises:
        ModelError: If they have not all been encoded.
    """
    if not all(_path(folder, first).exists() for first in range(0, count, CHUNK)):
        raise ModelError(
            f"Not all of the {count} scenes are encoded.", "Run the stage latents first."
        )
    latents = torch.empty(0, dtype=torch.half)
    for first in range(0, count, CHUNK):
        with np.load(_path(folder, first)) as file:
            chunk = torch.from_numpy(file["latents"])
        # Filled in place, for together they are gigabytes.
        if not first:
            latents = chunk.new_empty(count, *chunk.shape[1:])
        latents[first : first + CHUNK] = chunk[: count - first]
    return latents


def _path(folder: Path, first: int) -> Path:
    """Return the file of the chunk that begins with scene ``first``."""
    return folder / f"{first:06d}.npz"


def _encoded(chunk: Path) -> int:
    """Return how many scenes a file holds."""
    if not chunk.exists():
        return 0
    with np.load(chunk) as file:
        return len(file["latents"])
