"""Settings that change between two steps: what came before keeps its bits, and the rest goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from sheepgen.branch import Change, write_branch
from sheepgen.events import FrameDecoded, RunFinished, StepCompleted
from sheepgen.options import FrameOptions
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import generate, stream, stream_batch
from sheepgen.request import GenerationRequest
from tests.pictures import photograph
from tests.pipeline.reference import reference_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

AT = 3

SCHEDULERS = (
    *("ddim", "pndm", "euler", "euler_a", "heun", "lms", "kdpm2_a", "dpmpp_2m", "dpmpp_2m_sde"),
    *("dpmpp_3m_sde", "dpmpp_2s", "unipc", "deis", "sa_solver", "lcm", "tcd"),
)
"""Of every kind: some remember earlier predictions, some add noise, some take two timesteps for one
step."""


def request_of(**fields: Any) -> GenerationRequest:
    wanted = {"prompt": "a red sheep", "seed": 42, "num_inference_steps": 6, "scheduler": "ddim"}
    return GenerationRequest(**{**wanted, **fields})


def changed(request: GenerationRequest, at: int = AT, **values: Any) -> GenerationRequest:
    return replace(request, branch=write_branch([Change(at, values)]))


def latents(model: StableDiffusionModel, request: GenerationRequest) -> str:
    return generate(model, request).record.latents_sha256


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_branch_in_which_nothing_changes_is_the_image(
    tiny_parts: StableDiffusionModel, scheduler: str
) -> None:
    request = request_of(scheduler=scheduler, eta=0.5)
    branched = changed(request, prompt=request.prompt, seed=request.seed)
    assert latents(tiny_parts, branched) == latents(tiny_parts, request)


@pytest.mark.parametrize("scheduler", ["ddim", "euler_a", "dpmpp_2m"])
def test_another_prompt_is_what_diffusers_makes_if_its_embeddings_change(
    tiny_parts: StableDiffusionModel, scheduler: str
) -> None:
    pipeline = reference_pipeline(tiny_parts, scheduler)
    before, after = (
        torch.cat(pipeline.encode_prompt(prompt, "cpu", 1, True)[::-1])
        for prompt in ("a red sheep", "an owl")
    )

    def change(_: Any, step: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        assert torch.equal(tensors["prompt_embeds"], before if step < AT else after)
        return {"prompt_embeds": after if step == AT - 1 else tensors["prompt_embeds"]}

    expected = pipeline(
        "a red sheep",
        num_inference_steps=6,
        guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(42),
        output_type="latent",
        callback_on_step_end=change,
        callback_on_step_end_tensor_inputs=["prompt_embeds"],
    ).images
    request = request_of(scheduler=scheduler, guidance_scale=4.0)
    assert latents(tiny_parts, changed(request, prompt="an owl")) == tensor_sha256(expected)


def test_what_came_before_is_as_it_was(tiny_parts: StableDiffusionModel) -> None:
    def frames(request: GenerationRequest) -> list[bytes]:
        events = stream(tiny_parts, request, FrameOptions(noisy=True, decoder="vae"))
        decoded = [event for event in events if isinstance(event, FrameDecoded)]
        return [event.image.tobytes() for event in decoded if event.kind == "noisy"]

    request = request_of(scheduler="euler_a")
    one, other = frames(request), frames(changed(request, guidance_scale=20.0))
    assert one[: AT + 1] == other[: AT + 1]
    assert all(a != b for a, b in zip(one[AT + 1 :], other[AT + 1 :], strict=True))


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"negative_prompt": "an owl"}, {}),
        ({"guidance_scale": 1}, {}),
        ({"guidance_rescale": 0.7}, {}),
        ({"eta": 1}, {}),
        ({"seed": 7}, {"scheduler": "lcm"}),
        ({"seed": 7}, {"hires": "2:0.5"}),
    ],
)
def test_every_change_has_its_effect(
    tiny_parts: StableDiffusionModel, values: dict[str, Any], fields: dict[str, Any]
) -> None:
    request = request_of(width=32, height=32, **fields)
    assert latents(tiny_parts, changed(request, **values)) != latents(tiny_parts, request)


def test_another_seed_changes_nothing_where_no_noise_is_added(
    tiny_parts: StableDiffusionModel,
) -> None:
    request = request_of(scheduler="dpmpp_2m")
    assert latents(tiny_parts, changed(request, seed=7)) == latents(tiny_parts, request)


def test_changes_add_up_and_count_the_steps_of_all_passes(
    tiny_parts: StableDiffusionModel,
) -> None:
    request = request_of(width=32, height=32, hires="2:0.5", scheduler="heun")
    *events, finished = stream(tiny_parts, request)
    assert isinstance(finished, RunFinished)
    total = [event for event in events if isinstance(event, StepCompleted)][-1].total_steps
    first_pass = 11
    hashes = [finished.record.latents_sha256]
    for at in (first_pass - 1, first_pass, first_pass + 1, total - 1):
        hashes.append(latents(tiny_parts, changed(request, at, prompt="an owl")))
        assert latents(tiny_parts, changed(request, at, prompt=request.prompt)) == hashes[0]
    assert len(set(hashes)) == len(hashes)
    both = [Change(4, {"prompt": "an owl"}), Change(8, {"guidance_scale": 2})]
    again = [Change(4, {"prompt": "an owl"}), Change(8, {"prompt": "an owl", "guidance_scale": 2})]
    one, other = (replace(request, branch=write_branch(each)) for each in (both, again))
    assert latents(tiny_parts, one) == latents(tiny_parts, other)


def test_images_that_start_from_a_picture_branch(
    tiny_parts: StableDiffusionModel, tmp_path: Path
) -> None:
    photograph(32, 32).save(tmp_path / "photo.png")
    mask = photograph(32, 32).convert("L").point([0] * 100 + [255] * 156)
    mask.save(tmp_path / "mask.png")
    for fields in ({"strength": 0.7}, {"mask": str(tmp_path / "mask.png")}):
        request = request_of(
            image=str(tmp_path / "photo.png"), scheduler="euler_a", width=32, height=32, **fields
        )
        original = latents(tiny_parts, request)
        assert latents(tiny_parts, changed(request, 2, prompt=request.prompt)) == original
        assert latents(tiny_parts, changed(request, 2, prompt="an owl")) != original


def test_images_of_a_batch_branch_together(tiny_parts: StableDiffusionModel) -> None:
    requests = [
        changed(request_of(seed=seed, scheduler="euler_a"), prompt="an owl") for seed in (1, 2)
    ]
    together = [
        event.record.latents_sha256
        for event in stream_batch(tiny_parts, requests)
        if isinstance(event, RunFinished)
    ]
    assert len(set(together)) == 2
