"""Which family of models a LoRA seems to be made for, for the message when it does not fit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sheepgen.models.safetensors import StoredTensors

__all__ = ["made_for"]

_WRITTEN = ("ss_base_model_version", "modelspec.architecture")
"""Where kohya's code and others write it."""

_SMALL = "PixArt or Sana"
_STARTS = r"transformer\.|base_model\.model\.|diffusion_model\.|lora_(unet|transformer)_"

_FAMILIES = (
    (r"joint_blocks", "Stable Diffusion 3"),
    (r"distilled_guidance_layer", "Chroma"),
    (r"to_qkv_mlp_proj|ff(_context)?[._]linear_(in|out)|_stream_modulation", "FLUX.2"),
    (r"(double|single|single_transformer)_blocks", "FLUX"),
    (r"transformer_blocks[._]\d+[._](img|txt)_m(lp|od)", "Qwen-Image"),
    (r"transformer_blocks[._]\d+[._](attn[._](to_)?add|norm1_context)", "Stable Diffusion 3"),
    (r"(layers|refiner)[._]\d+[._](attention|feed_forward|adaLN)[._]", "Z-Image or Lumina"),
    (r"inverted_conv|ff[._]conv_inverted", "Sana"),
    (r"(^|[._])blocks[._]\d+[._](attn[._](qkv|proj)|cross_attn[._](q|kv)_linear)", _SMALL),
    (rf"^({_STARTS})?transformer_blocks[._]\d+[._]attn[12][._]", _SMALL),
    (r"(^|[._])blocks[._]\d+[._](self|cross)_attn", "Wan, a family of video models,"),
    (r"lora_te2_|text_encoder_2\.", "Stable Diffusion XL"),
)
"""By what is in the names of layers; the first that is found."""

_WIDTHS = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"}
"""By the width of the text that a U-Net attends to."""


def made_for(names: Iterable[str], stored: StoredTensors) -> str:
    """Return the family of models that a LoRA seems to be made for.

    Args:
        names: Of its layers.
        stored: The file.
    """
    names = tuple(names)
    for key in _WRITTEN:
        if written := stored.metadata.get(key):
            return excerpt(written)
    for pattern, family in _FAMILIES:
        if any(re.search(pattern, name) for name in names):
            return family
    for name, tensor in stored.tensors.items():
        if "attn2" in name and "to_k" in name and tensor.shape and tensor.shape[-1] in _WIDTHS:
            return _WIDTHS[tensor.shape[-1]]
    return "another model"
