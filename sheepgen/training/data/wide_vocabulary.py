"""The wide vocabulary: words that captions may never hold, but people type.

The text encoder learns from a sentence encoder what they mean. They are taken whole, with no eye
to what the model is tested with: what emoji are called and tagged with (emojibase), and the
sentence encoder's most frequent words.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Any

__all__ = ["EMOJI_PACKAGE", "emoji_entries", "emoji_words", "wide_vocabulary"]

EMOJI_PACKAGE = "emojibase-data@17.0.0"
"""The npm package that names emoji, as ``name@version``."""

MOST_FREQUENT = 8_000


def wide_vocabulary(modules: Path, frequent: Iterable[str]) -> list[str]:
    """Return all words, sorted, lower case.

    Args:
        modules: The ``node_modules`` folder with `EMOJI_PACKAGE` in it.
        frequent: Words of the language, the most frequent first.
    """
    return sorted({*emoji_words(modules), *islice(frequent, MOST_FREQUENT)})


def emoji_words(modules: Path) -> Iterator[str]:
    """Yield the labels and tags of all emoji that are made of letters and spaces."""
    for entry in emoji_entries(modules):
        for name in (entry["label"], *entry.get("tags", ())):
            if re.fullmatch(r"[a-z][a-z ]+", name.lower()):
                yield name.lower()


def emoji_entries(modules: Path) -> list[dict[str, Any]]:
    """Return emojibase's table: each emoji's ``label`` and, of most, ``tags``."""
    path = modules / "emojibase-data" / "en" / "data.json"
    entries: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return entries
