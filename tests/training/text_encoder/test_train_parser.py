"""The tokenizer encodes everything, and the trunk learns what prompts tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.training.data.scene import Scene
from sheepgen.training.data.word_meanings import WordMeanings
from sheepgen.training.text_encoder.attributes import COLOUR_NAMES, FACTS
from sheepgen.training.text_encoder.collate import read_lessons
from sheepgen.training.text_encoder.compile import unfold
from sheepgen.training.text_encoder.memory_tokens import SLOTS
from sheepgen.training.text_encoder.prompt_dataset import Lesson, Lessons
from sheepgen.training.text_encoder.prompt_parser import SLOT_PLACES
from sheepgen.training.text_encoder.tokenizer import build_tokenizer
from sheepgen.training.text_encoder.train_parser import (
    build_trunk,
    encode_captions,
    train_trunk,
    trunk_loss,
)
from tests.training.text_fakes import CAPTIONS, CONFIG, NAMES, WORDS, random_states

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import CLIPTokenizer

CPU = torch.device("cpu")
MEANINGS = WordMeanings({"sheep": 0, "night": 1}, torch.eye(2, 16))


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    """Return a tokenizer learned from a few captions."""
    return build_tokenizer(CAPTIONS * 10, ["motorcycle", "red cat"] * 10, CONFIG)


@pytest.mark.parametrize("text", ["a sheep at night", "Déjà-vu 東京 🐑!", "q", "x" * 40])
def test_every_text_can_be_encoded_and_read_back(tokenizer: CLIPTokenizer, text: str) -> None:
    ids = tokenizer(text)["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.eos_token_id not in ids[1:-1]
    read = tokenizer.decode(ids, skip_special_tokens=True)
    assert read.replace(" ", "") == text.lower().replace(" ", "")


def test_frequent_words_are_one_token(tokenizer: CLIPTokenizer) -> None:
    assert len(tokenizer("a sheep at night")["input_ids"]) == 4 + 2


def test_whole_words_begin_as_what_they_mean(tokenizer: CLIPTokenizer) -> None:
    trunk = build_trunk(tokenizer, NAMES, MEANINGS, CONFIG)
    token = tokenizer.get_vocab()["night</w>"]
    assert torch.equal(trunk.tokens.weight[token], MEANINGS.vectors[1])


def test_lessons_are_read_with_what_should_be_answered(tokenizer: CLIPTokenizer) -> None:
    trunk = build_trunk(tokenizer, NAMES, None, CONFIG)
    lessons = [
        Lesson("A SHEEP.", Scene(kind="single", subject="sheep", style="noto")),
        Lesson(
            "a red cat riding a motorcycle",
            Scene(kind="riding", subject="cat", other="motorcycle", colour="red", style="noto"),
        ),
        Lesson("", None),
    ]
    batch = read_lessons(trunk, tokenizer, lessons, MEANINGS)
    assert batch.things.argmax(-1)[:2].tolist() == [[0, 0, 0], [1, 2, 0]]
    assert batch.things.sum(-1).tolist() == [[1, 1, 1], [1, 1, 0], [0, 0, 0]]
    assert batch.colours.nonzero().tolist() == [[1, 0, COLOUR_NAMES.index("red")]]
    assert batch.facts.sum(-1).tolist() == [3, 3, 0]
    assert batch.facts.shape[1] == FACTS
    assert batch.meant.nonzero().tolist() == [[0, 2]]
    assert torch.equal(batch.meanings[0, 2], MEANINGS.vectors[0])
    assert batch.places.tolist()[-SLOT_PLACES:] == [WORDS, WORDS + 1, WORDS + 2]
    assert (batch.ids[:, -SLOT_PLACES - 1 :] == tokenizer.pad_token_id).all()
    assert len(batch.places) == batch.ids.shape[1]
    assert (batch.places.diff() > 0).all()


def test_padding_is_seen_by_nobody(tokenizer: CLIPTokenizer) -> None:
    trunk = build_trunk(tokenizer, NAMES, None, CONFIG)
    ids = torch.tensor([[tokenizer.bos_token_id, 5, trunk.padding, trunk.padding]])
    places = torch.tensor([0, 1, 2, WORDS])
    whole = trunk(ids, places)
    assert whole.mean(-1).abs().max() < 1e-6
    without = trunk(ids[:, [0, 1, 3]], places[[0, 1, 3]])
    assert torch.allclose(whole[:, [0, 1, 3]], without, atol=1e-6)


def test_training_goes_on_from_a_checkpoint_and_helps(
    tokenizer: CLIPTokenizer, tmp_path: Path
) -> None:
    lessons = Lessons(
        seed=1,
        lexicon={"ram": "sheep"},
        evoked={"wool": "sheep"},
        fillers=["very"],
        mix="house",
        cast=NAMES,
    )
    taught = [lessons[index] for index in range(64)]

    def trained(*steps: int) -> float:
        trunk = build_trunk(tokenizer, NAMES, None, CONFIG)
        path = tmp_path / f"{len(steps)}.pt"
        for number in steps:
            config = replace(CONFIG, steps=number)
            trunk = build_trunk(tokenizer, NAMES, None, CONFIG)
            reports = [*train_trunk(trunk, tokenizer, lessons, MEANINGS, config, path, CPU)]
            assert reports[-1].step == number
        with torch.inference_mode():
            return trunk_loss(trunk, read_lessons(trunk, tokenizer, taught, MEANINGS), CPU).item()

    untaught = trained()
    assert trained(CONFIG.steps) < 0.7 * untaught
    assert trained(CONFIG.steps // 2, CONFIG.steps) < 0.8 * untaught


def test_captions_are_encoded(tokenizer: CLIPTokenizer) -> None:
    trunk = build_trunk(tokenizer, NAMES, None, CONFIG)
    encoder = unfold(trunk, random_states(), tokenizer)
    states = encode_captions(encoder, tokenizer, CAPTIONS[:3], CPU, batch=2)
    assert states.shape == (3, CONFIG.words + SLOTS, encoder.config.hidden_size)
    assert states.dtype == torch.float16
