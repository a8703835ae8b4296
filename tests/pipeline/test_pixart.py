"""PixArt is diffusers' pipeline bit for bit at float32, from the seed alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, PixArtAlphaPipeline, PixArtSigmaPipeline
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from safetensors.torch import save_file

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError
from sheepgen.events import FrameDecoded, RunFinished
from sheepgen.models.resolve import find_model
from sheepgen.options import FrameOptions
from sheepgen.pipeline.loading import check_schedule, read_prompt
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.pixart import PixArtModel
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import SCHEDULERS
from tests.pictures import photograph
from tests.pipeline.loaded import finished, load
from tests.pipeline.reference import diffusers_pipeline, steps_and_predictions
from tests.tiny import edit_json, tiny_vae
from tests.tiny_pixart import save_tiny_pixart

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=4,
    guidance_scale=4.5,
    width=48,
    height=32,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_pixart(tmp_path_factory.mktemp("models") / "sigma")


@pytest.fixture(scope="module")
def alpha_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_pixart(tmp_path_factory.mktemp("models") / "alpha", alpha=True)


@pytest.fixture(scope="module")
def model(folder: Path) -> PixArtModel:
    return load(folder, PixArtModel)


def assert_same_bits(
    model: PixArtModel, request: GenerationRequest, pipeline: Any, **inputs: Any
) -> RunFinished:
    last: list[Tensor] = []
    images = pipeline(
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=request.width,
        height=request.height,
        guidance_scale=request.guidance_scale,
        generator=torch.Generator("cpu").manual_seed(request.seed),
        output_type="np",
        use_resolution_binning=False,
        clean_caption=False,
        callback=lambda _, __, latents: last.append(latents),
        **{"num_inference_steps": request.num_inference_steps} | inputs,
    ).images
    ours = finished(model, request)
    assert ours.record.latents_sha256 == tensor_sha256(last[-1])
    assert np.array_equal(np.asarray(ours.image), (images[0] * 255).round().astype("uint8"))
    return ours


@pytest.mark.parametrize("guidance", [1.0, 2.5, 4.5])
@pytest.mark.parametrize("negative_prompt", ["", "mud and rain"])
def test_guidance_and_negative_prompts(
    folder: Path, model: PixArtModel, guidance: float, negative_prompt: str
) -> None:
    request = replace(REQUEST, guidance_scale=guidance, negative_prompt=negative_prompt)
    ours = assert_same_bits(model, request, diffusers_pipeline(folder, PixArtSigmaPipeline))
    assert ours.request.scheduler == "dpmpp_2m"


@pytest.mark.parametrize("guidance", [1.0, 4.5])
@pytest.mark.parametrize("size", [(32, 64), (48, 32)])
def test_alpha_is_given_the_size(
    alpha_folder: Path, guidance: float, size: tuple[int, int]
) -> None:
    width, height = size
    request = replace(REQUEST, guidance_scale=guidance, width=width, height=height)
    pipeline = diffusers_pipeline(alpha_folder, PixArtAlphaPipeline)
    assert_same_bits(load(alpha_folder, PixArtModel), request, pipeline)


@pytest.mark.parametrize("steps", [1, 2, 9, 20])
@pytest.mark.parametrize("size", [(32, 32), (64, 40)])
def test_steps_and_sizes(
    folder: Path, model: PixArtModel, steps: int, size: tuple[int, int]
) -> None:
    width, height = size
    request = replace(REQUEST, num_inference_steps=steps, width=width, height=height)
    assert_same_bits(model, request, diffusers_pipeline(folder, PixArtSigmaPipeline))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler(folder: Path, model: PixArtModel, name: str) -> None:
    spec, config = SCHEDULERS[name], model.scheduler_config
    of_the_model = ("beta_start", "beta_end", "beta_schedule", "timestep_spacing")
    pipeline = diffusers_pipeline(folder, PixArtSigmaPipeline)
    pipeline.scheduler = getattr(diffusers, spec.class_name).from_config(
        {name: config[name] for name in of_the_model}, clip_sample=False, **spec.overrides
    )
    request = replace(REQUEST, scheduler=name, eta=0.5 if spec.takes_eta else 0.0)
    assert_same_bits(model, request, pipeline, eta=0.5)
    check_schedule(model.spec, model.spec.resolve(request))


def test_a_model_that_predicts_no_variance(tmp_path: Path) -> None:
    folder = save_tiny_pixart(tmp_path / "pixart", out_channels=4)
    assert_same_bits(
        load(folder, PixArtModel), REQUEST, diffusers_pipeline(folder, PixArtSigmaPipeline)
    )


def test_a_model_as_they_are_on_the_hub(model: PixArtModel, tmp_path: Path) -> None:
    """They name the class that PixArt's was split off from, and settings that it alone has."""
    copy = save_tiny_pixart(tmp_path / "pixart")
    edit_json(copy / "model_index.json", transformer=["diffusers", "Transformer2DModel"])
    settings = {
        "num_vector_embeds": None,
        "only_cross_attention": False,
        "use_linear_projection": 0,
    }
    edit_json(copy / "transformer" / "config.json", _class_name="Transformer2DModel", **settings)
    ours, other = finished(load(copy, PixArtModel), REQUEST), finished(model, REQUEST)
    assert ours.record.latents_sha256 == other.record.latents_sha256


def test_a_lora_for_a_model_as_they_are_on_the_hub(tmp_path: Path) -> None:
    folder = save_tiny_pixart(tmp_path / "pixart")
    layer = "transformer_blocks.0.attn1.to_q"
    up, down = torch.randn(24, 2), torch.randn(2, 24)
    lora = tmp_path / "lora.safetensors"
    start = f"base_model.model.{layer}"
    save_file({f"{start}.lora_A.weight": down, f"{start}.lora_B.weight": up}, lora)
    before = load(folder, PixArtModel).transformer.get_submodule(layer).weight
    edit_json(folder / "model_index.json", transformer=["diffusers", "Transformer2DModel"])
    model = load(folder, PixArtModel, adapters=Adapters(lora=str(lora)))
    assert torch.equal(model.transformer.get_submodule(layer).weight, before + up @ down)


def test_a_vae_in_place_of_its_own(folder: Path, model: PixArtModel, tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        tiny_vae().save_pretrained(tmp_path / "vae")
    request = replace(REQUEST, vae=str(tmp_path / "vae"))
    changed = load(folder, PixArtModel, adapters=request.adapters)
    pipeline = diffusers_pipeline(folder, PixArtSigmaPipeline)
    pipeline.vae = AutoencoderKL.from_pretrained(tmp_path / "vae")
    ours = assert_same_bits(changed, request, pipeline)
    own = finished(model, REQUEST)
    assert ours.record.latents_sha256 == own.record.latents_sha256
    assert not np.array_equal(np.asarray(ours.image), np.asarray(own.image))


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_from_a_picture(folder: Path, model: PixArtModel, tmp_path: Path, strength: float) -> None:
    """Diffusers has no such pipeline: theirs for text begins with what its parts make of one."""
    picture = photograph(48, 32)
    picture.save(tmp_path / "picture.png")
    pipeline = diffusers_pipeline(folder, PixArtSigmaPipeline)
    pipeline.scheduler.set_timesteps(4)
    timesteps = pipeline.scheduler.timesteps[4 - int(4 * strength) :]
    generator = torch.Generator("cpu").manual_seed(REQUEST.seed)
    with torch.inference_mode():
        encoded = pipeline.vae.encode(VaeImageProcessor().preprocess(picture)).latent_dist
        clean = encoded.sample(generator) * pipeline.vae.config.scaling_factor
        noise = torch.randn(clean.shape, generator=generator)
        latents = pipeline.scheduler.add_noise(clean, noise, timesteps[:1])
    request = replace(REQUEST, image=str(tmp_path / "picture.png"), strength=strength)
    inputs = {"num_inference_steps": None, "timesteps": timesteps.tolist(), "latents": latents}
    assert_same_bits(model, request, pipeline, **inputs)


def test_what_is_not_masked_stays(model: PixArtModel, tmp_path: Path) -> None:
    picture, mask = photograph(48, 32), Image.new("L", (48, 32))
    mask.paste(255, (0, 0, 24, 32))
    picture.save(tmp_path / "picture.png")
    mask.save(tmp_path / "mask.png")
    image, mask_file = str(tmp_path / "picture.png"), str(tmp_path / "mask.png")
    painted = np.asarray(finished(model, replace(REQUEST, image=image, mask=mask_file)).image)
    assert np.array_equal(painted[:, 24:], np.asarray(picture)[:, 24:])
    assert not np.array_equal(painted[:, :24], np.asarray(picture)[:, :24])


def test_the_estimate_of_the_image_in_closed_form(model: PixArtModel) -> None:
    """x0 = (x - sqrt(1 - a) * noise) / sqrt(a), with the product a of DDPM's schedule."""
    products = torch.cumprod(1 - torch.linspace(0.0001, 0.02, 1000, dtype=torch.float64), dim=0)
    for step, noise in steps_and_predictions(model, REQUEST):
        a = products[int(step.timestep)]
        x0 = (step.model_input.double() - (1 - a).sqrt() * noise.double()) / a.sqrt()
        torch.testing.assert_close(step.pred_original_sample.double(), x0, rtol=1e-4, atol=1e-4)


def test_frames_end_at_the_image(model: PixArtModel) -> None:
    options = FrameOptions(noisy=True, decoder="vae")
    events = [*stream(model, replace(REQUEST, scheduler="euler"), options)]
    frames = {event.kind: event.image for event in events if isinstance(event, FrameDecoded)}
    assert isinstance(events[-1], RunFinished)
    image = np.asarray(events[-1].image, dtype=int)
    for kind in ("clean", "noisy"):
        assert abs(np.asarray(frames[kind], dtype=int) - image).max() <= 1


def test_prompts_are_read_in_lower_case(folder: Path, model: PixArtModel) -> None:
    capitals = replace(REQUEST, prompt="A Red SHEEP ")
    pipeline = diffusers_pipeline(folder, PixArtSigmaPipeline)
    ours = assert_same_bits(model, capitals, pipeline)
    assert ours.record.latents_sha256 == finished(model, REQUEST).record.latents_sha256
    assert model.token_labels("A SHEEP") == model.token_labels("a sheep")
    words = ["Sheep"] * 310
    reading = model.read_prompt(" ".join(words))
    assert (reading.limit, reading.truncated) == (300, ("Sheep",) * 11)  # one token is the end
    assert read_prompt(find_model(str(folder)), " ".join(words)) == reading


def test_defaults(model: PixArtModel, alpha_folder: Path) -> None:
    alpha = find_model(str(alpha_folder))
    for spec, side in ((model.spec, 64), (alpha, 256)):
        defaults = spec.defaults
        assert (defaults.num_inference_steps, defaults.guidance_scale) == (20, 4.5)
        assert (defaults.width, defaults.height, spec.size_multiple) == (side, side, 4)
    assert (model.spec.max_tokens, alpha.max_tokens) == (300, 120)


@pytest.mark.parametrize(
    ("component", "changes", "message"),
    [
        ("transformer", {"in_channels": 8}, "takes latents of 8 channels, but its VAE's have 4"),
        ("transformer", {"caption_channels": 8}, "text embeddings of width 8, but its text"),
        ("transformer", {"caption_channels": 10**6}, "for caption_channels"),
        ("transformer", {"out_channels": 12}, "for out_channels"),
        ("transformer", {"sample_size": 4096}, "for sample_size"),
        ("transformer", {"sample_size": [32, 32]}, "for sample_size"),
        ("transformer", {"num_layers": 100}, "more than its weights hold"),
        ("transformer", {"norm_type": "ada_norm_zero"}, "transformer cannot be loaded"),
        ("vae", {"block_out_channels": 8}, "for block_out_channels"),
        ("scheduler", {"use_flow_sigmas": True}, "needs flow matching"),
    ],
)
def test_impossible_configs(
    tmp_path: Path, component: str, changes: dict[str, Any], message: str
) -> None:
    folder = save_tiny_pixart(tmp_path / "pixart")
    name = "scheduler_config.json" if component == "scheduler" else "config.json"
    edit_json(folder / component / name, **changes)
    with pytest.raises(ModelError, match=message):
        load(folder, PixArtModel)
