from __future__ import annotations

import pytest

from sheepgen.embedded.approximations import approximations
from sheepgen.embedded.link_words import find_link
from sheepgen.embedded.prompt import read_words
from sheepgen.embedded.prompt_parser import ParsedPrompt
from tests.embedded.vocabularies import tiny_vocabulary

VOCABULARY = tiny_vocabulary()


@pytest.mark.parametrize(
    ("prompt", "answers", "said"),
    [
        ("a cat on a gift", {"kind": "on_top"}, {}),
        ("a cat in a gift", {"kind": "on_top"}, {"in": "on top of"}),
        ("a cat under a gift", {"kind": "next_to"}, {"under": "next to"}),
        ("a cat or a gift", {"kind": "next_to"}, {"or": "next to"}),
        ("cats with gifts", {"kind": "next_to"}, {"cats": "a cat", "gifts": "a gift"}),
        ("two cats", {"kind": "several"}, {}),
        ("a kitten", {"kind": "single"}, {"kitten": "a cat"}),
        ("9 cats", {"kind": "several", "count": "4"}, {}),
        ("crowd cats", {"kind": "several", "count": "4"}, {"crowd": "four"}),
        ("4 cats", {"kind": "several", "count": "4"}, {}),
        ("a scarlet cat", {"kind": "single"}, {"scarlet": "red"}),
        ("a red cat", {"kind": "single"}, {}),
        ("a cat of a gift", {"kind": "next_to"}, {"of": "next to"}),
        ("no beach umbrella, beach", {"kind": "", "place": "beach"}, {}),
        ("a beach cat", {"kind": "single", "place": "beach"}, {"beach": "on a beach"}),
        ("at beach, a cat", {"kind": "single", "place": "beach"}, {}),
        ("a hound", {"kind": "single"}, {"hound": "a wolf"}),
        ("two hounds", {"kind": "several"}, {"hounds": "wolves"}),
        ("a birthday", {"kind": "single"}, {"birthday": "a gift"}),
        (
            "a cat beach",
            {"kind": "single", "place": "beach"},
            {"cat beach": "a cat on a beach"},
        ),
        ("a cat, beach", {"kind": "single", "place": "beach"}, {}),
        ("the beach", {"kind": "", "place": "beach"}, {"beach": "a beach umbrella on a beach"}),
        ("le chat am strand", {"kind": "single", "place": "beach"}, {}),
    ],
)
def test_what_is_shown_otherwise_is_said(
    prompt: str, answers: dict[str, str], said: dict[str, str]
) -> None:
    words = read_words(prompt, VOCABULARY)
    colours = tuple("red" if "red" in prompt or "scarlet" in prompt else "" for _ in words.mentions)
    link = find_link(words, *words.mentions, VOCABULARY) if len(words.mentions) == 2 else None
    parsed = ParsedPrompt(answers, words.mentions, colours, link)
    found = approximations(words, parsed, VOCABULARY)
    assert {" ".join(word.text for word in each.words): each.shown for each in found} == said
