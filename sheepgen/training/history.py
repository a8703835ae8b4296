"""How training went: a line every few seconds, over any number of starts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["HistoryEntry", "StageSummary", "append_history", "read_history", "summarise"]


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """Where a stage stood at a moment.

    Args:
        stage: Its name.
        step: Steps done.
        loss: Smoothed over some fifty steps; None where nothing is learned.
        seconds: Since the entry before, or since this start of the stage.
    """

    stage: str
    step: int
    loss: float | None
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSummary:
    """A stage in all.

    Args:
        steps: Done so far.
        loss: The last one.
        seconds: Of all starts together.
    """

    steps: int
    loss: float | None
    seconds: float


def read_history(path: Path) -> list[HistoryEntry]:
    """Return all entries of a file of JSON lines, the oldest first; none if there is no file."""
    if not path.exists():
        return []
    return [HistoryEntry(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def append_history(path: Path, entry: HistoryEntry) -> None:
    """Add an entry to the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(entry)) + "\n")


def summarise(entries: Iterable[HistoryEntry]) -> dict[str, StageSummary]:
    """Return each stage in all, by name."""
    stages: dict[str, StageSummary] = {}
    for entry in entries:
        before = stages.get(entry.stage)
        stages[entry.stage] = StageSummary(
            steps=entry.step,
            loss=entry.loss,
            seconds=round(entry.seconds + (before.seconds if before else 0.0), 1),
        )
    return stages
