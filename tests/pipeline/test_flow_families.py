"""What holds for every family of flow transformers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from sheepgen.events import FrameDecoded, RunFinished
from sheepgen.metadata.record_json import from_json, to_json
from sheepgen.models.resolve import find_model
from sheepgen.options import FrameOptions
from sheepgen.pipeline.loading import check_schedule, load_model, read_prompt
from sheepgen.pipeline.run import stream, stream_batch
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import FLOW_SCHEDULERS
from tests.pipeline.loaded import finished
from tests.tiny_chroma import save_tiny_chroma
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_flux2_klein import save_tiny_flux2_klein
from tests.tiny_lumina2 import save_tiny_lumina2
from tests.tiny_qwen_image import save_tiny_qwen_image
from tests.tiny_sana import save_tiny_sana
from tests.tiny_sd3 import save_tiny_sd3
from tests.tiny_z_image import save_tiny_z_image

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.pipeline.family import Model

SAVE = {
    "Chroma": save_tiny_chroma,
    "FLUX.1": save_tiny_flux1,
    "FLUX.2 klein": save_tiny_flux2_klein,
    "Lumina 2": save_tiny_lumina2,
    "Qwen-Image": save_tiny_qwen_image,
    "Sana": save_tiny_sana,
    "Stable Diffusion 3": save_tiny_sd3,
    "Z-Image": save_tiny_z_image,
}

REQUEST = GenerationRequest(
    prompt="a red sheep", seed=42, num_inference_steps=4, guidance_scale=3.0, width=48, height=32
)


@pytest.fixture(scope="module", params=SAVE)
def folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    return SAVE[request.param](tmp_path_factory.mktemp("models") / "model")


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return cast("Model", load_model(str(folder), device="cpu", dtype="fp32"))


def test_two_prompts_in_one_batch_are_nearly_what_they_are_alone(model: Model) -> None:
    requests = [replace(REQUEST, prompt="an owl"), replace(REQUEST, seed=7)]
    batch = [event for event in stream_batch(model, requests) if isinstance(event, RunFinished)]
    for request, together in zip(requests, batch, strict=True):
        alone = finished(model, request)
        assert alone.record.noise_sha256 == together.record.noise_sha256
        difference = np.asarray(alone.image, dtype=int) - np.asarray(together.image, dtype=int)
        assert abs(difference).max() <= 1


@pytest.mark.parametrize("scheduler", FLOW_SCHEDULERS)
def test_frames_end_at_the_image(model: Model, scheduler: str) -> None:
    request = replace(REQUEST, scheduler=scheduler)
    options = FrameOptions(noisy=True, decoder="vae")
    *events, done = stream(model, request, options)
    assert isinstance(done, RunFinished)
    frames = [event for event in events if isinstance(event, FrameDecoded)]
    assert {frame.image.size for frame in frames} == {(48, 32)}
    last = {frame.kind: np.asarray(frame.image, dtype=int) for frame in frames}
    image = np.asarray(done.image, dtype=int)
    # At the end nothing is left to be taken away: the estimate, the latents and the image are one.
    assert abs(last["noisy"] - image).max() <= 1
    if scheduler == "euler":  # the others mix estimates of several steps
        assert abs(last["clean"] - image).max() <= 1


def test_a_second_pass_is_larger(model: Model) -> None:
    one = finished(model, replace(REQUEST, hires="2:0.5"))
    assert one.image.size == (96, 64)
    assert finished(model, replace(REQUEST, hires="2:0.5")).record == one.record
    alone = finished(model, REQUEST)
    assert one.record.noise_sha256 == alone.record.noise_sha256
    assert one.record.latents_sha256 != alone.record.latents_sha256


def test_the_seed_and_the_prompt_decide(model: Model) -> None:
    base = finished(model, REQUEST).record
    assert finished(model, REQUEST).record == base
    other_seed = finished(model, replace(REQUEST, seed=43)).record
    other_prompt = finished(model, replace(REQUEST, prompt="a blue sheep")).record
    assert other_seed.noise_sha256 != base.noise_sha256
    assert other_prompt.noise_sha256 == base.noise_sha256
    assert len({each.latents_sha256 for each in (base, other_seed, other_prompt)}) == 3


def test_a_record_survives(model: Model) -> None:
    record = finished(model, REQUEST).record
    assert from_json(to_json(record)) == record


def test_every_scheduler_of_flows_gets_through_its_steps(folder: Path) -> None:
    spec = find_model(str(folder))
    for name in FLOW_SCHEDULERS:
        for steps in (2, 20):
            request = replace(REQUEST, scheduler=name, num_inference_steps=steps)
            check_schedule(spec, spec.resolve(request))


def test_prompts_are_measured_without_the_weights(folder: Path, model: Model) -> None:
    assert model.read_prompt("a sheep").truncated == ()
    words = ["sheep"] * 600
    reading = model.read_prompt(" ".join(words))
    assert reading.limit == model.spec.max_tokens
    assert 0 < len(reading.truncated) < len(words)
    assert read_prompt(find_model(str(folder)), " ".join(words)) == reading


def test_what_the_tokens_are(model: Model) -> None:
    labels = model.token_labels("a sheep")
    assert [label.position for label in labels] == list(range(len(labels)))
    words = [label for label in labels if label.kind == "word"]
    assert {label.word for label in words} == {0, 1}
    assert "sheep" in words[-1].text
    assert not any(label.kind == "word" for label in model.token_labels(""))
