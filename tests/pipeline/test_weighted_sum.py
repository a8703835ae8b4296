"""What a blend of prompts is, of one prompt, of two halves, and in chunks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from sheepgen.events import RunFinished
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import stream, stream_batch
from sheepgen.pipeline.weighted_sum import weighted_sum
from sheepgen.request import GenerationRequest
from tests.tiny_ldm import save_tiny_ldm

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

REQUEST = GenerationRequest(
    prompt="a red sheep", seed=42, num_inference_steps=2, guidance_scale=1.0
)


class Encoded(NamedTuple):
    states: Tensor
    pooled: Tensor


def record(model: Any, request: GenerationRequest) -> Any:
    *_, finished = stream(model, request)
    assert isinstance(finished, RunFinished)
    return finished.record


def blended(blend: str, **changes: Any) -> GenerationRequest:
    return replace(REQUEST, prompt="", blend=blend, **changes)


def states_of(model: Any, request: GenerationRequest) -> Tensor:
    states: Tensor = model.encode([model.spec.resolve(request)]).hidden_states
    return states


def test_tensors_and_tuples_of_them_are_added_up() -> None:
    one, other = torch.randn(2, 1, 3, 4)
    assert torch.equal(weighted_sum([(one, 2.0), (other, -0.5)]), 2 * one - 0.5 * other)
    both = weighted_sum([(Encoded(one, other), 0.25), (Encoded(other, one), 0.75)])
    assert isinstance(both, Encoded)
    assert torch.equal(both.states, 0.25 * one + 0.75 * other)
    assert torch.equal(both.pooled, 0.25 * other + 0.75 * one)


def test_half_precision_is_rounded_once() -> None:
    many = torch.full((3,), 0.1, dtype=torch.float16)
    summed = weighted_sum([(many, 1.0)] * 3)
    assert summed.dtype == torch.float16
    assert torch.equal(summed, (3 * many.float()).half())


def test_one_prompt_of_weight_1_is_that_prompt(tiny_parts: StableDiffusionModel) -> None:
    plain = record(tiny_parts, REQUEST)
    alone = record(tiny_parts, blended("a red sheep"))
    assert (alone.latents_sha256, alone.noise_sha256) == (plain.latents_sha256, plain.noise_sha256)
    assert alone.request.blend == "a red sheep:1"
    assert record(tiny_parts, blended("a red sheep:0.5")).latents_sha256 != plain.latents_sha256


@pytest.mark.parametrize("one", [0.5, 0.3, 0.123456])
def test_shares_of_one_prompt_are_that_prompt(tiny_parts: StableDiffusionModel, one: float) -> None:
    plain = states_of(tiny_parts, REQUEST)
    shares = states_of(tiny_parts, blended(f"a red sheep:{one}, a red sheep:{1 - one:g}"))
    assert torch.allclose(shares, plain, rtol=1e-6, atol=1e-7)
    assert one != 0.5 or torch.equal(shares, plain)


def test_a_shorter_prompt_has_empty_chunks_after_it(tiny_parts: StableDiffusionModel) -> None:
    limit = tiny_parts.spec.max_tokens
    long = " ".join(["sheep"] * 2 * limit)
    whole = states_of(tiny_parts, replace(REQUEST, prompt=long, long_prompt="chunk"))
    empty, short = torch.split(states_of(tiny_parts, replace(REQUEST, guidance_scale=7.5)), 1)
    filled = torch.cat([short, *[empty] * (whole.shape[1] // limit - 1)], dim=1)
    assert filled.shape[1] > limit
    summed = states_of(tiny_parts, blended(f"a red sheep:0.25, {long}:0.75", long_prompt="chunk"))
    assert torch.equal(summed, 0.25 * filled + 0.75 * whole)


def test_blends_and_prompts_go_through_one_loop(tiny_parts: StableDiffusionModel) -> None:
    requests = [blended("a red sheep:0.5, an owl:0.5"), replace(REQUEST, seed=7)]
    batch = stream_batch(tiny_parts, requests)
    together = [event for event in batch if isinstance(event, RunFinished)]
    for request, event in zip(requests, together, strict=True):
        *_, alone = stream(tiny_parts, request)
        assert isinstance(alone, RunFinished)
        difference = np.asarray(alone.image, dtype=int) - np.asarray(event.image, dtype=int)
        assert abs(difference).max() <= 1


def test_latent_diffusion_adds_up_its_states(tmp_path: Path) -> None:
    model = load_model(str(save_tiny_ldm(tmp_path)))
    sheep, owl = (states_of(model, replace(REQUEST, prompt=text)) for text in ("a sheep", "an owl"))
    assert torch.equal(states_of(model, blended("a sheep:2, an owl:-1")), 2 * sheep - owl)


def test_the_words_of_all_prompts_are_recorded(parsing_folder: Path) -> None:
    model = load_model(str(parsing_folder), device="cpu", dtype="fp32")
    found = record(model, blended("a sheep zzz:0.75, a fire truck qqq:0.25"))
    assert found.understood == "0.75 a sheep + 0.25 a fire truck"
    assert [each.word for each in found.unused] == ["zzz", "qqq"]
