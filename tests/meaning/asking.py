"""Asks, and returns the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.meaning.measure import Meaning, measure_meaning
from sheepgen.meaning.query import MeaningQuery
from sheepgen.models.resolve import find_model

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["WORDS", "measured"]

WORDS = ("sheep", "red", "shed", "head", "a deer", "reed")


def measured(
    folder: Path, *prompts: str, words: tuple[str, ...] = WORDS, encoder: str = "", **more: Any
) -> Meaning:
    """Return what is measured of a model's folder, at float32 on the CPU."""
    query = MeaningQuery(prompts=prompts, words=words, **more)
    spec = find_model(str(folder))
    *_, last = measure_meaning(spec, query, encoder=encoder, device="cpu", dtype="fp32")
    assert isinstance(last, Meaning)
    return last
