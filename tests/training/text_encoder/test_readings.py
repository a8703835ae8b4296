"""What prompts name, read with the vocabulary of all concepts and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sheepgen.embedded.prompt import read_words

if TYPE_CHECKING:
    from sheepgen.embedded.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("prompt", "concepts", "unknown"),
    [
        ("cute baby elephant in a bathtub", "elephant, bathtub", "cute baby"),
        ("baby panda", "panda", "baby"),
        ("a golden retriever puppy", "golden retriever", ""),
        ("a strawberry ice cream", "ice cream cone", "strawberry"),
        ("robot dog", "dog", "robot"),
        ("a cat with blue eyes", "cat", "eyes"),
        ("a white house with a green door and two windows", "house", "door windows"),
        ("a snowman with a carrot nose", "snowman", "carrot nose"),
        ("a bowl of cherries", "pair of cherries", "bowl"),
        ("a cup of tea", "cup of coffee", ""),
        ("the eiffel tower", "tower", "eiffel"),
        ("un chat noir", "cat", ""),
        ("a chat", "", "chat"),
        ("der Hund und die Katze", "dog, cat", ""),
        ("dos gatos", "cat", ""),
        ("boat on the ocean", "yacht", ""),
        ("🐈 and 🐕", "cat, dog", ""),
        ("mother and child", "mother with a baby", ""),
        ("my dad and my son", "man, boy", ""),
        ("a heart that is broken", "broken heart", ""),
        ("a man who is running", "running man", ""),
        ("happy birthday", "gift", "happy"),
        ("picnic in the park", "basket", ""),
        ("a pair of shoes", "leather shoe", ""),
        ("sunset over the mountains", "sunrise over mountains", ""),
        ("a bowl of red cherries", "pair of cherries", "bowl"),
        ("a glass of red wine", "glass of wine", ""),
        ("eine alte Frau mit Hund", "woman, dog", "alte"),
        ("el sol y la luna", "sun, crescent moon", ""),
        ("what about a lion this time, pls?", "lion", ""),
    ],
)
def test_things_and_unknown_words(
    prompt: str, concepts: str, unknown: str, vocabulary: Vocabulary
) -> None:
    read = read_words(prompt, vocabulary)
    assert ", ".join(mention.concept for mention in read.mentions) == concepts
    assert " ".join(word.text for word in read.unknown) == unknown


@pytest.mark.parametrize(
    ("prompt", "symbols"),
    [
        ("un perro en la playa", "a <animate> on the beach"),
        ("a pack of wolves", "a flock of <animate plural>"),
        ("ein schwarzer Hund am Strand", "a black <animate> on the beach"),
        ("a tall man", "a <other> <animate>"),
        ("in front of tall buildings", "in front of tall buildings"),
        ("a cosy living room", "a <other> living room"),
    ],
)
def test_what_the_parser_sees(prompt: str, symbols: str, vocabulary: Vocabulary) -> None:
    assert " ".join(read_words(prompt, vocabulary).symbols) == symbols


def test_no_english_word_makes_a_prompt_foreign(vocabulary: Vocabulary) -> None:
    marks = vocabulary.foreign.keys() - vocabulary.ambiguous
    english = {*vocabulary.real, *vocabulary.words, *vocabulary.forms}
    assert sorted(marks & english) == []
