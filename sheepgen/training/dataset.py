"""Paints scenes once and keeps them on disk, pictures as one array and captions as JSON lines."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sheepgen.training.drawings import load_digits, load_drawings
from sheepgen.training.fetch import fetch_packages
from sheepgen.training.scenes import Drawings, Scene, render_scene, sample_scene

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from sheepgen.training.config import DataConfig, Workspace

__all__ = ["SceneSet", "build_scenes", "load_all_drawings"]


@dataclass(frozen=True, slots=True)
class SceneSet:
    """One split: ``pictures`` is (scenes, height, width, 3), uint8, mapped from disk."""

    pictures: NDArray[np.uint8]
    scenes: list[Scene]
    sha256: str

    @property
    def captions(self) -> list[str]:
        """One caption a scene."""
        return [scene.caption for scene in self.scenes]


def load_all_drawings(config: DataConfig, workspace: Workspace) -> Drawings:
    """Fetch what is missing and render every drawing."""
    modules = fetch_packages(config.npm_packages, workspace.packages)
    return Drawings(load_drawings(modules, config.drawing_set), load_digits(modules))


def build_scenes(
    config: DataConfig,
    workspace: Workspace,
    split: str,
    count: int,
    *,
    seed: int | None = None,
    allow_held_out: bool = False,
) -> SceneSet:
    """Paint ``count`` scenes of a split, or open them if they are there.

    Scene k depends on (seed, split, k) only, whatever the number of processes. Only the judge's
    scenes may hold pairs that are held out of the model's training.
    """
    folder = workspace.scenes(f"{split}-{config.image_size}-{count}")
    if not (folder / "sha256").exists():
        folder.mkdir(parents=True, exist_ok=True)
        source = f"{config.seed if seed is None else seed}/{split}"
        sample = partial(sample_scene, allow_held_out=allow_held_out)
        _paint(config, workspace, folder, (sample(f"{source}/{k}") for k in range(count)), count)
    lines = (folder / "scenes.jsonl").read_text("utf-8").splitlines()
    return SceneSet(
        pictures=np.load(folder / "pictures.npy", mmap_mode="r"),
        scenes=[Scene(**json.loads(line)) for line in lines],
        sha256=(folder / "sha256").read_text("ascii"),
    )


def _paint(
    config: DataConfig, workspace: Workspace, folder: Path, scenes: Iterable[Scene], count: int
) -> None:
    digest = hashlib.sha256()
    shape = (count, config.image_size, config.image_size, 3)
    pictures = np.lib.format.open_memmap(
        folder / "pictures.npy", mode="w+", dtype=np.uint8, shape=shape
    )
    drawings = load_all_drawings(config, workspace)
    with (
        (folder / "scenes.jsonl").open("w", encoding="utf-8") as lines,
        multiprocessing.Pool(initializer=_start_painter, initargs=(drawings, config)) as pool,
    ):
        for index, (scene, pixels) in enumerate(pool.imap(_paint_one, scenes, chunksize=256)):
            pictures[index] = np.frombuffer(pixels, np.uint8).reshape(shape[1:])
            line = json.dumps(asdict(scene))
            lines.write(line + "\n")
            digest.update(pixels)
            digest.update(line.encode())
    pictures.flush()
    (folder / "sha256").write_text(digest.hexdigest(), "ascii")


_painter: tuple[Drawings, int]
"""What a painting process was started with: sent once, not with every scene."""


def _start_painter(drawings: Drawings, config: DataConfig) -> None:
    global _painter
    _painter = (drawings, config.image_size)


def _paint_one(scene: Scene) -> tuple[Scene, bytes]:
    drawings, size = _painter
    return scene, render_scene(scene, drawings, size).tobytes()
