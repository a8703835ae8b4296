"""DeepFloyd IF's stages are diffusers' pipelines bit for bit at float32, with one generator."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import IFImg2ImgPipeline, IFPipeline, IFSuperResolutionPipeline

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError, UsageError
from sheepgen.events import FrameDecoded, RunFinished, StepCompleted
from sheepgen.metadata.record_json import from_json, to_json
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model
from sheepgen.options import FrameOptions
from sheepgen.pipeline.deepfloyd_if import IfModel
from sheepgen.pipeline.loading import check_schedule, load_model, read_prompt
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import stream, stream_batch
from sheepgen.request import GenerationRequest
from tests.pictures import photograph
from tests.pipeline.loaded import finished
from tests.pipeline.reference import added_up, diffusers_pipeline
from tests.tiny import edit_json
from tests.tiny_if import save_tiny_if, save_tiny_if_upscaler

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

pytestmark = pytest.mark.filterwarnings("ignore:.*invalid escape sequence")

REQUEST = GenerationRequest(
    prompt="A red Sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=4,
    guidance_scale=7.0,
    width=16,
    height=16,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    return save_tiny_if(folder / "if"), save_tiny_if_upscaler(folder / "upscaler")


@pytest.fixture(scope="module")
def upscaling(folders: tuple[Path, Path]) -> dict[str, Any]:
    return {"upscaler": str(folders[1]), "upscaler_steps": 3, "upscaler_guidance": 4.0}


@pytest.fixture(scope="module")
def model(folders: tuple[Path, Path]) -> IfModel:
    model = load_model(str(folders[0]), device="cpu", dtype="fp32")
    assert isinstance(model, IfModel)
    return model


@pytest.fixture(scope="module")
def staged(folders: tuple[Path, Path]) -> IfModel:
    adapters = Adapters(upscaler=str(folders[1]))
    model = load_model(str(folders[0]), device="cpu", dtype="fp32", adapters=adapters)
    assert isinstance(model, IfModel)
    return model


def run_reference(pipeline: Any, request: GenerationRequest, **inputs: Any) -> Tensor:
    """Return pixels, (1, 3, height, width), -1 to 1."""
    prompts = {"prompt": request.prompt, "negative_prompt": request.negative_prompt or None}
    inputs = prompts | inputs
    images: Tensor = pipeline(clean_caption=False, output_type="pt", **inputs).images
    return images


def first_stage(
    pipeline: Any, request: GenerationRequest, generator: torch.Generator, **inputs: Any
) -> Tensor:
    return run_reference(
        pipeline,
        request,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        width=request.width,
        height=request.height,
        generator=generator,
        **inputs,
    )


def levels(pixels: Tensor) -> Any:
    """Return what a picture file has, (height, width, 3)."""
    return ((pixels / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0).numpy() * 255).round().astype(int)


def assert_same(ours: RunFinished, pixels: Tensor) -> None:
    assert ours.record.latents_sha256 == tensor_sha256(pixels)
    assert np.array_equal(np.asarray(ours.image), levels(pixels))


@pytest.mark.parametrize("guidance", [1.0, 7.0])
@pytest.mark.parametrize("negative_prompt", ["", "mud and rain"])
@pytest.mark.parametrize("size", [(16, 16), (24, 12)])
def test_the_first_stage_alone(
    folders: tuple[Path, Path],
    model: IfModel,
    guidance: float,
    negative_prompt: str,
    size: tuple[int, int],
) -> None:
    width, height = size
    request = replace(REQUEST, guidance_scale=guidance, negative_prompt=negative_prompt)
    request = replace(request, width=width, height=height)
    pipeline = diffusers_pipeline(folders[0], IFPipeline)
    generator = torch.Generator("cpu").manual_seed(request.seed)
    assert_same(finished(model, request), first_stage(pipeline, request, generator))


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_from_a_picture(
    folders: tuple[Path, Path], model: IfModel, tmp_path: Path, strength: float
) -> None:
    photograph(16, 16).save(tmp_path / "picture.png")
    request = replace(REQUEST, image=str(tmp_path / "picture.png"), strength=strength)
    pixels = run_reference(
        diffusers_pipeline(folders[0], IFImg2ImgPipeline),
        request,
        image=photograph(16, 16),
        strength=strength,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        generator=torch.Generator("cpu").manual_seed(request.seed),
    )
    # There the picture is divided by 127.5, and everywhere else in diffusers by 255.
    assert np.abs(np.asarray(finished(model, request).image, dtype=int) - levels(pixels)).max() <= 1


@pytest.mark.parametrize(("guidance", "noise"), [(1.0, 250), (4.0, 0), (9.0, 700)])
@pytest.mark.parametrize("negative_prompt", ["", "mud and rain"])
def test_both_stages_with_one_generator(
    folders: tuple[Path, Path],
    staged: IfModel,
    upscaling: dict[str, Any],
    guidance: float,
    noise: int,
    negative_prompt: str,
) -> None:
    own = upscaling | {"upscaler_guidance": guidance, "upscaler_noise": noise}
    request = replace(REQUEST, negative_prompt=negative_prompt, **own)
    first = diffusers_pipeline(folders[0], IFPipeline)
    second = diffusers_pipeline(folders[1], IFSuperResolutionPipeline)
    second.text_encoder = first.text_encoder
    generator = torch.Generator("cpu").manual_seed(request.seed)
    pixels = run_reference(
        second,
        request,
        image=first_stage(first, request, generator),
        num_inference_steps=request.upscaler_steps,
        guidance_scale=request.upscaler_guidance,
        noise_level=request.upscaler_noise,
        generator=generator,
    )
    ours = finished(staged, request)
    assert_same(ours, pixels)
    assert ours.image.size == ours.request.final_size == (32, 32)


def test_every_stage_is_in_the_bar_and_in_the_frames(
    staged: IfModel, upscaling: dict[str, Any]
) -> None:
    request = replace(REQUEST, **upscaling)
    events = list(stream(staged, request, FrameOptions(noisy=True, decoder="vae")))
    steps = [event for event in events if isinstance(event, StepCompleted)]
    assert [event.stage for event in steps] == [""] * 4 + ["upscaler"] * 3
    assert [event.step for event in steps] == [*range(1, 8)]
    frames = [event for event in events if isinstance(event, FrameDecoded)]
    for kind in ("clean", "noisy"):
        own = [frame for frame in frames if frame.kind == kind]
        assert [frame.step for frame in own] == [*range(8)]
        assert [frame.image.size for frame in own] == [(16, 16)] * 5 + [(32, 32)] * 3
    last = events[-1]
    assert isinstance(last, RunFinished)
    assert np.array_equal(np.asarray(frames[-1].image), np.asarray(last.image))


def test_the_first_stage_is_what_it_is_alone(
    model: IfModel, staged: IfModel, upscaling: dict[str, Any]
) -> None:
    alone, both = finished(model, REQUEST), finished(staged, replace(REQUEST, **upscaling))
    assert alone.record.noise_sha256 == both.record.noise_sha256


def test_defaults_and_the_record(
    model: IfModel, staged: IfModel, folders: tuple[Path, Path]
) -> None:
    one = GenerationRequest(prompt="a sheep", seed=1)
    resolved = model.spec.resolve(one)
    assert (resolved.num_inference_steps, resolved.guidance_scale) == (100, 7.0)
    assert (resolved.width, resolved.height, resolved.scheduler) == (16, 16, "ddpm")
    assert (resolved.stages, resolved.upscaler_steps) == (None, None)
    both = model.spec.resolve(replace(one, upscaler=str(folders[1])))
    assert (both.upscaler_steps, both.upscaler_guidance, both.upscaler_noise) == (50, 4.0, 250)
    assert (both.final_size, both.steps_taken) == ((32, 32), 150)
    assert both.upscaler_sha256 is not None
    assert model.spec.resolve(both) == both
    request = replace(REQUEST, upscaler=str(folders[1]), upscaler_steps=2)
    record = finished(staged, request).record
    assert from_json(to_json(record)) == record
    assert record.request.upscaler_sha256 == both.upscaler_sha256


def test_other_weights_than_the_recorded_ones_are_refused(
    model: IfModel, tmp_path: Path, folders: tuple[Path, Path]
) -> None:
    resolved = model.spec.resolve(replace(REQUEST, upscaler=str(folders[1])))
    other = save_tiny_if_upscaler(tmp_path / "other", seed=2)
    with pytest.raises(ModelError, match="not the one that the image was generated with"):
        model.spec.resolve(replace(resolved, upscaler=str(other)))


def test_a_batch_is_nearly_what_images_are_alone(
    staged: IfModel, upscaling: dict[str, Any]
) -> None:
    request = replace(REQUEST, **upscaling)
    requests = [replace(request, prompt="an owl"), replace(request, seed=7)]
    batch = [event for event in stream_batch(staged, requests) if isinstance(event, RunFinished)]
    for request, together in zip(requests, batch, strict=True):
        difference = np.asarray(finished(staged, request).image, dtype=int) - together.image
        assert abs(difference).max() <= 1


def test_what_has_no_effect_is_said(model: IfModel) -> None:
    resolved = model.spec.resolve(replace(REQUEST, upscaler_steps=7))
    said = outside_warnings([resolved], {resolved.model_reference: model.spec})
    assert said == ("Warning: upscaler steps have no effect without an upscaler.",)


def test_what_cannot_be_is_refused(
    tiny_folder: Path, model: IfModel, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    upscaler = str(folders[1])
    with pytest.raises(UsageError, match="does not run by itself"):
        find_model(upscaler)
    with pytest.raises(UsageError, match="takes no upscaler"):
        find_model(str(tiny_folder)).resolve(replace(REQUEST, upscaler=upscaler))
    with pytest.raises(UsageError, match="both make the image larger"):
        replace(REQUEST, upscaler=upscaler, hires="2")
    with pytest.raises(ModelError, match="is not an upscaler, but a model: DeepFloyd IF"):
        model.spec.resolve(replace(REQUEST, upscaler=str(folders[0])))
    with pytest.raises(ModelError, match="does not exist"):
        model.spec.resolve(replace(REQUEST, upscaler=str(tmp_path / "none")))
    odd = save_tiny_if_upscaler(tmp_path / "odd", sample_size=24)
    with pytest.raises(ModelError, match="makes pictures of 24 pixels, and this model of 16"):
        model.spec.resolve(replace(REQUEST, upscaler=str(odd)))
    short = save_tiny_if_upscaler(tmp_path / "short")
    edit_json(short / "image_noising_scheduler/scheduler_config.json", num_train_timesteps=100)
    resolved = model.spec.resolve(replace(REQUEST, upscaler=str(short)))
    with pytest.raises(UsageError, match="upscaler noise must be below 100"):
        check_schedule(model.spec, resolved)


def test_prompts_are_measured_without_the_weights(
    folders: tuple[Path, Path], model: IfModel
) -> None:
    words = " ".join(["Sheep"] * 90)
    assert 0 < len(model.read_prompt(words).truncated) < 90
    assert read_prompt(find_model(str(folders[0])), words) == model.read_prompt(words)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_channels": 6}, "takes 6 channels, not 3"),
        ({"addition_embed_type": "image"}, "addition_embed_type"),
        ({"addition_embed_type_num_heads": 10**9}, "addition_embed_type_num_heads"),
        ({"encoder_hid_dim": 24}, "text embeddings of width 24"),
    ],
)
def test_impossible_configs(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    folder = save_tiny_if(tmp_path / "if")
    edit_json(folder / "unet/config.json", **changes)
    with pytest.raises(ModelError, match=message):
        find_model(str(folder))


def test_a_blend_is_the_weighted_sum_of_prompt_embeds_in_both_stages(
    folders: tuple[Path, Path], staged: IfModel, upscaling: dict[str, Any]
) -> None:
    request = replace(
        REQUEST, prompt="", blend="a red sheep:1, a sheep:-1, an owl in the snow:0.8", **upscaling
    )
    pipeline = diffusers_pipeline(folders[0], IFPipeline)
    (embeds,) = added_up(request, lambda text: pipeline.encode_prompt(text, False)[:1])
    negative = pipeline.encode_prompt(request.negative_prompt, False)[0]
    texts = {
        "prompt": None,
        "negative_prompt": None,
        "prompt_embeds": embeds,
        "negative_prompt_embeds": negative,
    }
    generator = torch.Generator("cpu").manual_seed(request.seed)
    small = first_stage(pipeline, request, generator, **texts)
    pixels = run_reference(
        diffusers_pipeline(folders[1], IFSuperResolutionPipeline),
        request,
        image=small,
        num_inference_steps=3,
        guidance_scale=4.0,
        generator=generator,
        **texts,
    )
    assert_same(finished(staged, request), pixels)
