"""Drawings count as told if what the text encoder says of them is what they look like."""

from __future__ import annotations

import torch

from sheepgen.training.data.scene import Scene
from sheepgen.training.evaluation.recall import drawings_told
from sheepgen.training.text_encoder.appearance import Drawing
from sheepgen.training.text_encoder.compile import unfold
from sheepgen.training.text_encoder.tokenizer import build_tokenizer
from tests.training.text_fakes import CAPTIONS, CONFIG, knowing_trunk, random_states


def test_what_is_taken_for_another_drawing_is_not_told() -> None:
    tokenizer = build_tokenizer(CAPTIONS * 10, [], CONFIG)
    cat = Scene(kind="single", subject="cat", style="fluent-emoji-flat")
    states = random_states()
    encoder = unfold(knowing_trunk(tokenizer, cat), states, tokenizer)
    told = drawings_told(encoder, tokenizer, states, torch.device("cpu"))
    assert told.keys() == states.rows.keys()
    assert [drawing for drawing, is_told in told.items() if is_told] == [
        Drawing("fluent-emoji-flat", "cat")
    ]
