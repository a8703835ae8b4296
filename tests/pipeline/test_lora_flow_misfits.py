"""A LoRA that a flow transformer cannot take whole is refused, and what it is made for is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.lora import check_loras
from tests.lora import RANK
from tests.tiny_flux1 import T5_WIDTH, save_tiny_flux1

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

WIDTH = 32
"""Of the tiny FLUX.1's patches."""

QUERY = "transformer_blocks.0.attn.to_q"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_flux1(tmp_path_factory.mktemp("models") / "flux")


def pair(name: str, out: int = WIDTH, into: int = WIDTH) -> dict[str, Tensor]:
    """Return both matrices of a layer, in PEFT's names."""
    return {
        f"{name}.lora_A.weight": torch.randn(RANK, into),
        f"{name}.lora_B.weight": torch.randn(out, RANK),
    }


def kohya(name: str, out: int, into: int) -> dict[str, Tensor]:
    return {
        f"{name}.lora_down.weight": torch.randn(RANK, into),
        f"{name}.lora_up.weight": torch.randn(out, RANK),
    }


MADE_FOR: dict[str, dict[str, Tensor]] = {
    "Stable Diffusion XL": kohya(
        "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 640, 2048
    ),
    "Stable Diffusion 1.x": pair(
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k", 320, 768
    ),
    "Stable Diffusion 3": kohya("lora_unet_joint_blocks_0_x_block_attn_qkv", 4608, 1536),
    "Z-Image or Lumina": pair("diffusion_model.layers.0.attention.to_q", 3840, 3840),
    "Qwen-Image": kohya("lora_unet_transformer_blocks_0_img_mlp_net_0_proj", 12288, 3072),
    "FLUX.2": pair("transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj", 27648, 3072),
    "FLUX": kohya("lora_unet_double_blocks_0_img_attn_qkv", 9216, 3072),
    "Chroma": pair("diffusion_model.distilled_guidance_layer.layers.0.in_layer", 5120, 5120),
    "Sana": pair("transformer.transformer_blocks.0.ff.conv_inverted", 11200, 2240),
    "PixArt or Sana": pair("base_model.model.transformer_blocks.0.attn1.to_q", 1152, 1152),
    "PixArt or Sana.": kohya("lora_unet_blocks_0_cross_attn_kv_linear", 2304, 1152),
    "Wan": pair("diffusion_model.blocks.0.self_attn.q", 5120, 5120),
}


@pytest.mark.parametrize("family", MADE_FOR)
def test_the_family_that_one_is_made_for_is_named(
    family: str, folder: Path, tmp_path: Path
) -> None:
    save_file(MADE_FOR[family], tmp_path / "a.safetensors")

    with pytest.raises(ModelError, match="0 of 1 layer do") as error:
        check(folder, tmp_path / "a.safetensors")

    assert f"made for {family.removesuffix('.')}" in error.value.hint
    assert error.value.hint.endswith("the model is of the family FLUX.1.")


def test_a_part_that_fits_is_said(folder: Path, tmp_path: Path) -> None:
    other = pair("transformer.single_transformer_blocks.99.attn.to_q")
    save_file(pair(f"transformer.{QUERY}") | other, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="1 of 2 layers does") as error:
        check(folder, tmp_path / "a.safetensors")
    assert error.value.hint == (
        "Only part of it fits. It seems to be made for FLUX, perhaps a variant; the model is of "
        "the family FLUX.1."
    )


REFUSED: dict[str, tuple[dict[str, Tensor], str]] = {
    "a second picture": (
        pair(f"transformer.{QUERY}") | pair("transformer.x_embedder", WIDTH, 2 * 64),
        "a control LoRA, which takes a second picture",
    ),
    "a second picture, in its makers' names": (
        pair("img_in", WIDTH, 2 * 64) | {"img_attn.norm.query_norm.scale": torch.ones(16)},
        "a control LoRA, which takes a second picture",
    ),
    "by two names": (
        pair(f"transformer.{QUERY}") | pair("diffusion_model.double_blocks.0.img_attn.qkv", 96),
        f"has the layer {QUERY} twice: as diffusion_model.double.* and as transformer.",
    ),
    "with a bias": (
        pair(f"transformer.{QUERY}") | {f"transformer.{QUERY}.lora_B.bias": torch.zeros(WIDTH)},
        f"1 of 2 layers does, and transformer.{QUERY}.lora_B.bias does not",
    ),
    "of one row too few": (
        pair("diffusion_model.double_blocks.0.img_attn.qkv", 3 * WIDTH - 1),
        "0 of 1 layer do",
    ),
    "LoKr": ({f"transformer.{QUERY}.lokr_w1": torch.zeros(2, 2)}, "but a LoKr"),
    "of a block that is not there": (
        pair(f"transformer.{QUERY}") | pair("transformer.transformer_blocks.9.attn.to_q"),
        r"1 of 2 layers does, and transformer.transformer_blocks.9.attn.to_q does not",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_whole_is_refused(name: str, folder: Path, tmp_path: Path) -> None:
    tensors, message = REFUSED[name]
    save_file(tensors, tmp_path / "a.safetensors")

    with pytest.raises(ModelError, match=message):
        check(folder, tmp_path / "a.safetensors")


def check(folder: Path, file: Path) -> None:
    check_loras(find_model(str(folder)), Adapters(lora=str(file)).loras)


def weights_with(folder: Path, lora: Path | None = None) -> Any:
    adapters = Adapters(lora=str(lora or ""))
    return load_model(str(folder), device="cpu", dtype="fp32", adapters=adapters)


@pytest.mark.parametrize(
    "prefix", ["lora_te3_", "lora_te2_", "text_encoders.t5xxl.transformer.", "text_encoder_2."]
)
def test_t5_is_changed_as_the_paper_says(prefix: str, folder: Path, tmp_path: Path) -> None:
    """Diffusers leaves T5's part of a LoRA out."""
    layer = "encoder.block.0.layer.0.SelfAttention.q"
    name = prefix + (layer.replace(".", "_") if prefix.startswith("lora") else layer)
    tensors = kohya(name, T5_WIDTH, T5_WIDTH) | {f"{name}.alpha": torch.tensor(1.0)}
    save_file(tensors, tmp_path / "a.safetensors")
    before = weights_with(folder).text_encoder_2.model.get_submodule(layer).weight

    check(folder, tmp_path / "a.safetensors")
    model = weights_with(folder, tmp_path / "a.safetensors")

    up, down = tensors[f"{name}.lora_up.weight"], tensors[f"{name}.lora_down.weight"]
    found = model.text_encoder_2.model.get_submodule(layer).weight
    assert torch.equal(found, before + up @ down * (1 / RANK))


def test_alphas_of_layers_are_read_as_peft_means_them(folder: Path, tmp_path: Path) -> None:
    layers = {
        "transformer_blocks.0.attn.to_q": 16.0,  # by its end
        "single_transformer_blocks.1.attn.to_q": 8.0,  # by its whole name
        "transformer_blocks.0.attn.to_k": 4.0,  # by none
    }
    settings = {
        "transformer.lora_alpha": 4,
        "transformer.alpha_pattern": {"^single_transformer_blocks.1.attn.to_q": 8, "to_q": 16},
    }
    tensors = {
        name: tensor for layer in layers for name, tensor in pair(f"transformer.{layer}").items()
    }
    metadata = {"lora_adapter_metadata": json.dumps(settings)}
    save_file(tensors, tmp_path / "a.safetensors", metadata)
    before = weights_with(folder).transformer.state_dict()

    found = weights_with(folder, tmp_path / "a.safetensors").transformer.state_dict()

    for layer, alpha in layers.items():
        up, down = (tensors[f"transformer.{layer}.lora_{each}.weight"] for each in "BA")
        expected = before[f"{layer}.weight"] + up @ down * (alpha / RANK)
        assert torch.equal(found[f"{layer}.weight"], expected), layer
