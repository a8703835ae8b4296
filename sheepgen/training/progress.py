"""Shows training to a person who watches: a bar per stage, a history, a plot of the losses."""

from __future__ import annotations

import time
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sheepgen.training.history import HistoryEntry, append_history, read_history

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import Console

    from sheepgen.training.config import Workspace
    from sheepgen.training.trainer import TrainStep

__all__ = ["plot_losses", "show_progress"]

ENTRY_EVERY_S = 10.0
PLOT_EVERY_ENTRIES = 30
SMOOTHING = 0.98
"""Share of the smoothed loss that a step leaves as it is."""

PANEL_INCHES = (4.0, 3.0)


def show_progress(steps: Iterable[TrainStep], workspace: Workspace, console: Console) -> None:
    """Run all steps; show them on the console, and log them in the workspace."""
    started = time.perf_counter()
    for stage, own in groupby(steps, key=attrgetter("stage")):
        started = _show_stage(stage, own, started, workspace, console)


def _show_stage(
    stage: str, steps: Iterable[TrainStep], started: float, workspace: Workspace, console: Console
) -> float:
    """Show the steps of a stage that was started then; return when it ended."""
    bar = Progress(
        TextColumn(f"{stage:<10}"),
        *Progress.get_default_columns()[1:3],
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
        console=console,
    )
    logged, entries = started, 0
    loss: float | None = None
    with bar:
        task = bar.add_task(stage, total=None, loss="")
        for step in steps:
            loss = _smoothed(loss, step.loss)
            text = "" if loss is None else f"loss {loss:.4f}"
            bar.update(task, completed=step.step, total=step.total_steps, loss=text)
            now = time.perf_counter()
            last = step.step == step.total_steps
            if now - logged > ENTRY_EVERY_S or last:
                entry = HistoryEntry(
                    stage=stage,
                    step=step.step,
                    loss=None if loss is None else round(loss, 5),
                    seconds=round(now - logged, 1),
                )
                append_history(workspace.history, entry)
                logged, entries = now, entries + 1
                if entries % PLOT_EVERY_ENTRIES == 0 or last:
                    plot_losses(read_history(workspace.history), workspace.samples / "losses.png")
    return logged


def _smoothed(before: float | None, loss: float | None) -> float | None:
    if before is None or loss is None:
        return loss
    return SMOOTHING * before + (1 - SMOOTHING) * loss


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
