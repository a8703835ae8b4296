"""Guidance in numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import torch
from diffusers import StableDiffusionPipeline

from sheepgen.pipeline.guidance import Guidance, apply_guidance, guidance_embedding
from sheepgen.request import GenerationRequest
from tests.pipeline.fakes import ConstantUNet

if TYPE_CHECKING:
    import pytest

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel
    from sheepgen.resolved_request import ResolvedRequest


def request(model: StableDiffusionModel, guidance_scale: float) -> ResolvedRequest:
    return model.spec.resolve(
        GenerationRequest(prompt="a red sheep", seed=1, guidance_scale=guidance_scale)
    )


def test_one_is_off(tiny_parts: StableDiffusionModel) -> None:
    assert tiny_parts.info.guidance == "two passes"
    guided = [tiny_parts.encode([request(tiny_parts, scale)]).guided for scale in (0.0, 1.0, 1.01)]
    assert guided == [False, False, True]


def test_models_that_read_the_scale_need_no_second_prediction(
    tiny_parts: StableDiffusionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConstantUNet.config, "time_cond_proj_dim", 8)
    model = replace(tiny_parts, unet=cast("Any", ConstantUNet(0)))
    assert model.info.guidance == "embedded"
    assert not model.encode([request(tiny_parts, 7.5)]).guided


def test_the_unconditional_half_comes_first() -> None:
    noise_pred = torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)
    assert apply_guidance(noise_pred, Guidance(scale=2.0)).item() == 5.0


def test_rescaling_gives_the_text_predictions_spread_back() -> None:
    noise_pred = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    guided = apply_guidance(noise_pred, Guidance(scale=7.5, rescale=0.0))
    rescaled = apply_guidance(noise_pred, Guidance(scale=7.5, rescale=1.0))
    torch.testing.assert_close(rescaled.std(), noise_pred[1].std())
    torch.testing.assert_close(
        apply_guidance(noise_pred, Guidance(scale=7.5, rescale=0.25)), (rescaled + 3 * guided) / 4
    )


def test_the_embedding_is_diffusers() -> None:
    expected = StableDiffusionPipeline.get_guidance_scale_embedding(
        None, torch.tensor([7.5 - 1]), embedding_dim=32
    )
    assert torch.equal(guidance_embedding(7.5, 32), expected)
