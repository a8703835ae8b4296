"""Runs phases, for a person who watches: a bar, a history, a plot of the losses."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sheepgen.training.history import History, Note
from sheepgen.training.loss_plot import plot_losses
from sheepgen.training.stages import PHASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from sheepgen.training.project import Project

__all__ = ["run_phases"]

NOTE_EVERY_S = 10.0
PLOT_EVERY_NOTES = 30
KEPT = 0.98
"""Share of the smoothed loss that a step leaves as it is."""


def run_phases(project: Project, names: Sequence[str], console: Console) -> None:
    """Run phases one after the other, each from where it was stopped.

    Args:
        project: What is trained.
        names: Keys of `sheepgen.training.stages.PHASES`.
        console: For the bar.

    Raises:
        ModelError: If a phase needs another that has not run.
    """
    for name in names:
        _run(project, name, console)


def _run(project: Project, name: str, console: Console) -> None:
    history = History(project.workspace.history)
    notes = 0
    bar = Progress(
        TextColumn(f"{name:<10}"),
        *Progress.get_default_columns()[1:3],
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
        console=console,
    )
    with bar:
        task = bar.add_task(name, total=None, loss="")
        noted = time.perf_counter()
        loss: float | None = None
        for report in PHASES[name](project):
            loss = _smoothed(loss, report.loss)
            shown = "" if loss is None else f"loss {loss:.4f}"
            bar.update(task, completed=report.step, total=report.total_steps, loss=shown)
            now = time.perf_counter()
            last = report.step == report.total_steps
            if now - noted > NOTE_EVERY_S or last:
                history.add(
                    Note(
                        phase=name,
                        step=report.step,
                        loss=None if loss is None else round(loss, 5),
                        seconds=round(now - noted, 1),
                    )
                )
                noted, notes = now, notes + 1
                if notes % PLOT_EVERY_NOTES == 0 or last:
                    plot_losses(history.read(), project.workspace.samples / "losses.png")


def _smoothed(before: float | None, loss: float | None) -> float | None:
    if before is None or loss is None:
        return loss
    return KEPT * before + (1 - KEPT) * loss
