"""``--cache`` is diffusers' cache of the denoiser, and its bits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from diffusers import (
    FirstBlockCacheConfig,
    Flux2KleinPipeline,
    FluxPipeline,
    QwenImagePipeline,
    TaylorSeerCacheConfig,
)

from sheepgen.errors import UsageError
from sheepgen.events import RunFinished
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.reproduce import load_as_recorded, reproduce
from sheepgen.pipeline.run import generate, stream, stream_batch
from sheepgen.pipeline.step_cache import cache_name
from sheepgen.request import GenerationRequest
from sheepgen.verify.compare import environment_differences
from tests.pipeline.reference import assert_same_flow, diffusers_pipeline, unpack_for
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_flux2_klein import save_tiny_flux2_klein
from tests.tiny_qwen_image import save_tiny_qwen_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=9,
    guidance_scale=4.0,
    width=48,
    height=32,
)


class _Model(NamedTuple):
    save: Callable[..., Path]
    pipeline: type[Any]
    inputs: dict[str, Any]


WORDS = {"negative_prompt": REQUEST.negative_prompt}
MODELS = {
    "flux1": _Model(
        save_tiny_flux1, FluxPipeline, {"guidance_scale": 4.0, "true_cfg_scale": 2.5, **WORDS}
    ),
    "qwen": _Model(save_tiny_qwen_image, QwenImagePipeline, {"true_cfg_scale": 4.0, **WORDS}),
    "flux2": _Model(save_tiny_flux2_klein, Flux2KleinPipeline, {"guidance_scale": 4.0}),
}
CONFIGS: dict[str, Any] = {
    "first-block:0.5": FirstBlockCacheConfig(threshold=0.5),
    "taylorseer:4": TaylorSeerCacheConfig(cache_interval=4),
}
CASES = [
    (name, cache) for name in MODELS for cache in CONFIGS if (name, cache[:5]) != ("flux2", "first")
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("models")
    return {name: each.save(base / name) for name, each in MODELS.items()}


def latents(model: Any, request: GenerationRequest = REQUEST) -> str:
    return generate(model, request).record.latents_sha256


def unpack_patches(side: int) -> Callable[[Tensor], Tensor]:
    """Return a function from FLUX.2's latents, (1, patches, channels), to the loop's."""
    assert REQUEST.width is not None
    assert REQUEST.height is not None
    shape = (1, -1, REQUEST.height // side, REQUEST.width // side)
    return lambda latents: latents.transpose(1, 2).reshape(shape)


@pytest.mark.parametrize(("name", "cache"), CASES)
def test_it_is_diffusers_own_is_recorded_and_reproduced(
    folders: dict[str, Path], name: str, cache: str
) -> None:
    _, pipeline_class, inputs = MODELS[name]
    pipeline = diffusers_pipeline(folders[name], pipeline_class)
    pipeline.transformer.enable_cache(CONFIGS[cache])
    model: Any = load_model(str(folders[name]), device="cpu", cache=cache)
    request = replace(REQUEST, true_cfg=2.5 if name == "flux1" else 1.0)
    if name == "flux2":  # whose pipeline takes none
        request = replace(request, negative_prompt="")
    is_flux2, side = name == "flux2", model.spec.size_multiple
    unpack = unpack_patches(side) if is_flux2 else unpack_for(request)
    finished = assert_same_flow(model, request, pipeline, unpack, **inputs)
    record = finished.record
    assert record.environment.cache == cache
    # What an image leaves behind is forgotten, also where it was not finished.
    events = stream(model, replace(request, seed=7, prompt="an owl"))
    for _ in range(5):
        next(events)
    events.close()
    assert latents(model, request) == record.latents_sha256
    again = load_as_recorded(model.spec, record)
    assert cache_name(again) == cache
    assert reproduce(again, record, threads=None).record == record


@pytest.mark.parametrize(
    ("name", "exact"),
    [("flux1", "first-block:0"), ("qwen", "first-block:0"), ("flux2", "taylorseer:1")],
)
def test_the_least_number_changes_nothing(folders: dict[str, Path], name: str, exact: str) -> None:
    folder = str(folders[name])
    plain, cached = (load_model(folder, device="cpu", cache=each) for each in ("none", exact))
    some = load_model(folder, device="cpu", cache=exact.replace("0", "0.5").replace("1", "4"))
    assert latents(cached) == latents(plain) != latents(some)
    assert cache_name(plain) == "none"


def test_steps_that_are_alike_run_the_first_block_alone(folders: dict[str, Path]) -> None:
    calls: dict[str, list[int]] = {}
    for cache in ("none", "first-block:0.5", "first-block:1"):
        model: Any = load_model(str(folders["qwen"]), device="cpu", cache=cache)
        calls[cache] = [0, 0]
        for number, block in enumerate(model.transformer.transformer_blocks):
            # A block whose hook reuses what it knows does not attend.
            def count(*_: Any, number: int = number, seen: list[int] = calls[cache]) -> None:
                seen[number] += 1

            block.attn.register_forward_pre_hook(count)
        generate(model, REQUEST)
    assert calls["none"] == [18, 18]
    first, others = calls["first-block:0.5"]
    assert first == 18
    assert 2 <= calls["first-block:1"][1] <= others < 18


def test_passes_batches_and_intervals(folders: dict[str, Path]) -> None:
    model = load_model(str(folders["qwen"]), device="cpu", cache="first-block:0.5")
    request = replace(REQUEST, hires="2:0.5", guidance_interval="0.3-0.7")
    alone = generate(model, request)
    assert alone.record.latents_sha256 == latents(model, request)
    requests = [request, replace(request, seed=7)]
    finished = [each for each in stream_batch(model, requests) if isinstance(each, RunFinished)]
    twice = [each for each in stream_batch(model, requests) if isinstance(each, RunFinished)]
    for one, other in zip(finished, twice, strict=True):
        assert one.record == other.record
        assert np.array_equal(np.asarray(one.image), np.asarray(other.image))


def test_a_recorded_cache_that_the_model_cannot_have_is_a_difference(
    folders: dict[str, Path],
) -> None:
    model = load_model(str(folders["flux2"]), device="cpu")
    record = generate(model, replace(REQUEST, num_inference_steps=1)).record
    for text in ("first-block:0.5", "\x1b[31m", "taylorseer:0"):
        environment = replace(record.environment, cache=text)
        other = load_as_recorded(model.spec, replace(record, environment=environment))
        here = reproduce(other, record, threads=None).record.environment
        assert environment_differences(environment, here) == {"cache": (text, "none")}


def test_another_model_is_refused_before_it_is_loaded(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("sheepgen.pipeline.flux2_klein.load")
    with pytest.raises(UsageError, match="--cache first-block does not work with"):
        load_model(find_model(str(folders["flux2"])), device="cpu", cache="first-block")
