"""A picture of how the losses fell, to watch a model learn."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sheepgen.training.history import Note

__all__ = ["plot_losses"]

PANEL_INCHES = (4.0, 3.0)


def plot_losses(notes: Iterable[Note], path: Path) -> None:
    """Write a PNG with a panel a phase that learns, loss over steps, both axes logarithmic."""
    by_phase = attrgetter("phase")
    learned = sorted((note for note in notes if note.loss is not None), key=by_phase)
    phases = {name: list(own) for name, own in groupby(learned, key=by_phase)}
    if not phases:
        return
    width, height = PANEL_INCHES
    figure = Figure(figsize=(width * len(phases), height), layout="constrained")
    panels = figure.subplots(1, len(phases), squeeze=False)[0]
    for panel, (name, own) in zip(panels, phases.items(), strict=True):
        panel.loglog([note.step for note in own], [note.loss for note in own], marker=".")
        panel.set_title(name)
        panel.set_xlabel("steps")
        panel.grid(visible=True, which="both", alpha=0.3)
    panels[0].set_ylabel("loss")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
