"""How training went: a line every few seconds, over any number of starts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["History", "Note", "PhaseSummary", "summarise"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Where a phase stood at a moment.

    Args:
        phase: Its name.
        step: Steps done.
        loss: Smoothed over some fifty steps; None where nothing is learned.
        seconds: Since the note before, or since this start of the phase.
    """

    phase: str
    step: int
    loss: float | None
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseSummary:
    """A phase in all.

    Args:
        steps: Done so far.
        loss: The last one.
        seconds: Of all starts together.
    """

    steps: int
    loss: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class History:
    """A file of JSON lines, one `Note` each."""

    path: Path

    def read(self) -> list[Note]:
        """Return all notes, the oldest first."""
        if not self.path.exists():
            return []
        return [Note(**json.loads(line)) for line in self.path.read_text("utf-8").splitlines()]

    def add(self, note: Note) -> None:
        """Write one down."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(note)) + "\n")


def summarise(notes: Iterable[Note]) -> dict[str, PhaseSummary]:
    """Return each phase in all, by name."""
    phases: dict[str, PhaseSummary] = {}
    for note in notes:
        before = phases.get(note.phase)
        phases[note.phase] = PhaseSummary(
            steps=note.step,
            loss=note.loss,
            seconds=round(note.seconds + (before.seconds if before else 0.0), 1),
        )
    return phases
