"""Scenes that show drawings which nothing was trained on, to measure the autoencoder with."""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING

from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.sampling import sample_scene
from sheepgen.training.data.scene import Scene
from sheepgen.training.data.splits import held_out_drawings

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["unseen_scenes"]


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


def unseen_scenes() -> dict[str, list[Scene]]:
    """Return some 200 scenes of each kind, by what a reader may call them."""
    return {
        "scenes of held-out drawings": [*islice(_of_held_out_drawings(), 200)],
        "OpenMoji, a set kept from training": [*islice(_of_a_held_out_set(), 0, None, 2)],
    }
