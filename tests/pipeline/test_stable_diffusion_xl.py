"""Stable Diffusion XL is diffusers' pipeline bit for bit at float32, from the seed alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import (
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from PIL import Image
from safetensors.torch import save_file

from sheepgen.adapters import Adapters
from sheepgen.events import RunFinished
from sheepgen.pipeline.frames import decode_pixels
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.run import stream, stream_batch
from sheepgen.pipeline.stable_diffusion_xl import StableDiffusionXLModel
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import SCHEDULERS
from tests.pipeline.reference import added_up, run_reference, with_aligned_texts
from tests.tiny_xl import SCHEDULE, save_tiny_xl

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = GenerationRequest(
    prompt="a red sheep",
    negative_prompt="mud and rain",
    seed=42,
    num_inference_steps=4,
    guidance_scale=5.0,
    eta=0.5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_xl(tmp_path_factory.mktemp("models") / "xl")


@pytest.fixture(scope="module")
def model(folder: Path) -> StableDiffusionXLModel:
    return load(folder)


def load(folder: Path, dtype: str = "fp32") -> StableDiffusionXLModel:
    model = load_model(str(folder), device="cpu", dtype=dtype)
    assert isinstance(model, StableDiffusionXLModel)
    return model


def reference(folder: Path, scheduler: str | None = None) -> StableDiffusionXLPipeline:
    """Return diffusers' pipeline as its users have it, and change the scheduler."""
    pipeline = StableDiffusionXLPipeline.from_pretrained(
        folder, low_cpu_mem_usage=False, add_watermarker=False
    )
    pipeline.set_progress_bar_config(disable=True)
    if scheduler is not None:
        spec = SCHEDULERS[scheduler]
        config = {"clip_sample": False, **pipeline.scheduler.config}
        scheduler_class = getattr(diffusers, spec.class_name)
        pipeline.scheduler = scheduler_class.from_config(config, **spec.overrides)
    return with_aligned_texts(pipeline)


def assert_same_bits(
    model: StableDiffusionXLModel,
    request: GenerationRequest,
    pipeline: StableDiffusionXLPipeline,
    **inputs: Any,
) -> RunFinished:
    resolved = model.spec.resolve(request)
    latents, pixels = run_reference(pipeline, resolved, **inputs)
    *_, finished = stream(model, request)
    assert isinstance(finished, RunFinished)
    assert finished.record.latents_sha256 == tensor_sha256(latents)
    ours = decode_pixels(model, latents)[0].permute(1, 2, 0).numpy()
    assert np.array_equal(ours, pixels)
    assert np.array_equal(np.asarray(finished.image), (pixels * 255).round().astype("uint8"))
    return finished


@pytest.mark.parametrize("scheduler", ["ddim", "euler", "euler_a", "dpmpp_2m_karras", "unipc"])
def test_schedulers_with_and_without_guidance(
    folder: Path, model: StableDiffusionXLModel, scheduler: str
) -> None:
    pipeline = reference(folder, scheduler)
    for guidance, rescale in ((5.0, 0.0), (5.0, 0.7), (1.0, 0.0)):
        request = replace(
            REQUEST, scheduler=scheduler, guidance_scale=guidance, guidance_rescale=rescale
        )
        assert_same_bits(model, request, pipeline)


def test_the_folders_own_scheduler(folder: Path, model: StableDiffusionXLModel) -> None:
    finished = assert_same_bits(model, REQUEST, reference(folder))
    assert finished.request.scheduler == "euler"


@pytest.mark.parametrize("zeros", [True, False])
def test_an_empty_negative_prompt_is_zeros_if_the_model_says_so(
    tmp_path: Path, zeros: bool
) -> None:
    save_tiny_xl(tmp_path / "xl", force_zeros_for_empty_prompt=zeros)
    model = load(tmp_path / "xl")
    request = replace(REQUEST, negative_prompt="")
    assert_same_bits(model, request, reference(tmp_path / "xl"))
    embeds = model.encode([model.spec.resolve(request)])
    assert embeds.added is not None
    assert bool(embeds.hidden_states[0].any()) is not zeros
    assert bool(embeds.added["text_embeds"][0].any()) is not zeros


def test_an_oblong_image(folder: Path, model: StableDiffusionXLModel) -> None:
    assert_same_bits(model, replace(REQUEST, width=48, height=24), reference(folder))


def test_the_sizes_that_it_is_told(folder: Path, model: StableDiffusionXLModel) -> None:
    oblong = replace(REQUEST, width=48, height=24)
    told: dict[str, Any] = {"original_size": "64x20", "crop_offset": "6x2", "target_size": "40x30"}
    theirs = {  # height before width
        "original_size": (20, 64),
        "crops_coords_top_left": (2, 6),
        "target_size": (30, 40),
    }
    assert_same_bits(model, replace(oblong, **told), reference(folder), **theirs)
    resolved = model.spec.resolve(oblong)
    own: dict[str, Any] = {"original_size": "48x24", "crop_offset": "0x0", "target_size": "48x24"}
    embeds = [model.encode([replace(resolved, **fields)]) for fields in ({}, own)]
    embeds += [model.encode([replace(resolved, **{name: told[name]})]) for name in told]
    ids = [tuple(each.added["time_ids"][1].tolist()) for each in embeds if each.added]
    assert ids[0] == ids[1] == (24, 48, 0, 0, 24, 48)
    assert ids[2:] == [(20, 64, 0, 0, 24, 48), (24, 48, 2, 6, 24, 48), (24, 48, 0, 0, 30, 40)]


@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
@pytest.mark.parametrize("offset", [0, 1])
def test_the_first_step_is_where_the_config_has_it(
    tmp_path: Path, spacing: str, offset: int
) -> None:
    schedule = SCHEDULE | {"timestep_spacing": spacing, "steps_offset": offset}
    save_tiny_xl(tmp_path / "xl", scheduler=EulerDiscreteScheduler(**schedule))
    model = load(tmp_path / "xl")
    for scheduler in ("euler", "ddim"):
        request = replace(REQUEST, scheduler=scheduler)
        assert_same_bits(model, request, reference(tmp_path / "xl", scheduler))


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_turbo(tmp_path: Path, steps: int) -> None:
    schedule = SCHEDULE | {"timestep_spacing": "trailing"}
    save_tiny_xl(tmp_path / "xl", scheduler=EulerAncestralDiscreteScheduler(**schedule))
    request = replace(REQUEST, negative_prompt="", num_inference_steps=steps, guidance_scale=0.0)
    finished = assert_same_bits(load(tmp_path / "xl"), request, reference(tmp_path / "xl"))
    assert finished.request.scheduler == "euler_a"


@pytest.mark.parametrize(
    ("steps", "prediction_type"), [(1, "sample"), (2, "epsilon"), (4, "epsilon"), (8, "epsilon")]
)
def test_lightning(tmp_path: Path, steps: int, prediction_type: str) -> None:
    schedule = SCHEDULE | {"timestep_spacing": "trailing", "prediction_type": prediction_type}
    save_tiny_xl(tmp_path / "xl", scheduler=EulerDiscreteScheduler(**schedule))
    request = replace(REQUEST, negative_prompt="", num_inference_steps=steps, guidance_scale=0.0)
    assert_same_bits(load(tmp_path / "xl"), request, reference(tmp_path / "xl"))


@pytest.mark.parametrize("guidance", [1.0, 8.0])
def test_latent_consistency(tmp_path: Path, guidance: float) -> None:
    schedule = SCHEDULE | {"original_inference_steps": 50}
    unet = {"time_cond_proj_dim": 8}
    save_tiny_xl(tmp_path / "xl", scheduler=LCMScheduler(**schedule), unet=unet)
    model = load(tmp_path / "xl")
    assert model.info.guidance == "embedded"
    request = replace(REQUEST, negative_prompt="", guidance_scale=guidance)
    finished = assert_same_bits(model, request, reference(tmp_path / "xl"))
    assert finished.request.scheduler == "lcm"


def test_a_smaller_unet_without_attention_in_its_middle(tmp_path: Path) -> None:
    unet = {
        "transformer_layers_per_block": [1, [2]],
        "reverse_transformer_layers_per_block": [[2, 1], 1],
        "mid_block_type": "UNetMidBlock2D",
    }
    save_tiny_xl(tmp_path / "xl", unet=unet)
    assert_same_bits(load(tmp_path / "xl"), REQUEST, reference(tmp_path / "xl"))


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_zero_terminal_snr(tmp_path: Path, prediction_type: str) -> None:
    schedule = SCHEDULE | {
        "prediction_type": prediction_type,
        "rescale_betas_zero_snr": True,
        "timestep_spacing": "trailing",
    }
    save_tiny_xl(tmp_path / "xl", scheduler=EulerDiscreteScheduler(**schedule))
    request = replace(REQUEST, guidance_rescale=0.7)
    assert_same_bits(load(tmp_path / "xl"), request, reference(tmp_path / "xl"))


@pytest.mark.parametrize("task", ["Img2Img", "Inpaint"])
def test_a_folder_that_was_saved_for_another_task(folder: Path, tmp_path: Path, task: str) -> None:
    other = getattr(diffusers, f"StableDiffusionXL{task}Pipeline")
    other.from_pipe(reference(folder)).save_pretrained(tmp_path / "xl")
    assert_same_bits(load(tmp_path / "xl"), REQUEST, reference(folder))


def test_two_prompts_in_one_batch(folder: Path, model: StableDiffusionXLModel) -> None:
    requests = [
        model.spec.resolve(replace(REQUEST, prompt=prompt, negative_prompt=negative, seed=seed))
        for prompt, negative, seed in (("a red sheep", "mud", 1), ("an owl", "rain", 2))
    ]
    pipeline = reference(folder)
    prompts = [request.prompt for request in requests]
    negatives = [request.negative_prompt for request in requests]
    with torch.no_grad():
        together = pipeline.encode_prompt(prompts, negative_prompt=negatives, device="cpu")
        alone = [
            pipeline.encode_prompt(prompt, negative_prompt=negative, device="cpu")
            for prompt, negative in zip(prompts, negatives, strict=True)
        ]
    # Two texts at once round differently; here an image's text does not depend on the others.
    embeds = [torch.cat(each) for each in zip(*alone, strict=True)]
    for one, other in zip(embeds, together, strict=True):
        torch.testing.assert_close(one, other)
    names = (
        *("prompt_embeds", "negative_prompt_embeds"),
        *("pooled_prompt_embeds", "negative_pooled_prompt_embeds"),
    )
    theirs = pipeline(
        **dict(zip(names, embeds, strict=True)),
        num_inference_steps=4,
        guidance_scale=5.0,
        generator=[torch.Generator().manual_seed(request.seed) for request in requests],
        output_type="latent",
    ).images
    finished = [event for event in stream_batch(model, requests) if isinstance(event, RunFinished)]
    for event, latents in zip(finished, theirs, strict=True):
        assert event.record.latents_sha256 == tensor_sha256(latents[None])


def test_embeds_are_diffusers(folder: Path, model: StableDiffusionXLModel) -> None:
    pipeline = reference(folder)
    for prompt in (".", "a red sheep", "sheep " * 40, "Ünïcödé 羊 🐑"):
        with torch.no_grad():
            theirs = pipeline.encode_prompt(prompt, negative_prompt="mud", device="cpu")
        request = replace(REQUEST, prompt=prompt, negative_prompt="mud")
        ours = model.encode([model.spec.resolve(request)])
        assert ours.added is not None
        assert torch.equal(ours.hidden_states, torch.cat([theirs[1], theirs[0]]))
        assert torch.equal(ours.added["text_embeds"], torch.cat([theirs[3], theirs[2]]))


def test_the_second_tokenizer_pads_with_something_else(model: StableDiffusionXLModel) -> None:
    ids = [
        tokenizer("sheep", padding="max_length").input_ids
        for tokenizer in (model.tokenizer, model.tokenizer_2)
    ]
    assert ids[0] != ids[1]


def test_the_vae_is_at_float32_where_float16_overflows_it(
    folder: Path, tmp_path: Path, model: StableDiffusionXLModel
) -> None:
    from shutil import copytree

    from tests.tiny import edit_json

    half = StableDiffusionXLModel.load(model.spec, model.device, torch.float16)
    assert (half.dtype, half.unet.dtype) == (torch.float16, torch.float16)
    assert half.vae.dtype == torch.float32
    latents = torch.randn(1, 4, 16, 16).half()
    assert half.decode(latents).dtype == torch.float32
    edit_json(copytree(folder, tmp_path / "fixed") / "vae" / "config.json", force_upcast=False)
    fixed = load(tmp_path / "fixed").spec
    assert (
        StableDiffusionXLModel.load(fixed, model.device, torch.float16).vae.dtype == torch.float16
    )
    assert load(folder, "bf16").vae.dtype == torch.bfloat16


@pytest.mark.parametrize("scheduler", ["ddim", "euler"])
def test_image_to_image(
    folder: Path, model: StableDiffusionXLModel, tmp_path: Path, scheduler: str
) -> None:
    levels = torch.randint(0, 256, (32, 32, 3), generator=torch.Generator().manual_seed(1))
    picture = Image.fromarray(levels.to(torch.uint8).numpy())
    picture.save(tmp_path / "start.png")
    request = replace(
        REQUEST, scheduler=scheduler, image=str(tmp_path / "start.png"), strength=0.5, eta=0.0
    )
    theirs = StableDiffusionXLImg2ImgPipeline.from_pipe(reference(folder, scheduler))(
        request.prompt,
        negative_prompt=request.negative_prompt,
        image=picture,
        strength=0.5,
        num_inference_steps=4,
        guidance_scale=5.0,
        generator=torch.Generator().manual_seed(request.seed),
        output_type="latent",
    ).images
    *_, finished = stream(model, request)
    assert isinstance(finished, RunFinished)
    assert finished.record.latents_sha256 == tensor_sha256(theirs)


LORA = {
    "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q": (
        "unet",
        "mid_block.attentions.0.transformer_blocks.0.attn1.to_q",
    ),
    "lora_unet_label_emb_0_0": ("unet", "add_embedding.linear_1"),
    "lora_te1_text_model_encoder_layers_1_mlp_fc1": ("text_encoder", "encoder.layers.1.mlp.fc1"),
    "lora_te2_text_model_encoder_layers_0_mlp_fc2": (
        "text_encoder_2",
        "text_model.encoder.layers.0.mlp.fc2",
    ),
}
"""Layers by their names in kohya's files."""


def test_a_lora_for_all_networks(
    folder: Path, model: StableDiffusionXLModel, tmp_path: Path
) -> None:
    tensors: dict[str, torch.Tensor] = {}
    expected: dict[tuple[str, str], torch.Tensor] = {}
    for name, (component, layer) in LORA.items():
        weight = getattr(model, component).get_submodule(layer).weight
        up, down = torch.randn(weight.shape[0], 2), torch.randn(2, weight.shape[1])
        tensors |= {f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down}
        expected[component, layer] = weight + up @ down * 0.5
    save_file(tensors, tmp_path / "style.safetensors")
    adapters = Adapters(lora=f"{tmp_path}/style.safetensors:0.5")
    changed = load_model(str(folder), device="cpu", dtype="fp32", adapters=adapters)
    for (component, layer), weight in expected.items():
        assert torch.equal(getattr(changed, component).get_submodule(layer).weight, weight)
        assert not torch.equal(getattr(model, component).get_submodule(layer).weight, weight)


def test_an_embedding_for_both_text_encoders(
    folder: Path, model: StableDiffusionXLModel, tmp_path: Path
) -> None:
    vectors = {"clip_l": torch.randn(2, 8), "clip_g": torch.randn(2, 12)}
    save_file(vectors, tmp_path / "wooly.safetensors")
    adapters = Adapters(embedding=str(tmp_path / "wooly.safetensors"))
    changed = load_model(str(folder), device="cpu", dtype="fp32", adapters=adapters)
    assert isinstance(changed, StableDiffusionXLModel)
    ids = changed.tokenizer_2("a wooly sheep").input_ids
    table = changed.text_encoder_2.get_input_embeddings().weight
    assert torch.equal(table[ids[2:4]], vectors["clip_g"])
    for prompt, is_changed in (("a wooly sheep", True), ("a sheep", False)):
        request = replace(model.spec.resolve(replace(REQUEST, prompt=prompt)))
        before, after = (each.encode([request]) for each in (model, changed))
        assert before.added is not None
        assert after.added is not None
        same = torch.equal(before.hidden_states, after.hidden_states)
        same &= torch.equal(before.added["text_embeds"], after.added["text_embeds"])
        assert same is not is_changed


def test_a_blend_adds_up_states_and_pooled_texts(
    folder: Path, model: StableDiffusionXLModel
) -> None:
    pipeline = reference(folder, "ddim")
    request = replace(
        REQUEST,
        prompt="",
        scheduler="ddim",
        blend="a red sheep:1, a sheep:-1, an owl in the snow:0.8",
    )
    embeds, pooled = added_up(request, lambda text: pipeline.encode_prompt(text)[::2])
    negative, _, pooled_negative, _ = pipeline.encode_prompt(REQUEST.negative_prompt)
    assert_same_bits(
        model,
        request,
        pipeline,
        prompt=None,
        negative_prompt=None,
        prompt_embeds=embeds,
        pooled_prompt_embeds=pooled,
        negative_prompt_embeds=negative,
        negative_pooled_prompt_embeds=pooled_negative,
    )
