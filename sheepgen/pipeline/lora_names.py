"""The names that programs have for the layers of a model, in the files of LoRAs.

    diffusers    unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q
                 transformer.single_transformer_blocks.0.proj_mlp
                 text_encoder.text_model.encoder.layers.0.mlp.fc1
    its first    …attn1.processor.to_q_lora
    PEFT         base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q
    ComfyUI      diffusion_model.double_blocks.0.img_attn.qkv
                 text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1
    kohya        lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q
                 lora_unet_double_blocks_0_img_attn_qkv
                 lora_te_text_model_encoder_layers_0_mlp_fc1; te1, te2 and te3 of several
    OneTrainer   lora_transformer_single_transformer_blocks_0_attn_to_q
    XLabs        double_blocks.0.processor.qkv_lora1

Those with a prefix are used for a layer's name in diffusers as well as for that in the code of the
model's makers. Every layer is looked up by all its names, made from the model itself. So no name
has to be taken apart, and one that is not found is known to be another model's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from sheepgen.pipeline.original_transformers import SHIFT_FIRST, original_layers
from sheepgen.pipeline.original_unet import original_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import nn

__all__ = ["Layers", "Rows", "known_layers"]


class Rows(NamedTuple):
    """Rows of the weight of a layer, one after another.

    Args:
        component: Of the model.
        layer: Name of the layer there, as torch has it.
        first: The first row.
        size: How many they are.
        columns: Shape of each: (in,) or (in, height, width).
    """

    component: str
    layer: str
    first: int
    size: int
    columns: tuple[int, ...]


Layers = dict[str, tuple[Rows, ...]]
"""By each of the names that a layer has in files of LoRAs: the rows that its own are for."""

_DOTTED = ("", "base_model.model.", "diffusion_model.")
_FLAT = ("lora_unet_", "lora_transformer_", "lycoris_")
"""What is put in front of the name of a layer of the denoiser; of the second, with _ for dots."""

_TEXT_ENCODERS = {
    "text_encoder": ("lora_te_", "lora_te1_"),
    "text_encoder_2": ("lora_te2_",),
    "text_encoder_3": ("lora_te3_",),
}
_T5_FLAT = "lora_te3_"  # also where it is the second, as in FLUX.1
_COMFY = {
    "text_encoder": "text_encoders.clip_l.transformer.",
    "text_encoder_2": "text_encoders.clip_g.transformer.",
}
_COMFY_T5 = "text_encoders.t5xxl.transformer."


def known_layers(networks: Mapping[str, nn.Module]) -> Layers:
    """Return the layers of networks by all their names.

    Args:
        networks: By component: ``unet`` or ``transformer``, ``text_encoder``, ``text_encoder_2``,
            ``text_encoder_3``.
    """
    known: Layers = {}
    for component, network in networks.items():
        weights = {
            name: layer.weight
            for name, layer in network.named_modules()
            if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)
        }
        whole = {name: _whole(component, name, weight) for name, weight in weights.items()}
        if component.startswith("text_encoder"):
            for name, rows in whole.items():
                known |= dict.fromkeys(_text_encoder_names(component, name, network), (rows,))
            continue
        for name, rows in whole.items():
            known |= dict.fromkeys(_denoiser_names(component, name), (rows,))
        for name, layers in _originals(network, weights).items():
            parts = tuple(each for layer in layers for each in _as_original(whole[layer]))
            known |= dict.fromkeys(_denoiser_names(component, name), parts)
    return known


def _whole(component: str, layer: str, weight: torch.Tensor) -> Rows:
    size, *columns = weight.shape
    return Rows(component, layer, 0, size, tuple(columns))


def _originals(
    network: Any,  # noqa: ANN401
    layers: Mapping[str, object],
) -> dict[str, tuple[str, ...]]:
    """Return layers of a denoiser by their names in the code of its makers."""
    class_name = type(network).__name__
    if class_name != "UNet2DConditionModel":
        return original_layers(class_name, layers)
    per_block = network.config.layers_per_block
    per_block = per_block if isinstance(per_block, int) else 2
    return {name: (layer,) for layer in layers if (name := original_name(layer, per_block))}


def _as_original(rows: Rows) -> tuple[Rows, ...]:
    """Return the rows of a layer in the order that they have in the code of its makers."""
    half = rows.size // 2
    if rows.layer.endswith(SHIFT_FIRST) and (half,) == rows.columns:
        return rows._replace(first=half, size=half), rows._replace(size=half)
    return (rows,)


def _denoiser_names(component: str, layer: str) -> Iterator[str]:
    yield from (f"{prefix}{layer}" for prefix in (f"{component}.", *_DOTTED))
    yield from (f"{prefix}{layer.replace('.', '_')}" for prefix in _FLAT)


def _text_encoder_names(component: str, layer: str, network: nn.Module) -> Iterator[str]:
    is_t5 = type(network).__name__ == "T5EncoderModel"
    short = layer.removeprefix("text_model.")
    flat = _TEXT_ENCODERS[component] + ((_T5_FLAT,) if is_t5 else ())
    comfy = _COMFY_T5 if is_t5 else _COMFY[component]
    for name in (short, f"text_model.{short}"):
        yield from (f"{prefix}{name.replace('.', '_')}" for prefix in flat)
        yield from (f"{component}.{name}", f"{comfy}{name}")
