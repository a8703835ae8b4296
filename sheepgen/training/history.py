"""How long each phase has trained in all, over any number of starts, and where its loss stands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["History"]


@dataclass(frozen=True, slots=True)
class History:
    """A small JSON file: phase to its steps, its smoothed loss and its seconds."""

    path: Path

    def read(self) -> dict[str, dict[str, float]]:
        """Return what has been noted so far."""
        if not self.path.exists():
            return {}
        notes: dict[str, dict[str, float]] = json.loads(self.path.read_text("utf-8"))
        return notes

    def note(self, phase: str, step: int, loss: float, seconds: float) -> None:
        """Add ``seconds`` to a phase and set where it stands."""
        notes = self.read()
        spent = notes.get(phase, {}).get("seconds", 0.0) + seconds
        notes[phase] = {"steps": step, "loss": round(loss, 5), "seconds": round(spent, 1)}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(notes, indent=2) + "\n", "utf-8")
