from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from diffusers import UNet2DConditionModel
from torch.nn.functional import scaled_dot_product_attention

from sheepgen.pipeline.tiled_attention import attend, use_tiled_attention

TOLERANCE = 0.02
"""Of the largest value. bf16 itself is exact to 0.004."""


def queries_keys_values(
    rows: int, keys: int, *, strength: float = 1.0, dtype: torch.dtype = torch.bfloat16
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the inputs of 2 images and 3 heads; large keys are off their centre, too."""
    draw = torch.Generator().manual_seed(0)
    query, key, value = (
        torch.randn(2, length, 3, 40, generator=draw).transpose(1, 2)
        for length in (rows, keys, keys)
    )
    if strength > 1:
        key = strength * (key + 3 * torch.randn(1, 3, 1, 40, generator=draw))
    return query.to(dtype), key.to(dtype), value.to(dtype)


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("scale", [None, 0.1])
@pytest.mark.parametrize("strength", [1.0, 6.0])
@pytest.mark.parametrize(("rows", "keys"), [(128, 128), (1500, 1000), (7, 300), (1, 128)])
def test_attention_is_that_of_float64(
    rows: int, keys: int, strength: float, scale: float | None
) -> None:
    query, key, value = queries_keys_values(rows, keys, strength=strength)
    expected = scaled_dot_product_attention(
        query.double(), key.double(), value.double(), scale=scale
    )

    attended = attend(query, key, value, scale=scale)

    assert attended.shape == expected.shape
    assert relative_error(attended, expected) < TOLERANCE


def test_tiles_end_where_the_picture_does(monkeypatch: pytest.MonkeyPatch) -> None:
    query, key, value = queries_keys_values(200, 150)
    whole = attend(query, key, value)
    for scores in (150 * 37, 150 * 200 * 4, 1):
        monkeypatch.setattr("sheepgen.pipeline.tiled_attention._TILE_SCORES", scores)
        assert relative_error(attend(query, key, value), whole) < TOLERANCE


@pytest.mark.parametrize(("keys", "dtype"), [(77, torch.bfloat16), (300, torch.float32)])
def test_few_keys_and_other_dtypes_are_pytorchs_own(keys: int, dtype: torch.dtype) -> None:
    query, key, value = queries_keys_values(300, keys, dtype=dtype)

    expected = scaled_dot_product_attention(query, key, value)

    assert torch.equal(attend(query, key, value), expected)


def test_masks_and_gradients_are_pytorchs_own() -> None:
    query, key, value = queries_keys_values(300, 300)
    mask = torch.zeros(2, 1, 300, 300, dtype=torch.bool)
    mask[..., :9] = True

    masked = scaled_dot_product_attention(query, key, value, mask)
    causal = scaled_dot_product_attention(query, key, value, is_causal=True)

    assert torch.equal(attend(query, key, value, mask), masked)
    assert torch.equal(attend(query, key, value, is_causal=True), causal)
    (gradient,) = torch.autograd.grad(
        attend(query.requires_grad_(), key, value).float().square().sum(), query
    )
    assert gradient.abs().max() > 0


def test_a_network_attends_in_tiles_and_keeps_its_processors() -> None:
    torch.manual_seed(0)
    network = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(32,),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        cross_attention_dim=16,
        attention_head_dim=2,
    )
    network = network.eval().requires_grad_(requires_grad=False)
    inputs = torch.randn(2, 4, 16, 16), torch.tensor(500), torch.randn(2, 77, 16)
    exact = network(*inputs).sample
    half = [each.bfloat16() for each in inputs]
    usual = network.bfloat16()(*half).sample
    processors = dict(network.attn_processors)

    use_tiled_attention(network)

    tiled = network(*half).sample
    assert network.attn_processors == processors
    assert not torch.equal(tiled, usual), "self-attention has 256 keys"
    assert (tiled - exact).abs().max() < 2 * (usual - exact).abs().max()
    copy = deepcopy(network)
    assert torch.equal(copy(*half).sample, tiled)
    for weight in network.parameters():
        weight.zero_()
    assert torch.equal(copy(*half).sample, tiled), "a copy runs its own layers"
    assert (
        torch.equal(copy.float()(*inputs).sample, exact)
        or (copy(*inputs).sample - exact).abs().max() < 0.05
    )
