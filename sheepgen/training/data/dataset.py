"""Series of scenes, painted once and kept on disk.

Scene k depends on the seed, the split's name and k only, not on the number of processes. Painting
resumes where it stopped: each finished chunk of scenes leaves a line in ``done``.

    pictures.npy   uint8, (scenes, height, width, 3)
    scenes.jsonl   one `Scene` per line
    done           one line per finished chunk: "first scene, SHA-256 of its pixels"
    sha256         of everything, written last
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np

from sheepgen.training.atomic_write import atomic_write
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.rendering import paint_scene
from sheepgen.training.data.sampling import sample_scene
from sheepgen.training.data.scene import Scene
from sheepgen.training.data.splits import held_out_drawings
from sheepgen.training.processes import map_in_processes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sheepgen.training.data.icons import IconStore

__all__ = [
    "CHUNK",
    "SceneSet",
    "Split",
    "paint_chunks",
    "paint_pictures",
    "paint_split",
    "unseen_scenes",
]

CHUNK = 250
"""How many scenes are painted together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """A series of scenes.

    Args:
        name: "train", "held-out", …; another name gives other scenes.
        count: How many scenes.
        size: The pictures' side in pixels.
        seed: Another seed gives other scenes.
        testing: Whether held-out pairs and held-out icons may appear.
        mix: Weights of the icon sets; a key of `MIXES`.
        subset: The concepts to sample from; all of them if empty.
    """

    name: str
    count: int
    size: int = 256
    seed: int = 1
    testing: bool = False
    mix: str = "styles"
    subset: tuple[str, ...] = ()

    def scene(self, index: int) -> Scene:
        """Return scene ``index``."""
        return sample_scene(
            f"{self.seed}/{self.name}",
            index,
            testing=self.testing,
            mix=self.mix,
            subset=self.subset,
        )

    def chunk_size(self, first: int) -> int:
        """Return the number of scenes in the chunk that starts with scene ``first``."""
        return min(CHUNK, self.count - first)

    def folder(self, root: Path) -> Path:
        """Return the folder where the painted split is kept."""
        return root / f"{self.name}-{self.size}-{self.seed}-{self.count}"

    def sha256(self) -> str:
        """Return the checksum of all scenes as JSON lines; a minute for half a million."""
        digest = hashlib.sha256()
        for index in range(self.count):
            digest.update(f"{self.scene(index).to_json()}\n".encode())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneSet:
    """A painted split.

    Args:
        pictures: (scenes, height, width, 3), uint8, memory-mapped.
        scenes: The scenes, in the same order.
    """

    pictures: NDArray[np.uint8]
    scenes: list[Scene]


def paint_pictures(
    split: Split, icons: IconStore, first: int, count: int
) -> tuple[list[Scene], NDArray[np.uint8]]:
    """Paint ``count`` scenes from scene ``first`` on, without keeping them.

    Returns:
        The scenes, and their pictures: (count, size, size, 3), uint8.
    """
    scenes = [split.scene(index) for index in range(first, first + count)]
    return scenes, np.stack([np.asarray(paint_scene(s, icons, split.size)) for s in scenes])


def paint_chunks(
    split: Split, icons: IconStore, starts: Sequence[int], processes: int | None = None
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Paint the chunks that start at these scenes, in several processes.

    Yields:
        The start, and the chunk's pictures: (scenes, size, size, 3), uint8; in order.
    """
    yield from map_in_processes(partial(_paint_chunk, split, icons), starts, processes)


def _paint_chunk(split: Split, icons: IconStore, first: int) -> tuple[int, NDArray[np.uint8]]:
    _, pictures = paint_pictures(split, icons, first, split.chunk_size(first))
    return first, pictures


def paint_split(
    split: Split, icons: IconStore, root: Path, *, processes: int | None = None
) -> SceneSet:
    """Paint a split, or the missing part of it, and open it.

    Args:
        split: Which scenes.
        icons: The source of icons and digits; sent to each process.
        root: The folder of all splits.
        processes: How many paint at a time; as many as there are processors by default.
    """
    folder = split.folder(root)
    if not (folder / "sha256").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _paint_missing(split, icons, folder, processes)
    lines = (folder / "scenes.jsonl").read_text("utf-8").splitlines()
    return SceneSet(
        pictures=np.load(folder / "pictures.npy", mmap_mode="r"),
        scenes=[Scene.from_json(line) for line in lines],
    )


def _paint_missing(split: Split, icons: IconStore, folder: Path, processes: int | None) -> None:
    path, shape = folder / "pictures.npy", (split.count, split.size, split.size, 3)
    done = _read_done(folder) if path.exists() else {}
    pictures: np.memmap[tuple[int, ...], np.dtype[np.uint8]] = np.lib.format.open_memmap(
        path, mode="r+" if done else "w+", dtype=np.uint8, shape=shape
    )
    starts = [first for first in range(0, split.count, CHUNK) if first not in done]
    with (folder / "done").open("w", encoding="ascii") as log:
        # Rewritten, as the last line may be incomplete.
        log.writelines(f"{first}, {sha256}\n" for first, sha256 in done.items())
        log.flush()
        for first, chunk in paint_chunks(split, icons, starts, processes):
            pictures[first : first + len(chunk)] = chunk
            pictures.flush()
            done[first] = hashlib.sha256(chunk.tobytes()).hexdigest()
            log.write(f"{first}, {done[first]}\n")
            log.flush()
    text = "".join(f"{split.scene(index).to_json()}\n" for index in range(split.count))
    (folder / "scenes.jsonl").write_text(text, "utf-8")
    everything = "".join(done[first] for first in sorted(done)) + text
    # Last, and atomically: a split with this file is complete.
    with atomic_write(folder / "sha256") as partial_file:
        partial_file.write_text(hashlib.sha256(everything.encode()).hexdigest(), "ascii")


def _read_done(folder: Path) -> dict[int, str]:
    """Return the checksums of finished chunks by first scene; skips an incomplete last line."""
    path = folder / "done"
    lines = path.read_text("ascii").splitlines() if path.exists() else []
    pairs = (line.split(", ") for line in lines)
    return {int(pair[0]): pair[1] for pair in pairs if len(pair) == 2 and len(pair[1]) == 64}


def unseen_scenes() -> dict[str, list[Scene]]:
    """Return some 200 scenes of each kind that no training scene resembles, by a readable name."""
    in_open_moji = [name for name, concept in concepts().items() if "openmoji" in concept.drawings]
    return {
        "scenes of held-out drawings": list(islice(_scenes_with_held_out_icons(), 200)),
        "OpenMoji, a set kept from training": [
            Scene(kind="single", subject=name, style="openmoji", layout_seed=index)
            for index, name in islice(enumerate(in_open_moji), 0, None, 2)
        ],
    }


def _scenes_with_held_out_icons() -> Iterator[Scene]:
    for index in count():
        scene = sample_scene("unseen", index, testing=True, mix="all sets")
        if any((scene.style, name) in held_out_drawings() for name in scene.things):
            yield scene
