"""A model in one file gives the pixels of the diffusers folder that it was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPTokenizer

from sheepgen.errors import ModelError, UsageError
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import generate
from sheepgen.pipeline.single_file import clip_tokenizer
from sheepgen.pipeline.stable_diffusion import StableDiffusionModel
from sheepgen.pipeline.stable_diffusion_xl import StableDiffusionXLModel
from sheepgen.request import GenerationRequest
from tests.original import (
    original_unet,
    original_unet_xl,
    save_original_model,
    save_original_xl,
    save_single_file,
)
from tests.pictures import photograph
from tests.tiny import tiny_scheduler

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


Version = int | Literal["xl"]


@pytest.fixture(scope="module", params=[1, 2, "xl"])
def version(request: pytest.FixtureRequest) -> Version:
    found: Version = request.param
    return found


@pytest.fixture(scope="module")
def folder(version: Version, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / f"sd{version}"
    return save_original_xl(path) if version == "xl" else save_original_model(path, version=version)


def pixels(model: Path, **fields: Any) -> NDArray[np.uint8]:
    request = GenerationRequest(
        prompt="a red sheep, and a café",
        negative_prompt="blur",
        seed=3,
        scheduler="euler",
        num_inference_steps=2,
        guidance_scale=4,
        width=16,
        height=16,
        model=str(model),
        **fields,
    )
    loaded = load_model(str(model), device="cpu", dtype="fp32")
    return np.asarray(generate(loaded, request))


def conditioning(model: Path) -> torch.Tensor:
    loaded = load_model(str(model), device="cpu", dtype="fp32")
    request = GenerationRequest(prompt="a fox", seed=1)
    assert isinstance(loaded, StableDiffusionModel | StableDiffusionXLModel)
    states: torch.Tensor = loaded.encode([loaded.spec.resolve(request)]).hidden_states
    return states


def test_pixels_are_those_of_the_folder(folder: Path, version: Version, tmp_path: Path) -> None:
    file = save_single_file(folder, tmp_path / "any name", version=version)

    assert find_model(str(file)).family is find_model(str(folder)).family
    assert np.array_equal(pixels(file), pixels(folder))
    # Wherever the weights lie in their files.
    assert torch.equal(conditioning(file), conditioning(folder))


def test_half_precision_is_read_too(folder: Path, version: Version, tmp_path: Path) -> None:
    file = save_single_file(
        folder, tmp_path / "half.safetensors", version=version, dtype=torch.float16
    )

    model = load_model(str(file), device="cpu", dtype="fp32")

    assert model.dtype == torch.float32
    distance = np.abs(pixels(file).astype(int) - pixels(folder).astype(int))
    assert distance.mean() < 2


def test_a_model_that_reads_the_guidance_is_the_same(tmp_path: Path) -> None:
    folder = save_original_model(tmp_path / "folder")
    original_unet(time_cond_proj_dim=8).save_pretrained(folder / "unet")
    file = save_single_file(folder, tmp_path / "lcm.safetensors")

    assert find_model(str(file)).defaults.num_inference_steps == 4
    assert np.array_equal(pixels(file), pixels(folder))


@pytest.mark.parametrize("kind", [1, 2, "xl"])
def test_a_model_for_inpainting_is_the_same(kind: Version, tmp_path: Path) -> None:
    if kind == "xl":
        folder, unet = save_original_xl(tmp_path / "folder"), original_unet_xl(in_channels=9)
    else:
        folder = save_original_model(tmp_path / "folder", version=kind)
        unet = original_unet(version=kind, in_channels=9)
        # Those of Stable Diffusion 2 predict the noise, too, other than its other ones.
        tiny_scheduler("epsilon").save_pretrained(folder / "scheduler")
    unet.save_pretrained(folder / "unet")
    file = save_single_file(folder, tmp_path / "inpainting.safetensors", version=kind)
    photograph(16, 16).save(tmp_path / "photo.png")
    mask = Image.new("L", (16, 16))
    mask.paste(255, (4, 4, 12, 16))
    mask.save(tmp_path / "mask.png")
    picture = {"image": str(tmp_path / "photo.png"), "mask": str(tmp_path / "mask.png")}

    spec = find_model(str(file))

    assert spec.needs_mask
    assert not spec.checkpoint.assumption
    with pytest.raises(UsageError, match="is an inpainting model"):
        pixels(file)
    assert np.array_equal(pixels(file, **picture), pixels(folder, **picture))


def test_what_a_unet_of_stable_diffusion_has_not_is_an_error(tmp_path: Path) -> None:
    folder = save_original_model(tmp_path / "folder")
    more = {"model.diffusion_model.motion.weight": torch.zeros(32, 8)}
    file = save_single_file(folder, tmp_path / "other.safetensors", more=more)

    with pytest.raises(ModelError, match="unet has 1 weights that Stable Diffusion's"):
        load_model(str(file), device="cpu")


def test_a_missing_weight_is_an_error(tmp_path: Path) -> None:
    folder = save_original_model(tmp_path / "folder")
    name = "model.diffusion_model.middle_block.1.transformer_blocks.0.attn1.to_q.weight"
    file = save_single_file(folder, tmp_path / "part.safetensors", without=name)

    with pytest.raises(ModelError, match="unet has no weights for mid_block"):
        load_model(str(file), device="cpu")


def test_the_installed_vocabulary_is_clips() -> None:
    tokenizer = clip_tokenizer(CLIPTokenizer, {"model_max_length": 77, "pad_token": "!"})

    # As https://github.com/openai/CLIP tokenizes it.
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert len(tokenizer) == 49408
    assert tokenizer.pad_token_id == 0
    assert tokenizer("Café 💕!").input_ids[0] == 49406
