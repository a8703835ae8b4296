"""Guidance for a part of the steps: diffusers' bits, and half the work outside of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import (
    FluxPipeline,
    Lumina2Pipeline,
    StableDiffusion3Pipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)

from sheepgen.branch import Change, write_branch
from sheepgen.events import RunFinished
from sheepgen.guidance_interval import guided_steps
from sheepgen.pipeline.flux1 import Flux1Model
from sheepgen.pipeline.kandinsky import KandinskyModel
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.lumina2 import Lumina2Model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import stream_batch
from sheepgen.pipeline.stable_diffusion_3 import StableDiffusion3Model
from sheepgen.pipeline.stable_diffusion_xl import StableDiffusionXLModel
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import timesteps_taken
from tests.pictures import photograph
from tests.pipeline.loaded import finished, load
from tests.pipeline.reference import (
    assert_same_flow,
    diffusers_pipeline,
    reference_pipeline,
    unpack_for,
    with_aligned_texts,
)
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_kandinsky import save_tiny_kandinsky
from tests.tiny_lumina2 import save_tiny_lumina2
from tests.tiny_sd3 import save_tiny_sd3
from tests.tiny_xl import save_tiny_xl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import Tensor, nn

    from sheepgen.pipeline.family import LoadedModel
    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=6,
    guidance_scale=4.0,
    guidance_interval="0.2-0.7",
    width=32,
    height=32,
)


def latents(model: LoadedModel, request: GenerationRequest) -> str:
    return finished(model, request).record.latents_sha256


def by_callback(
    pipeline: Any, request: GenerationRequest, total: int, without: Mapping[str, Tensor]
) -> str:
    """Return the hash of what diffusers makes if guidance is switched on and off between steps.

    Args:
        pipeline: Of diffusers.
        request: Whose interval begins after the first step.
        total: Steps that the scheduler takes.
        without: What its network is given in place of the prompt, by the names of its tensors.
    """
    guided = guided_steps(request.guidance_interval, total)
    assert guided.start > 0

    def switch(_: Any, step: int, __: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        pipeline._guidance_scale = request.guidance_scale if step + 1 in guided else 1.0
        if step + 1 == guided.start:
            return {name: torch.cat([without[name], tensors[name]]) for name in without}
        if step + 1 == guided.stop:
            return {name: tensors[name][1:] for name in without}
        return {}

    images = pipeline(
        request.prompt,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=1.0,
        width=request.width,
        height=request.height,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="latent",
        callback_on_step_end=switch,
        callback_on_step_end_tensor_inputs=[*without],
        **({"guidance_rescale": request.guidance_rescale} if request.guidance_rescale else {}),
    ).images
    return tensor_sha256(images)


@pytest.mark.parametrize("scheduler", ["ddim", "euler_a", "dpmpp_2m", "dpmpp_2s", "heun", "unipc"])
@pytest.mark.parametrize("rescale", [0.0, 0.7])
def test_stable_diffusion_is_diffusers(
    tiny_parts: StableDiffusionModel, scheduler: str, rescale: float
) -> None:
    request = replace(REQUEST, scheduler=scheduler, guidance_rescale=rescale)
    pipeline = reference_pipeline(tiny_parts, scheduler)
    _, negative = pipeline.encode_prompt("a", "cpu", 1, True, request.negative_prompt)
    total = timesteps_taken(scheduler, 6, 6)
    expected = by_callback(pipeline, request, total, {"prompt_embeds": negative})
    assert latents(tiny_parts, request) == expected
    assert latents(tiny_parts, replace(request, guidance_interval="0-1")) != expected


@torch.no_grad()  # with gradients, attention is computed another way
def test_stable_diffusion_xl_is_diffusers(tmp_path: Path) -> None:
    folder = save_tiny_xl(tmp_path / "xl")
    pipeline = with_aligned_texts(diffusers_pipeline(folder, StableDiffusionXLPipeline))
    encoded = pipeline.encode_prompt("a", negative_prompt=REQUEST.negative_prompt)
    sizes = torch.tensor([[32.0, 32.0, 0.0, 0.0, 32.0, 32.0]])
    without = {"prompt_embeds": encoded[1], "add_text_embeds": encoded[3], "add_time_ids": sizes}
    expected = by_callback(pipeline, REQUEST, 6, without)
    assert latents(load(folder, StableDiffusionXLModel), REQUEST) == expected


@torch.no_grad()  # with gradients, attention is computed another way
def test_stable_diffusion_3_is_diffusers(tmp_path: Path) -> None:
    folder = save_tiny_sd3(tmp_path / "sd3")
    pipeline = with_aligned_texts(diffusers_pipeline(folder, StableDiffusion3Pipeline))
    words = REQUEST.negative_prompt
    encoded = pipeline.encode_prompt(
        "a", None, None, negative_prompt=words, negative_prompt_2=words, negative_prompt_3=words
    )
    without = {"prompt_embeds": encoded[1], "pooled_prompt_embeds": encoded[3]}
    expected = by_callback(pipeline, REQUEST, 6, without)
    assert latents(load(folder, StableDiffusion3Model), REQUEST) == expected


def test_lumina_2_is_diffusers_if_the_interval_begins_at_once(tmp_path: Path) -> None:
    folder = save_tiny_lumina2(tmp_path / "lumina2")
    assert_same_flow(
        load(folder, Lumina2Model),
        replace(REQUEST, num_inference_steps=4, guidance_interval="0-0.5"),
        diffusers_pipeline(folder, Lumina2Pipeline),
        cfg_trunc_ratio=0.5,
        guidance_scale=REQUEST.guidance_scale,
        negative_prompt=REQUEST.negative_prompt,
    )


def test_flux_goes_on_with_the_scale_that_it_reads(tmp_path: Path) -> None:
    folder = save_tiny_flux1(tmp_path / "flux", guidance_embeds=True)
    model, pipeline = load(folder, Flux1Model), diffusers_pipeline(folder, FluxPipeline)
    request = replace(REQUEST, guidance_scale=3.5, true_cfg=2.5)
    calls: list[Any] = []

    def as_if_unguided(_: nn.Module, __: Any, output: tuple[Tensor]) -> tuple[Tensor] | None:
        """Return the prompt's prediction for the negative one's where guidance is off."""
        calls.append(output)
        step, is_negative = divmod(len(calls) - 1, 2)
        outside = step not in guided_steps(request.guidance_interval, 6)
        return calls[-2] if is_negative and outside else None

    pipeline.transformer.register_forward_hook(as_if_unguided)
    assert_same_flow(
        model,
        request,
        pipeline,
        unpack_for(request),
        max_sequence_length=model.spec.max_tokens,
        guidance_scale=3.5,
        negative_prompt=request.negative_prompt,
        true_cfg_scale=2.5,
    )
    assert len(calls) == 12


def test_a_network_that_reads_the_scale_alone_reads_it_at_every_step(
    tiny_parts: StableDiffusionModel,
) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        unet = UNet2DConditionModel.from_config(tiny_parts.unet.config, time_cond_proj_dim=8)
    spec = replace(tiny_parts.spec, guidance="embedded")
    model = replace(tiny_parts, spec=spec, unet=unet.eval())
    request = replace(REQUEST, scheduler="lcm")
    always = replace(request, guidance_interval="0-1")
    assert latents(model, request) == latents(model, always)


@pytest.mark.parametrize(
    "fields",
    [
        {"scheduler": "ddim"},
        {"scheduler": "heun"},
        {"scheduler": "euler_a", "hires": "2:0.5"},
        {"scheduler": "heun", "hires": "2:0.5"},
        {"scheduler": "euler_a", "image": "photo.png", "strength": 0.9},
        {"scheduler": "euler_a", "image": "photo.png", "mask": "mask.png"},
    ],
)
def test_it_is_what_changes_of_the_guidance_make(
    tiny_parts: StableDiffusionModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, Any],
) -> None:
    monkeypatch.chdir(tmp_path)
    photograph(32, 32).save("photo.png")
    photograph(32, 32).convert("L").point([0] * 100 + [255] * 156).save("mask.png")
    request = replace(REQUEST, **fields)
    by_hand = replace(request, guidance_scale=1.0, guidance_interval="0-1")
    changes, before = [], 0
    for each in tiny_parts.spec.resolve(request).passes:
        total = timesteps_taken(each.scheduler, each.num_inference_steps, each.steps)
        guided = guided_steps(request.guidance_interval, total)
        changes.append(Change(before + guided.start, {"guidance_scale": 4}))
        changes.append(Change(before + guided.stop, {"guidance_scale": 1}))
        before += total
    by_hand = replace(by_hand, branch=write_branch(changes))
    assert latents(tiny_parts, request) == latents(tiny_parts, by_hand)


def test_what_changes_on_the_way_is_guided_where_the_interval_says_so(
    tiny_parts: StableDiffusionModel,
) -> None:
    request = replace(REQUEST, scheduler="ddim", branch='{"2":{"guidance":7},"3":{"prompt":"owl"}}')
    by_hand = replace(
        request,
        guidance_interval="0-1",
        guidance_scale=1.0,
        branch='{"1":{"guidance":4},"2":{"guidance":7},"3":{"prompt":"owl"},"4":{"guidance":1}}',
    )
    assert latents(tiny_parts, request) == latents(tiny_parts, by_hand)


def seen_by(network: nn.Module, sizes: list[int]) -> AbstractContextManager[Any]:
    """Have a network's batch sizes noted until the end of the block."""
    return network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))


def test_steps_outside_of_the_interval_cost_half(tiny_parts: StableDiffusionModel) -> None:
    requests = [replace(REQUEST, seed=seed, scheduler="ddim") for seed in (1, 2)]
    sizes: list[int] = []
    with seen_by(tiny_parts.unet, sizes):
        events = [*stream_batch(tiny_parts, requests)]
    assert sizes == [2, 4, 4, 4, 2, 2]
    ends = [event for event in events if isinstance(event, RunFinished)]
    for together, request in zip(ends, requests, strict=True):
        apart = np.asarray(finished(tiny_parts, request).image).astype(int)
        assert np.abs(np.asarray(together.image) - apart).max() <= 1
    sizes.clear()
    all_steps = replace(REQUEST, guidance_interval="0.16-1", scheduler="ddim")
    with seen_by(tiny_parts.unet, sizes):
        same = latents(tiny_parts, all_steps)
    assert sizes == [2] * 6
    assert same == latents(tiny_parts, replace(all_steps, guidance_interval="0-1"))


@pytest.fixture
def kandinsky(tmp_path: Path) -> KandinskyModel:
    model = load_model(str(save_tiny_kandinsky(tmp_path / "k")), device="cpu", dtype="fp32")
    assert isinstance(model, KandinskyModel)
    return model


def test_other_stages_keep_their_guidance(kandinsky: KandinskyModel) -> None:
    request = replace(REQUEST, num_inference_steps=5, prior_steps=3, prior_guidance=4.0)
    sizes: list[int] = []
    with seen_by(kandinsky.unet, sizes):
        some = latents(kandinsky, request)
    assert sizes == [1, 2, 2, 1, 1]
    assert some != latents(kandinsky, replace(request, prior_guidance=1.0))
    assert some != latents(kandinsky, replace(request, guidance_interval="0-1"))
