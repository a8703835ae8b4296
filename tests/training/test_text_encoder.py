"""The tokenizer encodes everything, and the teacher's targets stand where the student can know."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.training.appearance import Appearances
from sheepgen.training.config import TextConfig
from sheepgen.training.phrases import LEXICON_SHARE, Piece, sample_phrase
from sheepgen.training.sentence_encoder import SentenceEncoder
from sheepgen.training.slots import MARK, MARKS, SLOTS
from sheepgen.training.teacher import SPARE, Teacher
from sheepgen.training.text_encoder import (
    build_text_encoder,
    encode_captions,
    train_text_encoder,
)
from sheepgen.training.tokenizer import build_tokenizer
from sheepgen.training.vocabulary import Vocabulary
from tests.training.data.fakes import Blocks

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import CLIPTokenizer

CONFIG = TextConfig(
    vocab_size=700, max_tokens=SLOTS + 20, hidden_size=32, layers=1, heads=2, steps=30, batch_size=8
)
CAPTIONS = [f"a {thing} {where}" for thing in ("sheep", "cat") for where in ("at night", "riding")]
LABELS = ["a sheep, flat style", "glossy style cat"]
WITHOUT_LEXICON = Vocabulary(words=["owl"], lexicon={})
SHOWN = 3
LOOKS = slice(CONFIG.hidden_size - SPARE - SHOWN, CONFIG.hidden_size - SPARE)
WORDS = ["motorcycle", "lamb", "kitten", "red apple"]


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    """Return a tokenizer learned from a few captions."""
    return build_tokenizer(CAPTIONS * 10, WORDS * 10, CONFIG)


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


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    """Return a teacher for `CONFIG`."""
    sentences = [*CAPTIONS, *WORDS, "a cat", "a lamb", "two sheep", "a motorcycle at night"] * 4
    appearances = Appearances.fitted(Blocks(), ("sheep", "cat", "motorcycle", "hot dog"), SHOWN)
    return Teacher.fitted(SentenceEncoder(), appearances, sentences, CONFIG.hidden_size)


def test_targets_stand_on_last_pieces_and_behind_the_end(
    tokenizer: CLIPTokenizer, teacher: Teacher
) -> None:
    said = "a motorcycle at night"
    batch = teacher.batch([[Piece(said, said)]], tokenizer)
    pieces = tokenizer.convert_ids_to_tokens(batch.input_ids[0])
    end = pieces.index("<|endoftext|>")
    marked = [index for index in range(end) if batch.weights[0, index].min() > 0]
    assert [pieces[index].endswith("</w>") for index in marked] == [True] * 4
    assert batch.weights[0, 0].max() == 0
    padding = slice(end, len(pieces) - SLOTS)
    assert batch.weights[0, padding].sum(0).tolist() == pytest.approx([2.0] * CONFIG.hidden_size)
    assert torch.equal(batch.targets[0, end], batch.targets[0, padding][-1])
    assert batch.targets[0, :, -SPARE:].abs().max() == 0


def test_a_thing_looks_as_it_does_at_its_name_and_behind_the_end(
    tokenizer: CLIPTokenizer, teacher: Teacher
) -> None:
    said = "a motorcycle on a hot dog"
    batch = teacher.batch([[Piece(said, said)]], tokenizer)
    words = [at for at in range(20) if (batch.weights[0, at] == 1.0).all()]
    looks = batch.targets[0, :, LOOKS]
    motorcycle, hot_dog = (
        teacher.appearances.look("noto", name) for name in ("motorcycle", "hot dog")
    )
    assert torch.equal(looks[words[5]], hot_dog.whole)
    assert looks[words[:1] + words[2:5]].abs().max() == 0
    end = int((batch.input_ids[0] == tokenizer.eos_token_id).int().argmax())
    assert torch.allclose(looks[end], motorcycle.whole + hot_dog.whole)


def test_slots_show_patches_of_the_first_things(tokenizer: CLIPTokenizer, teacher: Teacher) -> None:
    said = "a sheep on a red hot dog on a motorcycle"
    batch = teacher.batch([[Piece(said, said)]], tokenizer)
    slots = batch.targets[0, -SLOTS:].reshape(2, -1, CONFIG.hidden_size)
    looks = [
        teacher.appearances.look("noto", "sheep"),
        teacher.appearances.look("noto", "hot dog", "red"),
    ]
    for slot, look in zip(slots, looks, strict=True):
        assert torch.equal(slot[:, LOOKS], look.patches)
    marks = slots[..., :MARKS].flatten(0, 1)
    assert len({tuple(mark.tolist()) for mark in marks}) == SLOTS
    assert set(marks.flatten().tolist()) == {0.0, MARK}
    assert (marks > 0).sum(1).tolist() == [3] * SLOTS
    # Their names are marked, too; of the third thing there is no more than its name.
    words = batch.targets[0, :-SLOTS, :MARKS]
    assert words[:, 2:].abs().max() == 0
    assert words[:, :2].argmax(0).diff() > 0
    assert words.sum(0)[:2].tolist() == [MARK, MARK]


def test_slots_of_no_thing_are_empty(tokenizer: CLIPTokenizer, teacher: Teacher) -> None:
    batch = teacher.batch([[Piece("two cats", "two cats")]], tokenizer)
    slots = batch.targets[0, -SLOTS:].reshape(2, -1, CONFIG.hidden_size)
    assert slots[0].abs().amax(1).min() > 0
    assert slots[1].abs().max() == 0


def test_what_is_cut_off_is_not_learned(tokenizer: CLIPTokenizer, teacher: Teacher) -> None:
    said = "a sheep riding " + "a " * 60 + "cat"
    batch = teacher.batch([[Piece(said, said)]], tokenizer)
    sheep = teacher.appearances.look("noto", "sheep")
    assert torch.equal(batch.targets[0, -1, LOOKS], sheep.whole)


def test_a_long_prompt_takes_slots_places(tokenizer: CLIPTokenizer, teacher: Teacher) -> None:
    said = "a sheep at night " + "a " * 17 + "cat"
    batch = teacher.batch([[Piece(said, said)]], tokenizer)
    end = int((batch.input_ids[0] == tokenizer.eos_token_id).int().argmax())
    first = CONFIG.max_tokens - SLOTS
    assert end > first
    assert batch.targets[0, : end + 1, 2:MARKS].abs().max() == 0
    sheep = teacher.appearances.look("noto", "sheep")
    kept = slice(end + 1 - first, SLOTS // 2)
    assert torch.equal(batch.targets[0, first:, LOOKS][kept], sheep.patches[kept])


def test_a_teacher_is_kept(tokenizer: CLIPTokenizer, teacher: Teacher, tmp_path: Path) -> None:
    torch.save(teacher.state(), tmp_path / "teacher.pt")
    state = torch.load(tmp_path / "teacher.pt", weights_only=True)
    restored = Teacher.restored(teacher.encoder, Blocks(), state)
    phrase = [[Piece("a sheep", "a sheep")]]
    targets = [who.batch(phrase, tokenizer).targets for who in (teacher, restored)]
    assert torch.equal(*targets)


def test_a_word_of_the_lexicon_means_its_concept(
    tokenizer: CLIPTokenizer, teacher: Teacher
) -> None:
    meant = teacher.batch([[Piece("a hot dog riding", "a hot dog riding")]], tokenizer)
    said = teacher.batch(
        [[Piece("a", "a"), Piece("lamb", "hot dog"), Piece("riding", "riding")]], tokenizer
    )
    # Whole sentences are alike, and last words of what is said and what is meant.
    assert torch.allclose(said.targets[0, -1], meant.targets[0, -1], atol=1e-5)
    marked = [batch.targets[0][(batch.weights[0] == 1.0).all(1)] for batch in (said, meant)]
    assert [len(targets) for targets in marked] == [3, 4]
    assert torch.allclose(marked[0], marked[1][[0, 2, 3]], atol=1e-5)


def test_phrases_say_words_and_mean_concepts() -> None:
    lexicon = {"lorry": "truck", "steed": "horse", "omnibus": "owl"}
    vocabulary = Vocabulary(words=["owl", "tree"], lexicon=lexicon)
    phrases = [sample_phrase(random.Random(seed), vocabulary) for seed in range(200)]
    pieces = [piece for phrase in phrases for piece in phrase]
    assert {piece.meant for piece in pieces if piece.said == "lorry"} == {"truck"}
    assert {piece.meant for piece in pieces if piece.said == "tree"} == {"tree"}
    assert Piece("an", "an") in pieces
    assert all(
        piece.said == piece.meant for piece in sample_phrase(random.Random(1), WITHOUT_LEXICON)
    )
    shares = Counter(
        piece.said in lexicon for piece in pieces if piece.said in {*lexicon, "owl", "tree"}
    )
    assert shares[True] / shares.total() == pytest.approx(LEXICON_SHARE, abs=0.1)


def test_words_begin_with_what_they_mean_alone(
    tokenizer: CLIPTokenizer, teacher: Teacher, tmp_path: Path
) -> None:
    encoder = build_text_encoder(tokenizer, CONFIG)
    resting = replace(CONFIG, steps=1, learning_rate=0.0)
    vocabulary = Vocabulary(words=WORDS, lexicon={"night": "motorcycle"})
    list(
        train_text_encoder(
            encoder,
            tokenizer,
            teacher,
            CAPTIONS,
            LABELS,
            vocabulary,
            resting,
            tmp_path / "text.pt",
            torch.device("cpu"),
        )
    )
    for said, meant in (("sheep", "sheep"), ("night", "motorcycle")):
        batch = teacher.batch([[Piece(said, meant)]], tokenizer)
        with torch.inference_mode():
            states = encoder(batch.input_ids)[0]
        alike = torch.cosine_similarity(states[0], batch.targets[0], dim=-1)
        assert alike[1] > 0.8
        # Slots that show the thing know at least where they are.
        assert alike[-SLOTS : -SLOTS // 2].min() > 0.3


def test_distilling_brings_the_student_nearer(
    tokenizer: CLIPTokenizer, teacher: Teacher, tmp_path: Path
) -> None:
    config = replace(CONFIG, learning_rate=3e-3)
    encoder = build_text_encoder(tokenizer, config)
    training = train_text_encoder(
        encoder,
        tokenizer,
        teacher,
        CAPTIONS,
        LABELS,
        Vocabulary(words=WORDS, lexicon={"ram": "sheep"}),
        config,
        tmp_path / "text.pt",
        torch.device("cpu"),
    )
    losses = [report.loss for report in training if report.loss is not None]
    assert len(losses) == config.steps
    assert sum(losses[-6:]) < 0.9 * sum(losses[:6])
    states = encode_captions(encoder, tokenizer, CAPTIONS, torch.device("cpu"))
    assert states.shape == (len(CAPTIONS), config.max_tokens, config.hidden_size)
    assert states.dtype == torch.float16
