"""The wide vocabulary: what is taken from emojibase, and what is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sheepgen.training.data.wide_vocabulary import MOST_FREQUENT, emoji_words, wide_vocabulary

if TYPE_CHECKING:
    from pathlib import Path

EMOJI = [
    {"label": "ewe", "tags": ["sheep", "female lamb"]},
    {"label": "Motorcycle"},
    {"label": "keycap: 3", "tags": ["3", "c'est"]},
]


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """Return a ``node_modules`` folder with three emoji."""
    emoji = tmp_path / "emojibase-data" / "en"
    emoji.mkdir(parents=True)
    (emoji / "data.json").write_text(json.dumps(EMOJI), "utf-8")
    return tmp_path


def test_labels_and_tags_of_letters_are_taken(modules: Path) -> None:
    assert [*emoji_words(modules)] == ["ewe", "sheep", "female lamb", "motorcycle"]


def test_the_most_frequent_words_are_joined(modules: Path) -> None:
    frequent = [f"word{number}" for number in range(MOST_FREQUENT + 5)]
    words = wide_vocabulary(modules, ["ewe", *frequent])
    assert words == sorted(set(words))
    assert {"female lamb", "word0", f"word{MOST_FREQUENT - 2}"} <= set(words)
    assert f"word{MOST_FREQUENT - 1}" not in words
