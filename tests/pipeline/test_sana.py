"""Sana is diffusers' pipeline bit for bit at float32, from the seed alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import diffusers
import numpy as np
import pytest
import torch
from diffusers import SanaPipeline
from diffusers.image_processor import VaeImageProcessor
from PIL import Image

from sheepgen.errors import ModelError
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.cpu_bf16 import lay_out
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.sana import SanaModel
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import FLOW_SCHEDULERS
from tests.pictures import photograph
from tests.pipeline.loaded import finished, load
from tests.pipeline.reference import assert_same_flow, diffusers_pipeline, steps_and_predictions
from tests.tiny import edit_json
from tests.tiny_sana import save_tiny_sana

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.events import RunFinished

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=4,
    guidance_scale=4.5,
    width=64,
    height=32,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_sana(tmp_path_factory.mktemp("models") / "sana")


@pytest.fixture(scope="module")
def model(folder: Path) -> SanaModel:
    return load(folder, SanaModel)


def reference(folder: Path) -> SanaPipeline:
    return diffusers_pipeline(folder, SanaPipeline)


def assert_same_bits(
    model: SanaModel, request: GenerationRequest, pipeline: SanaPipeline
) -> RunFinished:
    return assert_same_flow(
        model,
        request,
        pipeline,
        guidance_scale=request.guidance_scale,
        negative_prompt=request.negative_prompt,
        use_resolution_binning=False,
    )


@pytest.mark.parametrize("guidance", [1.0, 2.5, 4.5])
@pytest.mark.parametrize("negative_prompt", ["", "Mud and rain "])
def test_guidance_and_negative_prompts(
    folder: Path, model: SanaModel, guidance: float, negative_prompt: str
) -> None:
    request = replace(REQUEST, guidance_scale=guidance, negative_prompt=negative_prompt)
    ours = assert_same_bits(model, request, reference(folder))
    assert ours.request.scheduler == "dpmpp_2m"


@pytest.mark.parametrize("prompt", [" A red SHEEP, é ", "sheep " * 320])
def test_prompts(folder: Path, model: SanaModel, prompt: str) -> None:
    assert_same_bits(model, replace(REQUEST, prompt=prompt), reference(folder))


@pytest.mark.parametrize("steps", [1, 2, 20])
@pytest.mark.parametrize("size", [(32, 32), (64, 96)])
def test_steps_and_sizes(folder: Path, model: SanaModel, steps: int, size: tuple[int, int]) -> None:
    width, height = size
    request = replace(REQUEST, num_inference_steps=steps, width=width, height=height)
    assert_same_bits(model, request, reference(folder))


@pytest.mark.parametrize("name", FLOW_SCHEDULERS)
def test_other_schedulers(folder: Path, model: SanaModel, name: str) -> None:
    form, pipeline = FLOW_SCHEDULERS[name], reference(folder)
    shift = "flow_shift" if "use_flow_sigmas" in form.overrides else "shift"
    scheduler_class = getattr(diffusers, form.class_name)
    pipeline.scheduler = scheduler_class(**{shift: 3.0}, **form.overrides)
    assert_same_bits(model, replace(REQUEST, scheduler=name), pipeline)


@pytest.mark.parametrize(
    "changes",
    [
        {"interpolation_scale": 1},  # a table of positions, as the model for 4096 pixels has it
        {"timestep_scale": 0.001},
        {"qk_norm": "rms_norm_across_heads"},
    ],
)
def test_variants(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = save_tiny_sana(tmp_path / "sana", **changes)
    assert_same_bits(load(folder, SanaModel), REQUEST, reference(folder))


def test_latents_stay_float32_at_bfloat16(folder: Path) -> None:
    model = load(folder, SanaModel, "bf16")
    assert model.info.latents_dtype == torch.float32
    pipeline = SanaPipeline.from_pretrained(folder, low_cpu_mem_usage=False, dtype=torch.bfloat16)
    pipeline.set_progress_bar_config(disable=True)
    lay_out(cast("Any", SimpleNamespace(pipeline=pipeline)))
    assert_same_bits(model, REQUEST, pipeline)


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_from_a_picture(folder: Path, model: SanaModel, tmp_path: Path, strength: float) -> None:
    """Diffusers has no such pipeline: this is what its autoencoder and its scheduler do."""
    picture = photograph(64, 32)
    picture.save(tmp_path / "picture.png")
    pipeline = reference(folder)
    scheduler = pipeline.scheduler
    scheduler.set_timesteps(4)
    first = 4 - int(4 * strength)
    scheduler.set_begin_index(first)
    request = replace(REQUEST, image=str(tmp_path / "picture.png"), strength=strength)
    conditioning = model.encode([model.spec.resolve(request)])
    with torch.inference_mode():
        clean = pipeline.vae.encode(VaeImageProcessor().preprocess(picture)).latent
        clean = clean * pipeline.vae.config.scaling_factor
        # This autoencoder draws nothing: the noise is the first that the seed gives.
        noise = torch.randn(clean.shape, generator=torch.Generator("cpu").manual_seed(42))
        latents = scheduler.add_noise(clean, noise, scheduler.timesteps[first : first + 1])
        for timestep in scheduler.timesteps[first:]:
            velocity = model.predict(latents, timestep, conditioning, Guidance(scale=4.5))
            latents = scheduler.step(velocity, timestep, latents).prev_sample
    assert finished(model, request).record.latents_sha256 == tensor_sha256(latents)


def test_what_is_not_masked_stays(model: SanaModel, tmp_path: Path) -> None:
    picture, mask = photograph(64, 32), Image.new("L", (64, 32))
    mask.paste(255, (0, 0, 32, 32))
    picture.save(tmp_path / "picture.png")
    mask.save(tmp_path / "mask.png")
    image, mask_file = str(tmp_path / "picture.png"), str(tmp_path / "mask.png")
    painted = np.asarray(finished(model, replace(REQUEST, image=image, mask=mask_file)).image)
    assert np.array_equal(painted[:, 32:], np.asarray(picture)[:, 32:])
    assert not np.array_equal(painted[:, :32], np.asarray(picture)[:, :32])


def test_the_estimate_of_the_image_in_closed_form(model: SanaModel) -> None:
    """x0 = x - s * v, with s' = 3 * s / (1 + 2 * s) of noise levels that are evenly spaced."""
    levels = torch.linspace(0, 0.999, 5, dtype=torch.float64).flip(0)
    shifted = 3 * levels / (1 + 2 * levels)
    for (step, velocity), level in zip(
        steps_and_predictions(model, REQUEST), shifted[:-1], strict=True
    ):
        x0 = step.model_input.double() - level * velocity.double()
        torch.testing.assert_close(step.pred_original_sample.double(), x0, rtol=1e-5, atol=1e-5)


def test_what_the_tokens_are(model: SanaModel) -> None:
    labels = model.token_labels("A sheep")
    assert [label.position for label in labels] == list(range(300))
    # Of the instruction its last token is seen, which is in front of the first word.
    assert [(label.kind, label.text) for label in labels[:5]] == [
        *(("special", "<bos>"), ("word", "▁"), ("word", "a"), ("word", "▁sheep")),
        ("padding", "<pad>"),
    ]
    conditioning = model.encode([model.spec.resolve(replace(REQUEST, prompt="A sheep"))])
    assert conditioning.mask.sum(dim=1).tolist() == [1 + len("mud and rain"), 4]


def test_words_after_the_limit_are_named(model: SanaModel) -> None:
    reading = model.read_prompt(" ".join(["Sheep"] * 310))
    assert (reading.limit, reading.truncated) == (300, ("Sheep",) * 11)  # one token is <bos>


def test_defaults(model: SanaModel) -> None:
    defaults = model.spec.defaults
    assert (defaults.num_inference_steps, defaults.guidance_scale) == (20, 4.5)
    assert (defaults.width, defaults.height, model.spec.size_multiple) == (64, 64, 4)


def test_sprint_is_refused_by_name(tmp_path: Path) -> None:
    folder = save_tiny_sana(tmp_path / "sana")
    edit_json(folder / "model_index.json", _class_name="SanaSprintPipeline")
    with pytest.raises(ModelError, match="unsupported family: Sana-Sprint"):
        find_model(str(folder))


@pytest.mark.parametrize(
    ("component", "changes", "message"),
    [
        ("transformer", {"in_channels": 8}, "takes latents of 8 channels, but its VAE's have 4"),
        ("transformer", {"caption_channels": 8}, "text embeddings of width 8, but its text"),
        ("transformer", {"out_channels": 8}, "for out_channels"),
        ("transformer", {"sample_size": 4096}, "for sample_size"),
        ("transformer", {"guidance_embeds": True}, "as only Sana-Sprint has it"),
        ("transformer", {"num_layers": 100}, "more than its weights hold"),
        ("transformer", {"mlp_ratio": 1e6}, "more than its weights hold"),
        ("text_encoder", {"rope_parameters": {"rope_type": "yarn"}}, "for rope_parameters"),
        ("text_encoder", {"vocab_size": 100}, "cannot be loaded"),
        ("text_encoder", {"num_hidden_layers": 120, "layer_types": None}, "more than its weights"),
        ("vae", {"encoder_block_out_channels": [8]}, "for decoder_block_out_channels"),
        ("vae", {"decoder_layers_per_block": [1, 1, 10**6]}, "for decoder_layers_per_block"),
        ("vae", {"decoder_qkv_multiscales": [[], [], [10**5]]}, "for decoder_qkv_multiscales"),
        ("vae", {"encoder_block_types": ["os.system"] * 3}, "vae cannot be loaded"),
    ],
)
def test_impossible_configs(
    tmp_path: Path, component: str, changes: dict[str, Any], message: str
) -> None:
    folder = save_tiny_sana(tmp_path / "sana")
    edit_json(folder / component / "config.json", **changes)
    with pytest.raises(ModelError, match=message):
        load(folder, SanaModel)
