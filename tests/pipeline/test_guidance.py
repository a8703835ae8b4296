"""Guidance in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from diffusers import StableDiffusionPipeline

from sheepgen.pipeline.guidance import apply_guidance, guidance_embedding, is_guided
from tests.pipeline.fakes import ConstantUNet

if TYPE_CHECKING:
    import pytest

    from sheepgen.pipeline.parts import PipelineParts


def test_one_is_off(tiny_parts: PipelineParts) -> None:
    assert not is_guided(tiny_parts.unet, 0.0)
    assert not is_guided(tiny_parts.unet, 1.0)
    assert is_guided(tiny_parts.unet, 1.01)


def test_models_that_read_the_scale_need_no_second_prediction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ConstantUNet.config, "time_cond_proj_dim", 8)
    assert not is_guided(ConstantUNet(0), 7.5)


def test_the_unconditional_half_comes_first() -> None:
    noise_pred = torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)
    assert apply_guidance(noise_pred, 2.0, 0.0).item() == 5.0


def test_rescaling_gives_the_text_predictions_spread_back() -> None:
    noise_pred = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    guided = apply_guidance(noise_pred, 7.5, 0.0)
    rescaled = apply_guidance(noise_pred, 7.5, 1.0)
    torch.testing.assert_close(rescaled.std(), noise_pred[1].std())
    torch.testing.assert_close(apply_guidance(noise_pred, 7.5, 0.25), (rescaled + 3 * guided) / 4)


def test_the_embedding_is_diffusers() -> None:
    expected = StableDiffusionPipeline.get_guidance_scale_embedding(
        None, torch.tensor([7.5 - 1]), embedding_dim=32
    )
    assert torch.equal(guidance_embedding(7.5, 32), expected)
