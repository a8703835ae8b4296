"""Kandinsky 2.2 is diffusers' combined pipeline bit for bit at float32, from the seed alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import KandinskyV22CombinedPipeline, KandinskyV22Img2ImgCombinedPipeline

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError, UsageError
from sheepgen.events import FrameDecoded, RunFinished, StepCompleted
from sheepgen.metadata.record_json import from_json, to_json
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model
from sheepgen.options import FrameOptions
from sheepgen.pipeline.kandinsky import KandinskyModel
from sheepgen.pipeline.loading import check_schedule, load_model, read_prompt
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import stream, stream_batch
from sheepgen.request import GenerationRequest
from tests.pictures import photograph
from tests.pipeline.reference import diffusers_pipeline
from tests.tiny import edit_json
from tests.tiny_kandinsky import save_tiny_kandinsky, save_tiny_kandinsky_parts

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.events import Event

pytestmark = pytest.mark.filterwarnings("ignore:.*callback_steps. is deprecated:FutureWarning")

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=4,
    guidance_scale=3.0,
    prior_steps=3,
    prior_guidance=4.0,
    width=32,
    height=24,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_kandinsky(tmp_path_factory.mktemp("models") / "kandinsky")


@pytest.fixture(scope="module")
def model(folder: Path) -> KandinskyModel:
    model = load_model(str(folder), device="cpu", dtype="fp32")
    assert isinstance(model, KandinskyModel)
    return model


@pytest.fixture(scope="module")
def reference(folder: Path) -> KandinskyV22CombinedPipeline:
    return diffusers_pipeline(folder, KandinskyV22CombinedPipeline)


def assert_same_bits(
    model: KandinskyModel, request: GenerationRequest, pipeline: Any, **inputs: Any
) -> list[Event]:
    last: dict[str, torch.Tensor] = {}

    def keep(_: Any, __: int, ___: Any, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
        last.update(tensors)
        return {}

    images = pipeline(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt or None,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        prior_num_inference_steps=request.prior_steps,
        prior_guidance_scale=request.prior_guidance,
        width=request.width,
        height=request.height,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="np",
        callback_on_step_end=keep,
        **inputs,
    ).images
    *steps, finished = stream(model, request)
    assert isinstance(finished, RunFinished)
    assert finished.record.latents_sha256 == tensor_sha256(last["latents"])
    assert np.array_equal(np.asarray(finished.image), (images[0] * 255).round().astype("uint8"))
    return [*steps, finished]


@pytest.mark.parametrize("guidance", [(1.0, 1.0), (1.0, 4.0), (4.0, 1.0), (2.5, 4.0)])
@pytest.mark.parametrize("negative_prompt", ["", "mud and rain"])
def test_guidance_of_both_stages_and_negative_prompts(
    reference: KandinskyV22CombinedPipeline,
    model: KandinskyModel,
    guidance: tuple[float, float],
    negative_prompt: str,
) -> None:
    own, of_prior = guidance
    request = replace(
        REQUEST, negative_prompt=negative_prompt, guidance_scale=own, prior_guidance=of_prior
    )
    assert_same_bits(model, request, reference)


@pytest.mark.parametrize("steps", [(1, 2), (7, 5)])
@pytest.mark.parametrize("size", [(16, 40), (36, 12)])
def test_steps_and_sizes(
    reference: KandinskyV22CombinedPipeline,
    model: KandinskyModel,
    steps: tuple[int, int],
    size: tuple[int, int],
) -> None:
    (own, of_prior), (width, height) = steps, size
    request = replace(REQUEST, num_inference_steps=own, prior_steps=of_prior)
    assert_same_bits(model, replace(request, width=width, height=height), reference)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_from_a_picture(
    folder: Path, model: KandinskyModel, tmp_path: Path, strength: float
) -> None:
    picture = photograph(32, 32)  # diffusers takes the width of others for their height
    picture.save(tmp_path / "picture.png")
    request = replace(REQUEST, image=str(tmp_path / "picture.png"), strength=strength, height=32)
    pipeline = diffusers_pipeline(folder, KandinskyV22Img2ImgCombinedPipeline)
    assert_same_bits(model, request, pipeline, image=picture, strength=strength)


def test_the_steps_of_both_stages_are_counted_and_named(model: KandinskyModel) -> None:
    steps = [event for event in stream(model, REQUEST) if isinstance(event, StepCompleted)]
    assert [event.stage for event in steps] == ["prior"] * 3 + [""] * 4
    assert [event.step for event in steps] == [*range(1, 8)]
    assert {event.total_steps for event in steps} == {7}


def test_an_embedding_has_no_frames(model: KandinskyModel) -> None:
    options = FrameOptions(noisy=True, decoder="vae")
    frames = [event for event in stream(model, REQUEST, options) if isinstance(event, FrameDecoded)]
    for kind in ("clean", "noisy"):
        own = [frame for frame in frames if frame.kind == kind]
        assert [frame.step for frame in own] == [*range(3, 8)]
        assert {frame.image.size for frame in own} == {(32, 24)}
        assert all(frame.is_first for frame in own)
    *_, finished = stream(model, REQUEST)
    assert isinstance(finished, RunFinished)
    assert np.array_equal(np.asarray(frames[-1].image), np.asarray(finished.image))


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "dpmpp_2m", "unipc", "heun"])
def test_schedulers_that_have_a_variance_of_their_own(
    model: KandinskyModel, scheduler: str
) -> None:
    request = replace(REQUEST, scheduler=scheduler)
    check_schedule(model.spec, model.spec.resolve(request))
    *_, finished = stream(model, request)
    assert isinstance(finished, RunFinished)
    assert np.asarray(finished.image).std() > 1


def test_a_second_pass_is_of_the_same_embedding(model: KandinskyModel) -> None:
    request = replace(REQUEST, hires="1.5:0.5")
    events = list(stream(model, request, FrameOptions(decoder="vae")))
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert finished.image.size == (48, 36)
    stages = [event.stage for event in events if isinstance(event, StepCompleted)]
    assert stages == ["prior"] * 3 + [""] * 6
    frames = [event for event in events if isinstance(event, FrameDecoded)]
    assert [frame.step for frame in frames if frame.is_first] == [3, 4, 5, 6, 7]
    assert [frame.step for frame in frames if not frame.is_first] == [7, 8, 9, 8, 9]


@pytest.mark.parametrize("negative_prompt", ["", "mud and rain"])
def test_a_batch_is_nearly_what_images_are_alone(
    model: KandinskyModel, negative_prompt: str
) -> None:
    requests = [
        replace(REQUEST, prompt="an owl", negative_prompt=negative_prompt),
        replace(REQUEST, seed=7, negative_prompt=negative_prompt),
    ]
    batch = [event for event in stream_batch(model, requests) if isinstance(event, RunFinished)]
    for request, together in zip(requests, batch, strict=True):
        *_, alone = stream(model, request)
        assert isinstance(alone, RunFinished)
        assert alone.record.noise_sha256 == together.record.noise_sha256
        difference = np.asarray(alone.image, dtype=int) - np.asarray(together.image, dtype=int)
        assert abs(difference).max() <= 1


def test_images_share_a_loop_only_if_all_or_none_have_a_negative_prompt(
    model: KandinskyModel,
) -> None:
    one, other = (model.spec.resolve(replace(REQUEST, negative_prompt=text)) for text in ("", "a"))
    assert one.batch_key != other.batch_key
    assert model.spec.resolve(REQUEST).batch_key == other.batch_key


def test_the_prompt_decides_in_the_prior_alone(model: KandinskyModel) -> None:
    records = [
        event.record
        for prompt in ("a red sheep", "a blue sheep")
        for event in stream(model, replace(REQUEST, prompt=prompt))
        if isinstance(event, RunFinished)
    ]
    assert len({record.noise_sha256 for record in records}) == 1
    assert len({record.latents_sha256 for record in records}) == 2


def test_defaults_and_the_record(model: KandinskyModel) -> None:
    resolved = model.spec.resolve(GenerationRequest(prompt="a sheep", seed=1))
    assert (resolved.num_inference_steps, resolved.guidance_scale) == (100, 4.0)
    assert (resolved.prior_steps, resolved.prior_guidance) == (25, 4.0)
    assert (resolved.width, resolved.height, resolved.scheduler) == (512, 512, "ddpm")
    assert (resolved.stages, resolved.steps_taken) == ("prior", 125)
    *_, finished = stream(model, REQUEST)
    assert isinstance(finished, RunFinished)
    assert from_json(to_json(finished.record)) == finished.record
    assert finished.record.request.prior_steps == 3


def test_what_is_said_of_options_without_effect(model: KandinskyModel, tiny_folder: Path) -> None:
    specs = {spec.name: spec for spec in (model.spec, find_model(str(tiny_folder)))}
    for name, spec in specs.items():
        request = replace(REQUEST, model=name, guidance_scale=1.0, guidance_rescale=0.5)
        resolved = spec.resolve(request)
        said = outside_warnings([resolved], {resolved.model_reference: spec})
        is_kandinsky = spec is model.spec
        assert any("guidance rescale has no effect" in each for each in said)
        assert any("prior steps have no effect" in each for each in said) != is_kandinsky
        assert any("negative prompt has no effect" in each for each in said) != is_kandinsky
        assert resolved.steps_taken == (7 if is_kandinsky else 4)


def test_prompts_are_measured_without_the_weights(folder: Path, model: KandinskyModel) -> None:
    words = " ".join(["sheep"] * 30)
    assert 0 < len(model.read_prompt(words).truncated) < 30
    assert read_prompt(find_model(str(folder)), words) == model.read_prompt(words)
    assert [label.position for label in model.token_labels("a sheep")] == [*range(16)]


def test_a_decoder_and_its_prior_in_two_folders(model: KandinskyModel, tmp_path: Path) -> None:
    decoder, prior = save_tiny_kandinsky_parts(tmp_path)
    adapters = Adapters(prior=str(prior))
    parts = load_model(str(decoder), device="cpu", dtype="fp32", adapters=adapters)
    *_, whole = stream(model, REQUEST)
    *_, joined = stream(parts, replace(REQUEST, prior=str(prior)))
    assert isinstance(whole, RunFinished)
    assert isinstance(joined, RunFinished)
    assert joined.record.latents_sha256 == whole.record.latents_sha256
    assert joined.record.request.prior_sha256 is not None
    assert from_json(to_json(joined.record)) == joined.record
    assert parts.read_prompt("a sheep") == model.read_prompt("a sheep")


def test_a_part_alone_is_refused(tmp_path: Path, folder: Path) -> None:
    decoder, prior = save_tiny_kandinsky_parts(tmp_path)
    with pytest.raises(UsageError, match="which does not run by itself"):
        find_model(str(prior))
    with pytest.raises(ModelError, match="is a decoder without its prior"):
        find_model(str(decoder)).resolve(REQUEST)
    with pytest.raises(ModelError, match="is not the prior of a Kandinsky 2"):
        find_model(str(decoder)).resolve(replace(REQUEST, prior=str(folder)))


def test_too_many_steps_of_the_prior(model: KandinskyModel) -> None:
    edited = replace(REQUEST, prior_steps=1000, num_inference_steps=2)
    check_schedule(model.spec, model.spec.resolve(edited))
    with pytest.raises(UsageError, match="prior steps must be between 2 and 1000"):
        replace(REQUEST, prior_steps=1)


@pytest.mark.parametrize(
    ("component", "changes", "message"),
    [
        ("prior_prior", {"embedding_dim": 10**9}, "embedding_dim"),
        ("prior_prior", {"num_embeddings": 77}, "num_embeddings"),
        ("prior_prior", {"num_layers": 60}, "more than its weights hold"),
        ("prior_prior", {"embedding_dim": 16}, "makes embeddings of width 16"),
        ("prior_image_encoder", {"image_size": 10**6}, "image_size"),
        ("movq", {"latent_channels": 3}, "its latents have 3"),
        ("unet", {"addition_embed_type": "text"}, "addition_embed_type"),
    ],
)
def test_impossible_configs(
    tmp_path: Path, component: str, changes: dict[str, Any], message: str
) -> None:
    folder = save_tiny_kandinsky(tmp_path / "kandinsky")
    edit_json(folder / component / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        load_model(str(folder), device="cpu", dtype="fp32")
