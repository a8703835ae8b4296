"""Words that say nothing stand where people put them, and leave the others as they were."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from sheepgen.training.data.augmentation import FILLED_RATE, with_fillers
from sheepgen.training.data.captions import plain_caption
from sheepgen.training.data.scene import Scene
from tests.training.data.naming import named_things

SCENE = Scene(kind="riding", subject="teddy bear", other="police car", place="beach", style="noto")
WORDS = ("quietly", "hopeful", "meaning")


@pytest.fixture(scope="module")
def filled() -> list[str]:
    """Return one prompt with fillers many times, where it has any."""
    prompt = plain_caption(SCENE)
    rng = random.Random(0)
    prompts = [with_fillers(rng, prompt, WORDS) for _ in range(2_000)]
    changed = [text for text in prompts if text != prompt]
    assert len(changed) == pytest.approx(FILLED_RATE * len(prompts), rel=0.1)
    return changed


def test_what_was_said_is_still_said(filled: list[str]) -> None:
    for text in filled:
        assert [thing.name for thing in named_things(text)] == ["teddy bear", "police car"]
        rest = iter(text.replace(",", "").split())
        assert all(word in rest for word in plain_caption(SCENE).split()), text


def test_they_stand_everywhere(filled: list[str]) -> None:
    places = Counter(
        place
        for text in filled
        for place, phrase in {
            "before a noun": "a quietly police car",
            "behind a noun": "police car quietly on",
            "last": "beach quietly",
            "first": "quietly a teddy",
            "praise": "octane render",
            "somebody": "a hopeful looking at a teddy",
            "somewhere": "in the meaning",
        }.items()
        if phrase in text
    )
    assert len(places) == 7, places
