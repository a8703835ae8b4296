"""Things go by other words in captions, and nothing else changes."""

from __future__ import annotations

import pytest

from sheepgen.training.data.scene import Kind, Scene
from sheepgen.training.data.synonym_replacement import renamed


@pytest.mark.parametrize(
    ("caption", "other", "count", "name", "word", "expected"),
    [
        ("A sheep riding a bus", "bus", 1, "sheep", "ewe", "an ewe riding a bus"),
        ("an owl next to a bus", "bus", 1, "owl", "kestrel", "a kestrel next to a bus"),
        ("two red sheep at night", "", 2, "sheep", "ewe", "two red ewes at night"),
        ("three buses", "", 3, "bus", "trolley", "three trolleys"),
        ("a dog with a hot dog", "hot dog", 1, "dog", "pug", "a dog with a hot dog"),
        ("a shep at night", "", 1, "sheep", "ewe", "a shep at night"),
    ],
)
def test_things_go_by_other_words(
    caption: str, other: str, count: int, name: str, word: str, expected: str
) -> None:
    kind: Kind = "next_to" if other else ("single" if count == 1 else "several")
    subject = name if not other or caption.split()[1] == name else "owl"
    scene = Scene(kind=kind, subject=subject, other=other, count=count, style="noto")
    assert renamed(caption, scene, name, word) == expected
