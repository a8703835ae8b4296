"""Scenes painted once and kept on disk: pictures as one array, scenes as JSON lines, one checksum.

Scene k depends on (seed, split, k) only, whatever the number of processes. Painting goes on where
it was stopped: every finished chunk of scenes leaves a line in ``done``, and its checksum with it.

    pictures.npy   uint8, (scenes, height, width, 3)
    scenes.jsonl   one `Scene` a line
    done           "first scene, SHA-256 of the chunk's pixels", a line a finished chunk
    sha256         of everything, written last
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np

from sheepgen.training.atomic_write import atomic_write
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.rendering import paint_scene
from sheepgen.training.data.sampling import sample_scene
from sheepgen.training.data.scene import Scene
from sheepgen.training.data.splits import held_out_drawings
from sheepgen.training.processes import in_processes

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
"""Scenes that are painted, or painted again, together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """One series of scenes.

    Args:
        name: "train", "held-out", …; another name gives other scenes.
        count: How many scenes.
        size: Pictures' side in pixels.
        seed: Another seed gives other scenes.
        testing: Whether held-out pairs and held-out drawings may appear.
        mix: Which drawing sets, and how often; a key of `MIXES`.
        subset: The concepts to sample from; all of them if empty.
    """

    name: str
    count: int
    size: int = 256
    seed: int = 1
    testing: bool = False
    mix: str = "styles"
    subset: tuple[str, ...] = ()

    def sha256(self) -> str:
        """Return the checksum of all that the scenes are, as data; a minute for half a million."""
        digest = hashlib.sha256()
        for line in _lines(self):
            digest.update(f"{line}\n".encode())
        return digest.hexdigest()

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
        """Return how many scenes the chunk has that begins with scene ``first``."""
        return min(CHUNK, self.count - first)

    def folder(self, root: Path) -> Path:
        """Where it is kept."""
        return root / f"{self.name}-{self.size}-{self.seed}-{self.count}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneSet:
    """A painted split: ``pictures`` is (scenes, height, width, 3), uint8, mapped from disk."""

    pictures: NDArray[np.uint8]
    scenes: list[Scene]


def paint_pictures(
    split: Split, drawings: IconStore, first: int, count: int
) -> tuple[list[Scene], NDArray[np.uint8]]:
    """Paint scenes ``first`` to ``first + count`` of a split, without keeping them.

    Returns:
        The scenes, and their pictures: (count, size, size, 3), uint8.
    """
    scenes = [split.scene(index) for index in range(first, first + count)]
    return scenes, np.stack([np.asarray(paint_scene(s, drawings, split.size)) for s in scenes])


def paint_split(
    split: Split, drawings: IconStore, root: Path, *, processes: int | None = None
) -> SceneSet:
    """Paint a split, or what is missing of it, and open it.

    Args:
        split: Which scenes.
        drawings: What they are composed of; sent to every process.
        root: Folder of all splits.
        processes: How many paint at a time; all processors by default.
    """
    folder = split.folder(root)
    if not (folder / "sha256").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _paint_missing(split, drawings, folder, processes)
    lines = (folder / "scenes.jsonl").read_text("utf-8").splitlines()
    return SceneSet(
        pictures=np.load(folder / "pictures.npy", mmap_mode="r"),
        scenes=[Scene.from_json(line) for line in lines],
    )


def _paint_missing(split: Split, drawings: IconStore, folder: Path, processes: int | None) -> None:
    path, shape = folder / "pictures.npy", (split.count, split.size, split.size, 3)
    done = _read_done(folder) if path.exists() else {}
    pictures: np.memmap[tuple[int, ...], np.dtype[np.uint8]] = np.lib.format.open_memmap(
        path, mode="r+" if done else "w+", dtype=np.uint8, shape=shape
    )
    starts = [first for first in range(0, split.count, CHUNK) if first not in done]
    with (folder / "done").open("w", encoding="ascii") as log:
        # Written anew, lest the next line be joined to one that was cut short.
        log.writelines(f"{first}, {sha256}\n" for first, sha256 in done.items())
        log.flush()
        for first, chunk in paint_chunks(split, drawings, starts, processes):
            pictures[first : first + len(chunk)] = chunk
            pictures.flush()
            done[first] = hashlib.sha256(chunk.tobytes()).hexdigest()
            log.write(f"{first}, {done[first]}\n")
            log.flush()
    text = "".join(f"{line}\n" for line in _lines(split))
    (folder / "scenes.jsonl").write_text(text, "utf-8")
    everything = "".join(done[first] for first in sorted(done)) + text
    # Last, and whole: where it is, the split is complete.
    with atomic_write(folder / "sha256") as partial:
        partial.write_text(hashlib.sha256(everything.encode()).hexdigest(), "ascii")


def _lines(split: Split) -> Iterator[str]:
    for index in range(split.count):
        yield split.scene(index).to_json()


def _read_done(folder: Path) -> dict[int, str]:
    """Return the checksums of finished chunks; a line that was cut short does not count."""
    path = folder / "done"
    lines = path.read_text("ascii").splitlines() if path.exists() else []
    pairs = (line.split(", ") for line in lines)
    return {int(pair[0]): pair[1] for pair in pairs if len(pair) == 2 and len(pair[1]) == 64}


def paint_chunks(
    split: Split, drawings: IconStore, starts: Sequence[int], processes: int | None = None
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Paint `CHUNK` scenes from each start on, in several processes.

    Yields:
        A start, and its pictures: (scenes, size, size, 3), uint8; in order.
    """
    yield from in_processes(_paint_chunk, (split, drawings), starts, processes)


def _paint_chunk(painted: tuple[Split, IconStore], first: int) -> tuple[int, NDArray[np.uint8]]:
    split, drawings = painted
    _, pictures = paint_pictures(split, drawings, first, split.chunk_size(first))
    return first, pictures


def unseen_scenes() -> dict[str, list[Scene]]:
    """Return some 200 scenes of each kind, by what a reader may call them."""
    return {
        "scenes of held-out drawings": [*islice(_of_held_out_drawings(), 200)],
        "OpenMoji, a set kept from training": [*islice(_of_a_held_out_set(), 0, None, 2)],
    }


def _of_held_out_drawings() -> Iterator[Scene]:
    """Yield testing scenes with at least one held-out drawing, without end."""
    for index in count():
        scene = sample_scene("unseen", index, testing=True, mix="all sets")
        if any((scene.style, name) in held_out_drawings() for name in scene.things):
            yield scene


def _of_a_held_out_set() -> Iterator[Scene]:
    """Yield every concept alone, in a drawing set that is kept from training."""
    for index, name in enumerate(concepts()):
        yield Scene(kind="single", subject=name, style="openmoji", layout_seed=index)
