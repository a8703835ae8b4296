"""Lumina 2 is diffusers' pipeline bit for bit at float32, from the seed alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import Lumina2Pipeline
from diffusers.image_processor import VaeImageProcessor
from PIL import Image

from sheepgen.errors import ModelError
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.lumina2 import Lumina2Model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.request import GenerationRequest
from tests.pictures import photograph
from tests.pipeline.loaded import finished, load
from tests.pipeline.reference import assert_same_flow, diffusers_pipeline, steps_and_predictions
from tests.tiny import edit_json
from tests.tiny_lumina2 import save_tiny_lumina2

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.events import RunFinished

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=4,
    guidance_scale=4.0,
    width=48,
    height=32,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_lumina2(tmp_path_factory.mktemp("models") / "lumina2")


@pytest.fixture(scope="module")
def model(folder: Path) -> Lumina2Model:
    return load(folder, Lumina2Model)


def reference(folder: Path) -> Lumina2Pipeline:
    return diffusers_pipeline(folder, Lumina2Pipeline)


def assert_same_bits(
    model: Lumina2Model, request: GenerationRequest, pipeline: Lumina2Pipeline
) -> RunFinished:
    return assert_same_flow(
        model,
        request,
        pipeline,
        cfg_trunc_ratio=request.guidance_end,
        guidance_scale=request.guidance_scale,
        negative_prompt=request.negative_prompt,
    )


@pytest.mark.parametrize("guidance", [1.0, 2.5, 4.0])
@pytest.mark.parametrize("negative_prompt", ["", "Mud and rain "])
def test_guidance_and_negative_prompts(
    folder: Path, model: Lumina2Model, guidance: float, negative_prompt: str
) -> None:
    request = replace(REQUEST, guidance_scale=guidance, negative_prompt=negative_prompt)
    ours = assert_same_bits(model, request, reference(folder))
    assert ours.request.scheduler == "euler"


@pytest.mark.parametrize("guidance_end", [0.0, 0.2, 0.25, 0.6, 0.75])
def test_guidance_that_ends_before_the_last_step(
    folder: Path, model: Lumina2Model, guidance_end: float
) -> None:
    request = replace(REQUEST, guidance_end=guidance_end)
    ours = assert_same_bits(model, request, reference(folder))
    always = finished(model, REQUEST).record.latents_sha256
    never = finished(model, replace(REQUEST, guidance_scale=1.0)).record.latents_sha256
    # Of four steps a quarter is one.
    assert (ours.record.latents_sha256 == never) == (guidance_end < 0.25)
    assert ours.record.latents_sha256 != always


@pytest.mark.parametrize("prompt", [" A red SHEEP, é ", "sheep " * 120])
def test_prompts(folder: Path, model: Lumina2Model, prompt: str) -> None:
    assert_same_bits(model, replace(REQUEST, prompt=prompt), reference(folder))


@pytest.mark.parametrize("steps", [1, 20])
@pytest.mark.parametrize("size", [(32, 32), (64, 80)])
def test_steps_and_sizes(
    folder: Path, model: Lumina2Model, steps: int, size: tuple[int, int]
) -> None:
    width, height = size
    request = replace(REQUEST, num_inference_steps=steps, width=width, height=height)
    assert_same_bits(model, request, reference(folder))


def test_a_schedule_that_is_shifted_by_the_size(tmp_path: Path) -> None:
    folder = save_tiny_lumina2(tmp_path / "lumina2", use_dynamic_shifting=True, max_shift=4.0)
    model, pipeline = load(folder, Lumina2Model), reference(folder)
    for width in (32, 96):
        assert_same_bits(model, replace(REQUEST, width=width), pipeline)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_from_a_picture(folder: Path, model: Lumina2Model, tmp_path: Path, strength: float) -> None:
    """Diffusers has no such pipeline: this is what its autoencoder and its scheduler do."""
    picture = photograph(48, 32)
    picture.save(tmp_path / "picture.png")
    pipeline = reference(folder)
    scheduler, vae = pipeline.scheduler, pipeline.vae
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / 4, 4))
    first = 4 - int(4 * strength)
    scheduler.set_begin_index(first)
    request = replace(REQUEST, image=str(tmp_path / "picture.png"), strength=strength)
    conditioning = model.encode([model.spec.resolve(request)])
    generator = torch.Generator("cpu").manual_seed(REQUEST.seed)
    with torch.inference_mode():
        clean = vae.encode(VaeImageProcessor().preprocess(picture)).latent_dist.sample(generator)
        clean = (clean - vae.config.shift_factor) * vae.config.scaling_factor
        noise = torch.randn(clean.shape, generator=generator)
        latents = scheduler.scale_noise(clean, scheduler.timesteps[first : first + 1], noise)
        for timestep in scheduler.timesteps[first:]:
            velocity = model.predict(latents, timestep, conditioning, Guidance(scale=4.0))
            latents = scheduler.step(velocity, timestep, latents).prev_sample
    assert finished(model, request).record.latents_sha256 == tensor_sha256(latents)


def test_what_is_not_masked_stays(model: Lumina2Model, tmp_path: Path) -> None:
    picture, mask = photograph(48, 32), Image.new("L", (48, 32))
    mask.paste(255, (0, 0, 24, 32))
    picture.save(tmp_path / "picture.png")
    mask.save(tmp_path / "mask.png")
    image, mask_file = str(tmp_path / "picture.png"), str(tmp_path / "mask.png")
    painted = np.asarray(finished(model, replace(REQUEST, image=image, mask=mask_file)).image)
    assert np.array_equal(painted[:, 24:], np.asarray(picture)[:, 24:])
    assert not np.array_equal(painted[:, :24], np.asarray(picture)[:, :24])


def test_the_estimate_of_the_image_in_closed_form(model: Lumina2Model) -> None:
    """x0 = x - s * v, with s' = 6 * s / (1 + 5 * s) of noise levels that are evenly spaced."""
    levels = torch.linspace(1, 0.25, 4, dtype=torch.float64)
    shifted = 6 * levels / (1 + 5 * levels)
    for (step, velocity), level in zip(steps_and_predictions(model, REQUEST), shifted, strict=True):
        x0 = step.model_input.double() - level * velocity.double()
        torch.testing.assert_close(step.pred_original_sample.double(), x0, rtol=1e-5, atol=1e-5)


def test_guidance_keeps_the_length_of_rows(model: Lumina2Model) -> None:
    (_, guided), *_ = steps_and_predictions(model, REQUEST)
    (_, alone), *_ = steps_and_predictions(model, replace(REQUEST, guidance_scale=1.0))
    assert not torch.allclose(guided, alone)
    torch.testing.assert_close(guided.norm(dim=-1), alone.norm(dim=-1), rtol=1e-5, atol=0)


def test_the_prompt_comes_after_a_system_prompt(model: Lumina2Model) -> None:
    labels = model.token_labels("a sheep")
    conditioning = model.encode([model.spec.resolve(replace(REQUEST, prompt="a sheep"))])
    seen = [label for label in labels if label.kind != "padding"]
    assert (len(labels), len(seen)) == (256, int(conditioning.prompts.mask.sum()))
    assert "".join(label.text for label in seen).endswith(".▁<Prompt▁Start>▁a▁sheep")
    reading = model.read_prompt("a sheep")
    assert (reading.tokens, reading.limit) == (len(seen), 256)


def test_defaults(model: Lumina2Model) -> None:
    defaults = model.spec.defaults
    assert (defaults.num_inference_steps, defaults.guidance_scale) == (30, 4.0)
    assert (defaults.width, defaults.height, model.spec.size_multiple) == (64, 64, 16)


def test_its_first_name_is_known_and_its_predecessor_told_apart(tmp_path: Path) -> None:
    folder = save_tiny_lumina2(tmp_path / "lumina2")
    edit_json(folder / "model_index.json", _class_name="Lumina2Text2ImgPipeline")
    assert find_model(str(folder)).family.name == "Lumina 2"
    edit_json(folder / "model_index.json", _class_name="LuminaPipeline")
    with pytest.raises(ModelError, match="Unsupported text_encoder class"):
        find_model(str(folder))


@pytest.mark.parametrize(
    ("component", "changes", "message"),
    [
        ("transformer", {"in_channels": 8}, "takes latents of 8 channels, but its VAE's have 16"),
        ("transformer", {"cap_feat_dim": 8}, "text embeddings of width 8, but its text"),
        ("transformer", {"axes_lens": [10**9] * 3}, "for axes_lens"),
        ("transformer", {"axes_dim_rope": [10**6] * 3}, "for axes_dim_rope"),
        ("transformer", {"num_refiner_layers": 10**6}, "for num_refiner_layers"),
        ("transformer", {"num_layers": 100}, "more than its weights hold"),
        ("transformer", {"out_channels": 8}, "for out_channels"),
        ("text_encoder", {"rope_scaling": {"type": "yarn"}}, "for rope_scaling"),
    ],
)
def test_impossible_configs(
    tmp_path: Path, component: str, changes: dict[str, Any], message: str
) -> None:
    folder = save_tiny_lumina2(tmp_path / "lumina2")
    edit_json(folder / component / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        load(folder, Lumina2Model)
