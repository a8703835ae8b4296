from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.embedded.prompt import phrase_key, read_words
from sheepgen.models.families import PROMPT_SYMBOLS
from tests.embedded.vocabularies import tiny_vocabulary

VOCABULARY = tiny_vocabulary()


def mentions(prompt: str) -> list[tuple[str, bool, str]]:
    read = read_words(prompt, VOCABULARY)
    return [(mention.concept, mention.plural, mention.how) for mention in read.mentions]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a cat", [("cat", False, "name")]),
        ("CATS!", [("cat", True, "name")]),
        ("two kittens", [("cat", True, "near")]),
        ("wolves", [("wolf", True, "name")]),
        ("the wolf's hat", [("sun hat", False, "name")]),
        ("a fire-truck", [("fire truck", False, "name")]),
        ("fire trucks", [("fire truck", True, "name")]),
        ("eine Kätze", [("cat", False, "name")]),
        ("die Katzen", [("cat", True, "name")]),
        ("le chat", [("cat", False, "name")]),
        ("chat", [("cat", False, "near")]),
        ("a chat", []),
        ("chât", [("cat", False, "name")]),
        ("le chats", [("cat", True, "name")]),
        ("le chatons", []),
        ("hounds", [("wolf", True, "near")]),
        ("birthday", [("gift", False, "evoked")]),
        ("a cat's birthday", [("cat", False, "name")]),
        ("a cat on the moon", [("cat", False, "name")]),
        ("the moon", [("full moon", False, "name")]),
        ("truck", []),
    ],
)
def test_names_are_looked_up(prompt: str, expected: list[tuple[str, bool, str]]) -> None:
    assert mentions(prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "symbols"),
    [
        ("a cat riding two fire trucks", "<animate> <ridden plural>"),
        ("a gift with a hat", "<held base> <hat>"),
    ],
)
def test_the_parser_sees_classes_in_place_of_names(prompt: str, symbols: str) -> None:
    read = read_words(prompt, VOCABULARY)
    seen = [read.symbols[mention.symbol] for mention in read.mentions]
    assert " ".join(seen) == symbols


def test_other_words_are_themselves_or_unknown() -> None:
    read = read_words("Please: a picture of a sad cat at night, 8k, 42 &  700", VOCABULARY)
    assert read.symbols == (
        *("a", "a", "<other>", "<animate>", "at", "night", ",", ",", "4", "+2", "and", "<number>"),
    )
    assert [word.text for word in read.unknown] == ["sad"]
    assert [len(words) for words in read.places] == [1] * 12


@pytest.mark.parametrize(
    ("typed", "read_as"),
    [("elefant", "elephant"), ("kiten", "kitten"), ("wovles", "wolves"), ("nigth", "night")],
)
def test_spelling_is_corrected_and_reported(typed: str, read_as: str) -> None:
    read = read_words(f"a {typed.upper()} at night", VOCABULARY)
    assert [(each.typed, each.read) for each in read.corrections] == [(typed.upper(), read_as)]
    assert read_words(f"a {read_as} at night", VOCABULARY).symbols == read.symbols


@pytest.mark.parametrize("word", ["catch", "catches", "boss", "bosses", "fighting", "gilt", "cta"])
def test_english_words_and_short_words_are_never_corrected(word: str) -> None:
    read = read_words(word, VOCABULARY)
    assert not read.corrections
    assert [unknown.text for unknown in read.unknown] == [word]


def test_words_know_where_they_stand() -> None:
    prompt = "Two  hounds,and a\tfire-truck"
    read = read_words(prompt, VOCABULARY)
    found = [(prompt[word.start : word.end], word.place) for word in read.words]
    assert found == [
        *(("Two", 0), ("hounds", 1), (",", 1), ("and", 1), ("a", 2), ("fire", 3), ("truck", 3)),
    ]


def test_a_long_prompt_is_read_up_to_a_limit() -> None:
    read = read_words("a " * PROMPT_SYMBOLS + "cat", VOCABULARY)
    assert len(read.symbols) == PROMPT_SYMBOLS
    assert not read.mentions
    assert [word.text for word in read.unread] == ["cat"]


def test_a_picture_in_the_prompt_is_a_word() -> None:
    read = read_words("a cat 🎉", VOCABULARY)
    assert [word.text for word in read.unknown] == ["🎉"]


@pytest.mark.parametrize(
    ("text", "key"),
    [("T-Rex", "t rex"), ("Piñata", "pinata"), ("jack-o'-lantern", "jack o lantern")],
)
def test_phrases_are_looked_up_as_prompts_are_read(text: str, key: str) -> None:
    assert phrase_key(text) == key


@given(st.text(max_size=80) | st.lists(st.sampled_from([*VOCABULARY.forms, *VOCABULARY.words])))
def test_any_text_can_be_read(text: str | list[str]) -> None:
    prompt = text if isinstance(text, str) else " ".join(text)
    read = read_words(prompt, VOCABULARY)
    ends = 0
    for word in read.words:
        assert ends <= word.start < word.end <= len(prompt)
        assert prompt[word.start : word.end] in prompt.split()[word.place]
        ends = word.end
    assert len(read.symbols) == len(read.places) <= PROMPT_SYMBOLS
    assert all(symbol in VOCABULARY.ids for symbol in read.symbols)
    for mention in read.mentions:
        assert read.places[mention.symbol] == mention.words


def test_a_model_without_digits_reads_numbers_all_the_same() -> None:
    vocabulary = tiny_vocabulary()
    words = tuple(word for word in vocabulary.words if not word.lstrip("+").isdecimal())
    without = replace(vocabulary, words=words)
    for text in ("42", "7 cats"):
        assert {*read_words(text, without).symbols} <= without.ids.keys()


@pytest.mark.parametrize(
    ("prompt", "symbols"),
    [
        ("die Katze am Strand", "the <animate> on the beach"),
        ("die a cat", "<other> a <animate>"),
        ("a cat beside a wolf", "a <animate> next to a <animate>"),
    ],
)
def test_words_are_read_as_others_that_the_parser_knows(prompt: str, symbols: str) -> None:
    assert " ".join(read_words(prompt, VOCABULARY).symbols) == symbols
