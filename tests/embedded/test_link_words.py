from __future__ import annotations

import pytest

from sheepgen.embedded.link_words import can_relate, find_link
from sheepgen.embedded.prompt import read_words
from tests.embedded.vocabularies import tiny_vocabulary

VOCABULARY = tiny_vocabulary()


@pytest.mark.parametrize(
    ("prompt", "words", "meant", "nearest"),
    [
        ("a cat on a gift", "on", "on_top riding", ""),
        ("a cat on top of two red sad gifts", "on top of", "on_top riding", ""),
        ("a cat in a gift", "in", "riding", "on_top wearing"),
        ("a cat in a castle", "in", "riding", "next_to wearing"),
        ("a cat over a castle", "over", "", "on_top"),
        ("a cat in a hat", "in", "riding", "next_to wearing"),
        ("a gift in a hat", "in", "riding wearing", "next_to"),
        ("a gift of the cat", "of", "", "holding next_to on_top riding wearing"),
        ("a cat under a gift", "under", "", "next_to"),
        ("a cat behind the gift", "behind", "", "next_to"),
        ("a cat with a gift", "with", "holding next_to wearing", ""),
        ("a cat and a gift", "and", "next_to", ""),
        ("a cat, a gift", ",", "next_to", ""),
        ("a cat or a gift", "or", "", "next_to"),
        ("a cat eating a gift", "", "holding next_to wearing", ""),
        ("a cat in bed eating a gift", "", "holding next_to wearing", ""),
    ],
)
def test_words_between_two_things_say_how_they_can_relate(
    prompt: str, words: str, meant: str, nearest: str
) -> None:
    read = read_words(prompt, VOCABULARY)
    first, second = read.mentions
    link = find_link(read, first, second, VOCABULARY)
    assert link is not None
    assert " ".join(word.text for word in link.words) == words
    assert " ".join(sorted(link.meant)) == meant
    assert " ".join(sorted(link.nearest)) == nearest


@pytest.mark.parametrize(
    ("prompt", "meant"),
    [
        ("a hat on a cat", "wearing"),
        ("a gift under a cat", "on_top"),
        ("a gift with a cat on it", "on_top riding"),
        ("a gift with a cat", ""),
    ],
)
def test_what_comes_last_may_be_what_is_on_the_other(prompt: str, meant: str) -> None:
    read = read_words(prompt, VOCABULARY)
    second, first = read.mentions
    link = find_link(read, first, second, VOCABULARY)
    assert link is not None
    assert " ".join(sorted(link.meant)) == meant
    assert not link.nearest


@pytest.mark.parametrize("prompt", ["a cat riding a fire truck", "on a gift is a cat", "cat, cat"])
def test_other_words_leave_open_what_is_meant(prompt: str) -> None:
    read = read_words(prompt, VOCABULARY)
    first, second = read.mentions
    link = find_link(read, first, second, VOCABULARY)
    assert link is None or (prompt == "cat, cat" and link.meant == {"next_to"})


def test_nothing_is_known_of_things_that_another_one_stands_between() -> None:
    read = read_words("a cat on a gift and a wolf", VOCABULARY)
    cat, _, wolf = read.mentions
    assert find_link(read, cat, wolf, VOCABULARY) is None


@pytest.mark.parametrize(
    ("relation", "prompt", "is_possible"),
    [
        ("riding", "cat, fire truck", True),
        ("riding", "fire truck, cat", False),
        ("riding", "cat, gift", False),
        ("wearing", "cat, hat", True),
        ("wearing", "gift, hat", False),
        ("wearing", "wolf, goggles", True),
        ("wearing", "cat, goggles", False),
        ("holding", "cat, gift", True),
        ("holding", "castle, gift", False),
        ("holding", "elephant, gift", False),
        ("on_top", "gift, castle", True),
        ("next_to", "cat, cats", True),
        ("on_top", "cat, cats", False),
    ],
)
def test_concepts_take_part_in_relations_by_their_roles(
    relation: str, prompt: str, *, is_possible: bool
) -> None:
    first, second = read_words(prompt, VOCABULARY).mentions
    assert can_relate(relation, first, second, VOCABULARY) == is_possible
