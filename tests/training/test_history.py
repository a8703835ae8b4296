"""The history of a training: read back, added up over starts, plotted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

from sheepgen.training.history import (
    HistoryEntry,
    StageSummary,
    append_history,
    read_history,
    summarise,
)
from sheepgen.training.progress import plot_losses

if TYPE_CHECKING:
    from pathlib import Path


def test_history_adds_up_over_starts(tmp_path: Path) -> None:
    path = tmp_path / "new" / "history.jsonl"
    assert summarise(read_history(path)) == {}
    entries = [
        HistoryEntry(stage="vae", step=10, loss=0.5, seconds=2.0),
        HistoryEntry(stage="unet", step=3, loss=0.75, seconds=1.0),
        HistoryEntry(stage="vae", step=20, loss=0.25, seconds=3.5),
    ]
    for entry in entries:
        append_history(path, entry)
    assert read_history(path) == entries
    assert summarise(entries) == {
        "vae": StageSummary(steps=20, loss=0.25, seconds=5.5),
        "unet": StageSummary(steps=3, loss=0.75, seconds=1.0),
    }


def test_a_history_of_many_starts_is_one_plot(tmp_path: Path) -> None:
    entries = [
        HistoryEntry(stage=stage, step=step, loss=1 / step, seconds=1.0)
        for stage in ("vae", "unet", "text")
        for step in (10, 20, 30)
    ]
    plot_losses(entries, tmp_path / "one.png")
    plot_losses(entries[:3], tmp_path / "other.png")
    with Image.open(tmp_path / "one.png") as three, Image.open(tmp_path / "other.png") as single:
        assert three.width == 3 * single.width
        assert len(set(single.convert("L").tobytes())) > 2
