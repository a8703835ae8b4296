from __future__ import annotations

import dataclasses
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.errors import UsageError
from sheepgen.fields import MAX_PROMPT_CHARACTERS, MAX_SEED, MAX_SIDE
from sheepgen.request import GenerationRequest, draw_seed, nearest_sizes
from sheepgen.resolved_request import ResolvedRequest
from tests.samples import sample_spec

if TYPE_CHECKING:
    from sheepgen.models.spec import ModelSpec


def spec(scheduler: str | None = "ddim") -> ModelSpec:
    return sample_spec(scheduler=scheduler, width=512, height=256)


def test_a_request_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        GenerationRequest(prompt="x", seed=1).seed = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("prompt", " \n\t", "prompt is empty"),
        ("prompt", "x" * (MAX_PROMPT_CHARACTERS + 1), "20,001 characters"),
        ("prompt", "a\0b", "NUL"),
        ("prompt", "\udcff", "UTF-8"),
        ("negative_prompt", "a\0b", "negative prompt contains a NUL"),
        ("model", "", "model name is empty"),
        ("model", "a\0b", "NUL"),
        ("seed", -1, "seed must be between 0 and 18446744073709551615, got -1"),
        ("seed", MAX_SEED + 1, "seed must be between"),
        ("num_inference_steps", 0, "steps must be between 1 and 1000, got 0"),
        ("num_inference_steps", 1001, "steps must be between 1 and 1000, got 1001"),
        ("width", 0, "width must be between 1 and 8192, got 0"),
        ("height", MAX_SIDE + 1, "height must be between"),
        ("guidance_scale", math.nan, "guidance must be between 0 and 100, got nan"),
        ("guidance_scale", math.inf, "guidance must be between 0 and 100, got inf"),
        ("guidance_scale", -0.1, "guidance must be between 0 and 100, got -0.1"),
        ("guidance_rescale", 1.1, "guidance rescale must be between 0 and 1, got 1.1"),
        ("eta", -1.0, "eta must be between 0 and 1, got -1"),
        ("scheduler", "nothing", "Unknown scheduler"),
        ("variation_seed", -1, "variation seed must be between 0 and 18446744073709551615, got -1"),
        ("variation_seed", MAX_SEED + 1, "variation seed must be between"),
        ("variation_strength", 1.1, "variation strength must be between 0 and 1, got 1.1"),
        ("variation_strength", math.nan, "variation strength must be between 0 and 1, got nan"),
        ("variation_strength", 0.5, "without a variation seed"),
    ],
)
def test_out_of_range_is_a_usage_error(field: str, value: Any, complaint: str) -> None:
    fields: dict[str, Any] = {"prompt": "x", "seed": 1, field: value}
    with pytest.raises(UsageError, match=complaint):
        GenerationRequest(**fields)


def test_a_variation_seed_may_wait_for_its_strength() -> None:
    request = GenerationRequest(prompt="x", seed=1, variation_seed=2)
    assert request.variation_strength == 0.0
    assert dataclasses.replace(request, variation_strength=1.0).variation_seed == 2


@pytest.mark.parametrize("name", ["DPM++ 2M Karras", "dpmpp-2m-karras", "DPMPP 2M KARRAS"])
def test_schedulers_have_one_name(name: str) -> None:
    assert GenerationRequest(prompt="x", seed=1, scheduler=name).scheduler == "dpmpp_2m_karras"


def test_what_is_open_comes_from_the_model() -> None:
    assert spec().resolve(GenerationRequest(prompt="x", seed=1)) == ResolvedRequest(
        prompt="x",
        seed=1,
        num_inference_steps=20,
        guidance_scale=7.5,
        width=512,
        height=256,
        scheduler="ddim",
    )


def test_what_was_said_stays() -> None:
    said = GenerationRequest(
        prompt="x",
        seed=1,
        num_inference_steps=1,
        guidance_scale=0.0,
        width=64,
        height=64,
        scheduler="euler",
    )
    assert asdict(said).items() <= asdict(spec().resolve(said)).items()


def test_sides_are_multiples_of_the_models_own() -> None:
    with pytest.raises(UsageError, match=r"width must be .*, got 500") as caught:
        spec().resolve(GenerationRequest(prompt="x", seed=1, width=500))
    assert caught.value.hint == "Nearest: 496 or 504."


def test_a_model_with_an_unknown_scheduler_needs_one_named() -> None:
    with pytest.raises(UsageError, match="scheduler"):
        spec(scheduler=None).resolve(GenerationRequest(prompt="x", seed=1))
    named = GenerationRequest(prompt="x", seed=1, scheduler="ddim")
    assert spec(scheduler=None).resolve(named).scheduler == "ddim"


@given(st.integers(1, MAX_SIDE), st.integers(1, 64))
def test_nearest_sizes_are_legal_and_around(size: int, multiple: int) -> None:
    below, above = nearest_sizes(size, multiple)
    assert below % multiple == 0
    assert 0 < below <= above <= max(MAX_SIDE, multiple)
    assert below <= size or below == multiple


def test_drawn_seeds_are_short_enough_to_type() -> None:
    assert all(0 <= draw_seed() < 2**32 for _ in range(100))
