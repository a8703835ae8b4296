from __future__ import annotations

import pytest

from sheepgen.embedded.prompt import read_words
from tests.embedded.vocabularies import tiny_vocabulary

VOCABULARY = tiny_vocabulary()


@pytest.mark.parametrize(
    ("prompt", "things", "unknown"),
    [
        ("the wolf's sad orange hat", ["sun hat"], ["wolf", "sad"]),
        ("a wolf's sad tail", ["wolf"], ["sad", "tail"]),
        ("the cats' hat", ["sun hat"], ["cats"]),
        ("the wolf's beach", [], ["wolf"]),
        ("the eye of a cat", ["cat"], ["eye"]),
        ("a cat of two", ["cat"], ["two"]),
        ("a gift picture of a cat", ["cat"], ["gift"]),
        ("a cat that is a grinning", ["grinning cat"], []),
        ("a gift wolf", ["wolf"], ["gift"]),
        ("two wolf cats", ["cat"], ["wolf"]),
        ("a gift fire truck hat", ["sun hat"], ["gift", "fire", "truck"]),
        ("a wolf, cat", ["wolf", "cat"], []),
        ("a wolf and cat", ["wolf", "cat"], []),
        ("wolves cat", ["wolf", "cat"], []),
        ("the orange cat", ["cat"], []),
        ("a cat with the orange", ["cat", "orange"], []),
        ("a gift of cats", ["cat"], ["gift"]),
        ("the armful of cats", ["cat"], ["armful"]),
        ("a gift of sad gift cats", ["cat"], ["gift", "sad", "gift"]),
        ("a gift of the cat", ["gift", "cat"], []),
        ("a cat with red eyes", ["cat"], ["eyes"]),
        ("a cat with orange eyes", ["cat"], ["eyes"]),
        ("a cat with 2 sad gift eyes and a hat", ["cat", "sun hat"], ["sad", "gift", "eyes"]),
        ("with the eye", ["eye"], []),
        ("a cat that is grinning and a wolf", ["grinning cat", "wolf"], []),
        ("the cat is grinning", ["grinning cat"], []),
        ("a cat that is sad", ["cat"], ["sad"]),
        ("a cat that is", ["cat"], []),
        ("the orange wall", [], []),
        ("a truck of red fire trucks", ["fire truck"], []),
        ("a cat and the eye", ["cat", "eye"], []),
    ],
)
def test_nouns_that_say_more_about_others_are_not_things(
    prompt: str, things: list[str], unknown: list[str]
) -> None:
    read = read_words(prompt, VOCABULARY)
    assert [mention.concept for mention in read.mentions] == things
    assert [word.text for word in read.unknown] == unknown


def test_the_parser_sees_an_orange_cat_as_it_learned_to() -> None:
    assert read_words("an orange cat", VOCABULARY).symbols[-2:] == ("<held>", "<animate>")


def test_a_bowl_of_cats_is_read_as_cats_of_a_kind() -> None:
    assert read_words("a bowl of cats", VOCABULARY).symbols == ("a", "<other>", "<animate plural>")
