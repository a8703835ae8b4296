"""What attention is taught to look at: the loss of one head, the layers' own result untouched."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor

from sheepgen.training.lookup import NOTHING, LookupProcessor
from sheepgen.training.slots import SLOTS

WORDS = 3
WIDTH = 8


def cross_attention(heads: int = 2) -> Attention:
    """Return an untrained layer with heads of width 4."""
    torch.manual_seed(0)
    return Attention(query_dim=WIDTH, cross_attention_dim=WIDTH, heads=heads, dim_head=4)


def looking(sharpness: float, shown: torch.Tensor) -> LookupProcessor:
    """Return a processor whose last pass looked, so sharply, at what is shown, (1, side, side)."""
    attention = Attention(
        query_dim=SLOTS, cross_attention_dim=SLOTS, heads=1, dim_head=SLOTS, scale_qk=False
    )
    with torch.no_grad():
        for projection in (attention.to_q, attention.to_k):
            projection.weight.copy_(torch.eye(SLOTS))
    tokens = torch.cat([torch.zeros(WORDS, SLOTS), torch.eye(SLOTS)])[None]
    processor = LookupProcessor()
    places = sharpness * torch.eye(SLOTS)[shown.flatten(1)]
    processor(attention, places, encoder_hidden_states=tokens)
    return processor


def test_layers_compute_what_they_would() -> None:
    attention = cross_attention()
    places, tokens = torch.randn(2, 16, WIDTH), torch.randn(2, WORDS + SLOTS, WIDTH)
    for arguments in ((places,), (places, tokens)):
        expected = AttnProcessor()(attention, *arguments)
        assert torch.equal(LookupProcessor()(attention, *arguments), expected)


def test_the_loss_is_that_of_the_first_heads_weights() -> None:
    attention, processor = cross_attention(), LookupProcessor()
    places, tokens = torch.randn(1, 4, WIDTH), torch.randn(1, WORDS + SLOTS, WIDTH)
    processor(attention, places, tokens)
    shown = torch.tensor([[[0, NOTHING], [5, SLOTS - 1]]])
    query, key = (
        attention.head_to_batch_dim(states)
        for states in (attention.to_q(places), attention.to_k(tokens))
    )
    weights = attention.get_attention_scores(query, key)[0]
    looked_at = torch.stack([weights[0, WORDS], weights[2, WORDS + 5], weights[3, -1]])
    assert processor.loss(shown).item() == pytest.approx(-looked_at.log().mean().item(), abs=1e-5)


def test_coarse_layers_look_at_the_middle_of_their_places() -> None:
    coarse = torch.tensor([[[1, 2], [3, 4]]])
    fine = torch.full((1, 4, 4), 9)
    fine[:, 1::2, 1::2] = coarse
    assert looking(50, coarse).loss(fine).item() == pytest.approx(0, abs=1e-6)
    assert looking(50, coarse).loss(fine.flip(1)).item() > 10


def test_whoever_looks_nowhere_loses_the_logarithm_of_the_tokens() -> None:
    shown = torch.tensor([[[1, 2], [3, 4]]])
    even = torch.tensor(WORDS + SLOTS).log().item()
    assert looking(0, shown).loss(shown).item() == pytest.approx(even)


def test_what_shows_nothing_teaches_nothing() -> None:
    shown = torch.zeros(1, 2, 2, dtype=torch.int64)
    assert looking(1, shown).loss(torch.full_like(shown, NOTHING)).item() == 0


def test_self_attention_is_not_taught() -> None:
    attention, processor = cross_attention(), LookupProcessor()
    processor(attention, torch.randn(1, 4, WIDTH))
    processor(attention, torch.randn(1, 4, WIDTH), torch.randn(1, WORDS + SLOTS, WIDTH))
    shown = torch.zeros(1, 2, 2, dtype=torch.int64)
    first = processor.loss(shown)
    first.backward()  # type: ignore[no-untyped-call]
    assert attention.to_k.weight.grad[:4].abs().sum() > 0
    assert attention.to_k.weight.grad[4:].abs().sum() == 0
    assert attention.to_v.weight.grad is None


def test_a_pass_is_forgotten_once_it_was_judged() -> None:
    attention, processor = cross_attention(), LookupProcessor()
    shown = torch.zeros(1, 2, 2, dtype=torch.int64)
    tokens = torch.randn(1, WORDS + SLOTS, WIDTH)
    losses = []
    for scale in (1, 5):
        processor(attention, torch.ones(1, 4, WIDTH) * scale, tokens)
        losses.append(processor.loss(shown))
    processor(attention, torch.ones(1, 4, WIDTH), tokens)
    assert losses[0] != losses[1]
    assert processor.loss(shown) == losses[0]
