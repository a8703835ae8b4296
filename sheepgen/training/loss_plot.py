"""A picture of how the losses fell, to watch a model learn."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sheepgen.training.history import HistoryEntry

__all__ = ["plot_losses"]

PANEL_INCHES = (4.0, 3.0)


def plot_losses(entries: Iterable[HistoryEntry], path: Path) -> None:
    """Write a PNG with one panel per stage that learns, loss over steps, both axes logarithmic."""
    by_stage = attrgetter("stage")
    learned = sorted((entry for entry in entries if entry.loss is not None), key=by_stage)
    stages = {name: list(own) for name, own in groupby(learned, key=by_stage)}
    if not stages:
        return
    width, height = PANEL_INCHES
    figure = Figure(figsize=(width * len(stages), height), layout="constrained")
    panels = figure.subplots(1, len(stages), squeeze=False)[0]
    for panel, (name, own) in zip(panels, stages.items(), strict=True):
        panel.loglog([entry.step for entry in own], [entry.loss for entry in own], marker=".")
        panel.set_title(name)
        panel.set_xlabel("steps")
        panel.grid(visible=True, which="both", alpha=0.3)
    panels[0].set_ylabel("loss")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
