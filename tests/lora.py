"""LoRAs for the tiny models, named as each program names them, and what they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn

Style = Literal["kohya", "diffusers", "peft", "old diffusers"]

RANK = 2

ATTENTION = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
OUT = "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0"
CONVOLUTION = "mid_block.resnets.0.conv1"
POINTWISE = "mid_block.attentions.0.proj_in"
TEXT = "encoder.layers.1.mlp.fc1"

LAYERS = (
    ("unet", ATTENTION),
    ("unet", OUT),
    ("unet", CONVOLUTION),
    ("unet", POINTWISE),
    ("text_encoder", TEXT),
)


def networks(folder: Path) -> dict[str, nn.Module]:
    """Return the parts of a diffusers folder that LoRAs change, as the libraries load them."""
    return {
        "unet": UNet2DConditionModel.from_pretrained(folder / "unet"),
        "text_encoder": CLIPTextModel.from_pretrained(folder / "text_encoder"),
    }


def random_matrices(weight: Tensor, rank: int = RANK) -> tuple[Tensor, Tensor]:
    """Return ``up`` and ``down`` for a weight."""
    down = 0.3 * torch.randn(rank, *weight.shape[1:])
    up = 0.3 * torch.randn(weight.shape[0], rank, *([1] * (weight.ndim - 2)))
    return up, down


def names(style: Style, component: str, layer: str) -> tuple[str, str, str]:
    """Return the names of ``up``, ``down`` and ``alpha`` of a layer."""
    if style == "kohya":
        start = "lora_unet_" if component == "unet" else "lora_te_text_model_"
        start += layer.replace(".", "_")
        return f"{start}.lora_up.weight", f"{start}.lora_down.weight", f"{start}.alpha"
    start = "unet." if component == "unet" else "text_encoder.text_model."
    start += layer
    if style == "diffusers":
        return f"{start}.lora_B.weight", f"{start}.lora_A.weight", f"{start}.alpha"
    if style == "peft":
        assert component == "unet"
        start = f"base_model.model.{layer}"
        return f"{start}.lora_B.weight", f"{start}.lora_A.weight", f"{start}.alpha"
    if "attn1" in layer:
        block, _, kind = start.removesuffix(".0").rpartition(".")
        start = f"{block}.processor.{kind}_lora"
        return f"{start}.up.weight", f"{start}.down.weight", f"{start}.alpha"
    start = f"{start}.lora_linear_layer" if component != "unet" else f"{start}.lora"
    return f"{start}.up.weight", f"{start}.down.weight", f"{start}.alpha"


def save_lora(
    folder: Path,
    path: Path,
    *,
    style: Style = "kohya",
    layers: tuple[tuple[str, str], ...] = LAYERS,
    alpha: float | None = 4.0,
    seed: int = 5,
    dtype: torch.dtype = torch.float32,
    metadata: dict[str, str] | None = None,
    more: Mapping[str, Tensor] | None = None,
) -> dict[tuple[str, str], tuple[Tensor, Tensor]]:
    """Write a LoRA for the model in a folder.

    Returns:
        ``up`` and ``down`` of each layer.
    """
    torch.manual_seed(seed)
    parts, tensors, found = networks(folder), dict(more or {}), {}
    for component, layer in layers:
        weight = parts[component].get_submodule(layer).weight
        assert isinstance(weight, torch.nn.Parameter)
        up, down = (each.to(dtype) for each in random_matrices(weight))
        up_name, down_name, alpha_name = names(style, component, layer)
        tensors |= {up_name: up, down_name: down}
        if alpha is not None:
            tensors[alpha_name] = torch.tensor(alpha)
        found[component, layer] = up, down
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata)
    return found
