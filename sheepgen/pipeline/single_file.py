"""Components out of a model in one file, renamed as diffusers names them by its converters."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any, cast

import torch
from diffusers.loaders import single_file_utils as converters
from safetensors import safe_open

from sheepgen.errors import ModelError
from sheepgen.models.single_file import CLIP_TOKENS
from sheepgen.pipeline.network_weights import current_name
from sheepgen.pipeline.original_transformers import convert_transformer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint

__all__ = ["clip_tokenizer", "convert_vae", "read_below", "read_component"]


def read_component(checkpoint: Checkpoint, component: str) -> dict[str, Tensor]:
    """Return the weights of a component of a single file, as diffusers names them."""
    prefix = checkpoint.prefixes[component]
    config = checkpoint.configs[component]
    weights = read_below(checkpoint.path, prefix)
    if not config.get("is_projected", True):
        weights["text_projection.weight"] = torch.eye(config["hidden_size"])
    match component:
        case "unet":
            return _convert_unet(weights, config)
        case "transformer":
            return convert_transformer(weights, checkpoint.classes[component], {}, config)
        case "vae":
            return convert_vae(weights, config)
        case _ if "positional_embedding" in weights:
            return _convert_openclip(weights, config)
        case _:
            positions = {name for name in weights if name.endswith("position_ids")}
            return {name: weights[name] for name in weights.keys() - positions}


def read_below(path: Path, prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``prefix``, without it."""
    with safe_open(path, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        return {name.removeprefix(prefix): file.get_tensor(name) for name in names}


def _convert_unet(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    prefixed = {f"{converters.LDM_UNET_KEY}{name}": tensor for name, tensor in weights.items()}
    converted: dict[str, Tensor] = converters.convert_ldm_unet_checkpoint(prefixed, dict(config))
    if (condition := weights.get("time_embed.cond_proj.weight")) is not None:
        converted["time_embedding.cond_proj.weight"] = condition
    if len(converted) != len(weights):  # it leaves out what it does not know
        raise ModelError(
            f"The model's unet has {len(weights) - len(converted)} weights that Stable Diffusion's "
            "U-Net does not have.",
            "Convert it to a diffusers folder where it comes from.",
        )
    return converted


def convert_vae(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the weights of a VAE, as diffusers names them; they may be so named already."""
    if "encoder.down_blocks.0.resnets.0.conv1.weight" in weights:
        return {current_name(name): tensor for name, tensor in weights.items()}
    prefix = converters.LDM_VAE_KEYS[0]
    prefixed = {f"{prefix}{name}": tensor for name, tensor in weights.items()}
    converted: dict[str, Tensor] = converters.convert_ldm_vae_checkpoint(prefixed, dict(config))
    return converted


def _convert_openclip(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    layers, hidden = config["num_hidden_layers"], config["hidden_size"]
    # The converter reads the width off this one, and Stable Diffusion 2 does without it.
    projection = weights.get("text_projection", torch.eye(hidden))
    used = {
        f"model.{name}": tensor
        for name, tensor in {**weights, "text_projection": projection}.items()
        if not name.startswith("transformer.resblocks.") or int(name.split(".")[2]) < layers
    }
    return cast(
        "dict[str, Tensor]",
        converters.convert_open_clip_checkpoint(None, used, prefix="model."),
    )


def clip_tokenizer(tokenizer_class: Any, config: Mapping[str, Any]) -> PreTrainedTokenizerBase:  # noqa: ANN401
    """Return CLIP's tokenizer, whose vocabulary is installed with the package.

    Args:
        tokenizer_class: Of transformers.
        config: The length of texts, and what they are padded with.
    """
    text = (resources.files("sheepgen") / "assets" / "clip" / "merges.txt").read_text("utf-8")
    merges = [tuple(line.split(" ")) for line in text.splitlines()]
    letters = _byte_letters()
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    assert len(tokens) == CLIP_TOKENS
    return cast(
        "PreTrainedTokenizerBase",
        tokenizer_class(
            vocab={token: number for number, token in enumerate(tokens)}, merges=merges, **config
        ),
    )


def _byte_letters() -> list[str]:
    """Return the letter that stands for each byte in GPT-2's byte-pair encoding, in its order."""
    shown = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = 256 - len(shown)
    return [*map(chr, shown), *(chr(256 + number) for number in range(others))]
