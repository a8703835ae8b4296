"""What prompts name, read with the vocabulary of all concepts and words."""

from __future__ import annotations

import pytest

from sheepgen.embedded.prompt import read_words
from sheepgen.training.text_encoder.build_vocabulary import build_vocabulary

VOCABULARY = build_vocabulary()


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
def test_things_and_unknown_words(prompt: str, concepts: str, unknown: str) -> None:
    read = read_words(prompt, VOCABULARY)
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
def test_what_the_parser_sees(prompt: str, symbols: str) -> None:
    assert " ".join(read_words(prompt, VOCABULARY).symbols) == symbols


def test_no_english_word_makes_a_prompt_foreign() -> None:
    marks = VOCABULARY.foreign.keys() - VOCABULARY.ambiguous
    english = {*VOCABULARY.real, *VOCABULARY.words, *VOCABULARY.forms}
    assert sorted(marks & english) == []
