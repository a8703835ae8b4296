from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.embedded.account import account_for
from sheepgen.embedded.prompt import read_words
from sheepgen.embedded.prompt_parser import ParsedPrompt
from tests.embedded.vocabularies import tiny_vocabulary

VOCABULARY = tiny_vocabulary()
WORDS = [*VOCABULARY.forms, *VOCABULARY.words, *VOCABULARY.near, "sad", "no", "not", "900"]


@pytest.mark.parametrize(
    ("prompt", "answers", "shown", "colours", "unused"),
    [
        ("a cat", {"kind": "single"}, ["cat"], [""], []),
        ("a sad cat", {"kind": "single"}, ["cat"], [""], ["sad"]),
        ("a red cat", {"kind": "single"}, ["cat"], ["red"], []),
        ("a red cat", {"kind": "single"}, ["cat"], [""], ["red"]),
        ("a cat on red", {"kind": "single", "background": "red"}, ["cat"], [""], []),
        ("a cat, a wolf and a hat", {"kind": "next_to"}, ["cat", "wolf"], ["", ""], ["hat"]),
        ("a cat riding a gift", {"kind": "next_to"}, ["cat", "gift"], ["", ""], ["riding"]),
        ("a cat riding a fire truck", {"kind": "riding"}, ["cat", "fire truck"], ["", ""], []),
        ("two cats", {"kind": "several", "count": "2"}, ["cat"], [""], []),
        ("9 cats", {"kind": "several", "count": "4"}, ["cat"], [""], ["9"]),
        ("900 cats", {"kind": "several", "count": "4"}, ["cat"], [""], ["900"]),
        ("a orange cat, a orange", {"kind": "single"}, ["cat"], ["orange"], []),
        ("the orange, a cat", {"kind": "single"}, ["cat"], [""], ["orange"]),
        ("42", {"kind": "digits", "digits": "4", "second digit": "2"}, [], [], []),
        ("on the moon", {"kind": "", "place": "moon"}, [], [], []),
        ("a cat on the moon", {"kind": "single"}, ["cat"], [""], ["moon"]),
        ("a cat " * 33, {"kind": "single"}, ["cat"], [""], ["cat"] * 31),
        ("no wolf, a cat", {"kind": "single"}, ["cat"], [""], ["no wolf"]),
        ("a cat, a fire truck", {"kind": "single"}, ["cat"], [""], ["fire truck"]),
    ],
)
def test_words_that_change_nothing_are_listed(
    prompt: str, answers: dict[str, str], shown: list[str], colours: list[str], unused: list[str]
) -> None:
    words = read_words(prompt, VOCABULARY)
    mentions = [next(m for m in words.mentions if m.concept == name) for name in shown]
    parsed = ParsedPrompt(answers, tuple(mentions), tuple(colours))
    found = account_for(words, parsed, VOCABULARY).unused
    assert [prompt[phrase[0].start : phrase[-1].end] for phrase in found] == unused


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.data())
def test_every_word_is_shown_or_said(texts: list[str], data: st.DataObject) -> None:
    """Whatever a parser answers."""
    words = read_words(" ".join(texts), VOCABULARY)
    kinds = ["", "single", "several", "next_to"][: len({*words.mentions}) + 2]
    kind = data.draw(st.sampled_from(kinds))
    shown = words.mentions[: {"": 0, "next_to": 2}.get(kind, 1)]
    answers = {"kind": kind, "count": "2", "place": data.draw(st.sampled_from(["", "beach"]))}
    colours = tuple(data.draw(st.sampled_from(["", "red", "orange"])) for _ in shown)
    account = account_for(words, ParsedPrompt(answers, shown, colours), VOCABULARY)
    said = {word for phrase in account.unused for word in phrase}
    said_otherwise = {word for each in account.otherwise for word in each.words}
    assert said.isdisjoint(said_otherwise)
    drawn = {word for mention in shown for word in mention.words}
    led_to = {f"{question}={answer}" for question, answer in answers.items()}
    led_to |= {f"colour={colour}" for colour in colours}
    for word in {*words.words} - said - said_otherwise - drawn:
        cues = VOCABULARY.cues.get(word.text, ())
        assert not led_to.isdisjoint(cues) or (word.text in VOCABULARY.words and not cues)
