"""What attention is taught to look at: its loss and gradients, the U-Net's own result untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional

from sheepgen.embedded.memory_tokens import MEMORY_TOKENS
from sheepgen.training.config import DiffusionConfig
from sheepgen.training.unet.attention_supervision import (
    LEAST,
    NOTHING,
    AttentionSupervision,
    _SupervisedProcessor,
    supervised_attention,
)
from sheepgen.training.unet.build import build_unet

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel
    from torch import Tensor

WORDS = 3
TOKENS = WORDS + MEMORY_TOKENS
PLACES = 10
SIDE = 8
STATE_WIDTH = 12
UNET = DiffusionConfig(
    channels=(8, 16, 16), attention_level=1, text_width=8, head_dim=8, norm_groups=4,
    embedding_size=32,
)  # fmt: skip
FINEST = {
    "down_blocks.0.attentions.0.processor",
    "up_blocks.2.attentions.0.processor",
    "up_blocks.2.attentions.1.processor",
}


def plain_attention(
    query: Tensor, key: Tensor, value: Tensor, shown: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the same as PyTorch computes it."""
    logits = query @ key.mT
    right = torch.where(shown == NOTHING, -100, shown + WORDS)
    loss = functional.cross_entropy(logits.flatten(0, 1), right.flatten(), ignore_index=-100)
    return torch.softmax(logits, -1) @ value, loss


@pytest.fixture
def seen() -> tuple[Tensor, Tensor, Tensor]:
    """Return query, key and value, of two pictures, float64."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(2, count, 4, generator=generator, dtype=torch.float64).requires_grad_()
        for count in (PLACES, TOKENS, TOKENS)
    )
    return query, key, value


@pytest.fixture
def shown() -> Tensor:
    """Return slots, the first and the last among them, and places that show none."""
    slots = torch.randint(MEMORY_TOKENS, (2, PLACES), generator=torch.Generator().manual_seed(1))
    slots[0, :4] = torch.tensor([0, MEMORY_TOKENS - 1, NOTHING, NOTHING])
    slots[1, 5:] = NOTHING
    return slots


def test_it_is_plain_attention_and_its_mean_cross_entropy(
    seen: tuple[Tensor, Tensor, Tensor], shown: Tensor
) -> None:
    for own, plain in zip(
        supervised_attention(*seen, shown), plain_attention(*seen, shown), strict=True
    ):
        torch.testing.assert_close(own, plain, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(("by_brought", "by_loss"), [(1.0, 0.0), (0.0, 1.0), (1.0, 0.3)])
def test_its_gradients_are_theirs(
    by_brought: float, by_loss: float, seen: tuple[Tensor, Tensor, Tensor], shown: Tensor
) -> None:
    generator = torch.Generator().manual_seed(2)
    wanted = torch.randn(2, PLACES, 4, generator=generator, dtype=torch.float64)
    gradients = []
    for attend in (supervised_attention, plain_attention):
        brought, loss = attend(*seen, shown)
        total = by_brought * (brought * wanted).sum() + by_loss * loss
        gradients.append(torch.autograd.grad(total, seen))
    for own, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(own, plain, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("weights_in", [torch.bfloat16, torch.float32])
def test_it_learns_in_bfloat16(
    weights_in: torch.dtype,
    seen: tuple[Tensor, Tensor, Tensor],
    shown: Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    softmax = torch.Tensor.softmax
    # On a GPU, autocast computes the weights in float32.
    monkeypatch.setattr(
        torch.Tensor, "softmax", lambda logits, dim: softmax(logits.to(weights_in), dim)
    )
    rounded = [part.detach().bfloat16() for part in seen]
    exact = [part.double() for part in rounded]
    gradients = []
    for attend, given in ((supervised_attention, rounded), (plain_attention, exact)):
        query, key, value = (part.requires_grad_() for part in given)
        with torch.autocast("cpu", torch.bfloat16, enabled=attend is supervised_attention):
            brought, loss = attend(query, key, value, shown)
        total = brought.double().square().sum() + loss.double()
        gradients.append((total, *torch.autograd.grad(total, (query, key, value))))
    # Eight bits tell a number to a two hundredth part.
    for own, expected in zip(*gradients, strict=True):
        scale = expected.abs().max().item()
        torch.testing.assert_close(own.double(), expected, atol=0.03 * scale, rtol=0)


def test_what_shows_nothing_does_not_count(
    seen: tuple[Tensor, Tensor, Tensor], shown: Tensor
) -> None:
    query, key, value = (part[:1] for part in seen)
    counted = shown[0] != NOTHING
    _, with_nothing = supervised_attention(query, key, value, shown[:1])
    _, without = supervised_attention(query[:, counted], key, value, shown[:1, counted])
    torch.testing.assert_close(with_nothing, without, atol=1e-12, rtol=0)


def test_where_nothing_is_shown_at_all_there_is_nothing_to_learn(
    seen: tuple[Tensor, Tensor, Tensor], shown: Tensor
) -> None:
    brought, loss = supervised_attention(*seen, torch.full_like(shown, NOTHING))
    assert loss.item() == 0
    torch.testing.assert_close(brought, plain_attention(*seen, shown)[0], atol=1e-12, rtol=0)
    for gradient in torch.autograd.grad(loss, seen):
        assert gradient.abs().max() == 0


def sharply(sharpness: float, slots: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of who looks, so sharply, at slots, and its gradient by the query."""
    key = torch.cat([torch.zeros(WORDS, MEMORY_TOKENS), torch.eye(MEMORY_TOKENS)])[None]
    query = (sharpness * torch.eye(MEMORY_TOKENS)[slots]).requires_grad_()
    loss = supervised_attention(query, key, key, shown)[1]
    return loss, torch.autograd.grad(loss, query)[0]


def test_who_looks_at_the_right_slot_has_nothing_to_learn() -> None:
    slots = torch.tensor([[5, 0, MEMORY_TOKENS - 1]])
    loss, gradient = sharply(50, slots, slots)
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert gradient.abs().max() < 1e-6


def test_who_looks_nowhere_loses_the_logarithm_of_the_tokens() -> None:
    slots = torch.tensor([[5, 0, MEMORY_TOKENS - 1]])
    loss, _ = sharply(0, slots, slots)
    assert loss.item() == pytest.approx(torch.tensor(TOKENS).log().item(), abs=1e-5)


def test_who_looks_elsewhere_loses_much_yet_not_without_end_and_learns() -> None:
    loss, gradient = sharply(200, torch.tensor([[5]]), torch.tensor([[6]]))
    assert loss.item() == pytest.approx(-torch.tensor(LEAST).log().item(), rel=1e-5)
    assert gradient[0, 0, 5].item() == pytest.approx(1)
    assert gradient[0, 0, 6].item() == pytest.approx(-1)


def build() -> UNet2DConditionModel:
    """Return an untrained U-Net of three levels."""
    return build_unet(UNET, latent_channels=3, sample_size=SIDE, token_width=STATE_WIDTH)


def draw(network: UNet2DConditionModel) -> Tensor:
    """Return what the network makes of two noisy pictures."""
    generator = torch.Generator().manual_seed(3)
    noisy = torch.randn(2, 3, SIDE, SIDE, generator=generator)
    states = torch.randn(2, TOKENS, STATE_WIDTH, generator=generator)
    clean: Tensor = network(noisy, torch.tensor([20, 900]), states).sample
    return clean


def some_shown() -> Tensor:
    """Return slots for two pictures, and nothing in their upper rows."""
    slots = torch.randint(
        MEMORY_TOKENS, (2, SIDE, SIDE), generator=torch.Generator().manual_seed(4)
    )
    slots[:, :2] = NOTHING
    return slots


def test_a_watched_unet_draws_and_learns_what_it_would() -> None:
    watched, plain = build(), build()
    supervision = AttentionSupervision(watched)
    supervision.set_target(some_shown())
    pictures = [draw(network) for network in (watched, plain)]
    torch.testing.assert_close(*pictures, atol=1e-5, rtol=0)
    gradients = [
        torch.autograd.grad(picture.square().sum(), [*network.parameters()])
        for picture, network in zip(pictures, (watched, plain), strict=True)
    ]
    for own, expected in zip(*gradients, strict=True):
        scale = expected.abs().max().clamp(min=1).item()
        torch.testing.assert_close(own, expected, atol=1e-4 * scale, rtol=0)


def test_the_finest_level_alone_is_watched() -> None:
    network = build()
    AttentionSupervision(network)
    processors = network.attn_processors
    assert {
        name for name, own in processors.items() if isinstance(own, _SupervisedProcessor)
    } == FINEST
    assert any(name.startswith("mid_block") for name in processors)
    assert any(name.startswith("down_blocks.1") for name in processors)
    # One head each, whose weights are all there is.
    for name in FINEST:
        assert network.get_submodule(name.removesuffix(".processor")).heads == 1


def test_the_loss_is_the_mean_over_layers_and_teaches_where_to_look_alone() -> None:
    network = build()
    supervision = AttentionSupervision(network)
    supervision.set_target(some_shown())
    draw(network)
    loss = supervision.loss()
    layers = [
        own.loss
        for own in network.attn_processors.values()
        if isinstance(own, _SupervisedProcessor)
    ]
    assert len(layers) == len(FINEST)
    torch.testing.assert_close(loss, sum(layers) / len(FINEST), atol=1e-6, rtol=0)
    loss.backward()  # type: ignore[no-untyped-call]
    last = network.get_submodule("up_blocks.2.attentions.1")
    assert last.to_q.weight.grad.abs().max() > 0
    assert last.add_k_proj.weight.grad.abs().max() > 0
    # Nothing that comes after looking is to blame.
    for after in (last.add_v_proj, last.to_out[0], network.conv_out):
        assert after.weight.grad is None or after.weight.grad.abs().max() == 0


def test_every_pass_is_judged_by_what_it_was_to_look_at() -> None:
    network = build()
    supervision = AttentionSupervision(network)
    slots, losses = some_shown(), []
    for shown in (slots, slots.flip(2), slots, torch.full_like(slots, NOTHING)):
        supervision.set_target(shown)
        draw(network)
        losses.append(supervision.loss().item())
    assert losses[0] == losses[2] != losses[1]
    assert losses[3] == 0
