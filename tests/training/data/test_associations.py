"""What words bring to mind is what emoji are tagged with, if it is nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sheepgen.training.data.associations import evoked_concepts
from sheepgen.training.data.sentence_encoder import SentenceEncoder

if TYPE_CHECKING:
    from pathlib import Path

EMOJI = [
    {"label": "wrapped gift", "tags": ["birthday", "box", "present", "surprise", "18th"]},
    {"label": "birthday cake", "tags": ["birthday", "night", "sheep", "red", "queens", "four"]},
    {"label": "cooking", "tags": ["over", "family"]},
    {"label": "broken heart", "tags": ["love", "sad"]},
    {"label": "love letter", "tags": ["love", "letter"]},
    {"label": "Saturn's moon", "tags": ["faraway"]},
]


@pytest.fixture(scope="module")
def evoked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what the words of some emoji bring to mind."""
    modules: Path = tmp_path_factory.mktemp("node_modules")
    folder = modules / "emojibase-data" / "en"
    folder.mkdir(parents=True)
    (folder / "data.json").write_text(json.dumps(EMOJI), "utf-8")
    captions = ["a sheep at night", "a red box", "a love letter", "a broken heart", "four sheep"]
    said = {word for caption in captions for word in caption.split()}
    return evoked_concepts(modules, SentenceEncoder(), said, excluded=["queen"])


def test_tags_bring_to_mind_what_bears_them(evoked: dict[str, str]) -> None:
    assert evoked["surprise"] == "gift"
    assert evoked["sad"] == "broken heart"
    # Of several things, the one that is most like the word: .46 and .34.
    assert evoked["birthday"] == "gift"
    assert evoked["love"] in ("broken heart", "love letter")


def test_what_says_something_itself_brings_nothing_to_mind(evoked: dict[str, str]) -> None:
    # Nor does a number, a word that is excluded, what is less than .25 like it, or what no concept
    # of ours is tagged with.
    assert evoked.keys() == {"birthday", "present", "surprise", "love", "sad"}
