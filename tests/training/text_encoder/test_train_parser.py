from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.embedded.prompt import read_words
from sheepgen.training.config import TextConfig
from sheepgen.training.data.icon_sets import STYLES
from sheepgen.training.text_encoder.build_vocabulary import build_vocabulary
from sheepgen.training.text_encoder.prompt_dataset import PromptDataset, PromptExample
from sheepgen.training.text_encoder.train_parser import (
    NOT_ASKED,
    QUESTIONS,
    build_parser,
    collate,
    parser_loss,
    train_parser,
)

if TYPE_CHECKING:
    from pathlib import Path

CAST = (
    *("sheep", "cat", "dog", "motorcycle", "top hat", "pair of sunglasses", "book", "balloon"),
    *("house", "tree", "apple", "snowman", "pine tree", "fish"),
)
VOCABULARY = build_vocabulary(CAST)
CONFIG = TextConfig(width=32, layers=1, heads=2, steps=12, batch_size=16, learning_rate=5e-3)
CPU = torch.device("cpu")


def test_examples_are_reproducible_and_differ() -> None:
    dataset = PromptDataset(0, VOCABULARY, STYLES)
    assert [dataset[index] for index in range(20)] == [dataset[index] for index in range(20)]
    assert len({dataset[index].prompt for index in range(20)}) > 15
    assert dataset[3] != PromptDataset(1, VOCABULARY, STYLES)[3]


def test_every_example_can_be_answered() -> None:
    dataset = PromptDataset(0, VOCABULARY, STYLES)
    kinds = set()
    for index in range(400):
        example = dataset[index]
        words = read_words(example.prompt, VOCABULARY)
        named = {mention.concept for mention in words.mentions if mention.how == "name"}
        assert {example.first, example.second} - {""} <= named, example.prompt
        assert not words.corrections, example.prompt
        assert example.answers.keys() <= QUESTIONS.keys()
        assert all(example.answers[name] in QUESTIONS[name] for name in example.answers)
        assert all(word.text in VOCABULARY.real or len(word.text) for word in words.unknown)
        kinds.add(example.answers.get("kind", ""))
    assert kinds == {*QUESTIONS["kind"]}


def test_mentions_are_aligned_with_the_scene() -> None:
    parser = build_parser(VOCABULARY, CONFIG)
    example = PromptExample(
        prompt="a red sheep riding a motorcycle, a dog and another sheep on the moon",
        answers={"kind": "riding", "count": "1", "place": "moon"},
        first="sheep",
        second="motorcycle",
        colours={"sheep": "red"},
    )
    batch = collate(
        [example, PromptExample(prompt="7", answers={"digits": "7"})], VOCABULARY, parser
    )
    asked = batch.owners[0] != NOT_ASKED
    assert batch.owners[0][asked].tolist() == [1, 2, 0, 0]
    assert [parser.colours[one] for one in batch.colours[0] if one != NOT_ASKED] == ["red", ""]
    assert batch.ids[1].count_nonzero() == 1
    right = {name: QUESTIONS[name][numbers[0]] for name, numbers in batch.questions.items()}
    assert {name: answer for name, answer in right.items() if answer} == example.answers


def test_training_learns_and_is_not_repeated(tmp_path: Path) -> None:
    def train() -> tuple[list[float], torch.Tensor]:
        parser = build_parser(VOCABULARY, CONFIG)
        steps = train_parser(parser, VOCABULARY, CONFIG, tmp_path / "text.pt", CPU)
        losses = [step.loss for step in steps if step.loss is not None]
        return losses, parser.embedding.weight

    losses, weights = train()
    assert len(losses) == CONFIG.steps
    assert losses[-1] < 0.8 * losses[0]
    again, loaded = train()
    assert again == []
    torch.testing.assert_close(loaded, weights, rtol=0, atol=0)


def test_an_untrained_parser_knows_nothing_and_learns_from_prompts_without_mentions() -> None:
    parser = build_parser(VOCABULARY, CONFIG)
    batch = collate(
        [PromptExample(prompt=""), PromptExample(prompt="at night")], VOCABULARY, parser
    )
    loss = parser_loss(parser, batch)
    loss.backward()  # type: ignore[no-untyped-call]
    by_chance = sum(math.log(len(answers)) for answers in QUESTIONS.values())
    assert loss.item() == pytest.approx(by_chance, rel=0.3)
