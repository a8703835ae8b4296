"""Paints scenes once and keeps them on disk, pictures as one array and captions as JSON lines."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sheepgen.training.config import DataConfig, Workspace
from sheepgen.training.drawings import load_digits, load_drawings
from sheepgen.training.fetch import fetch_packages
from sheepgen.training.scenes import Drawings, Scene, render_scene, sample_scene

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
    config: DataConfig, workspace: Workspace, split: str, count: int, *, seed: int | None = None
) -> SceneSet:
    """Paint ``count`` scenes of a split, or open them if they are there.

    Scene k depends on (seed, split, k) only, whatever the number of processes.
    """
    folder = workspace.scenes(f"{split}-{config.image_size}-{count}")
    if not (folder / "sha256").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _paint(config, workspace, folder, f"{config.seed if seed is None else seed}/{split}", count)
    lines = (folder / "scenes.jsonl").read_text("utf-8").splitlines()
    return SceneSet(
        pictures=np.load(folder / "pictures.npy", mmap_mode="r"),
        scenes=[Scene(**json.loads(line)) for line in lines],
        sha256=(folder / "sha256").read_text("ascii"),
    )


_painter: tuple[Drawings, DataConfig, str]


def _start_painter(drawings: Drawings, config: DataConfig, seed: str) -> None:
    global _painter  # noqa: PLW0603
    _painter = (drawings, config, seed)


def _paint_one(index: int) -> tuple[Scene, bytes]:
    drawings, config, seed = _painter
    scene = sample_scene(f"{seed}/{index}")
    return scene, render_scene(scene, drawings, config.image_size).tobytes()


def _paint(config: DataConfig, workspace: Workspace, folder: Path, seed: str, count: int) -> None:
    digest = hashlib.sha256()
    shape = (count, config.image_size, config.image_size, 3)
    pictures = np.lib.format.open_memmap(
        folder / "pictures.npy", mode="w+", dtype=np.uint8, shape=shape
    )
    with (folder / "scenes.jsonl").open("w", encoding="utf-8") as lines:
        for index, (scene, pixels) in enumerate(_paint_all(config, workspace, seed, count)):
            pictures[index] = np.frombuffer(pixels, np.uint8).reshape(shape[1:])
            line = json.dumps(asdict(scene))
            lines.write(line + "\n")
            digest.update(pixels)
            digest.update(line.encode())
    pictures.flush()
    (folder / "sha256").write_text(digest.hexdigest(), "ascii")


def _paint_all(
    config: DataConfig, workspace: Workspace, seed: str, count: int
) -> Iterator[tuple[Scene, bytes]]:
    drawings = load_all_drawings(config, workspace)
    with multiprocessing.Pool(
        initializer=_start_painter, initargs=(drawings, config, seed)
    ) as pool:
        yield from pool.imap(_paint_one, range(count), chunksize=256)
