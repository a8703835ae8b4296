"""PixArt's row of `sheepgen.models.families`.

Steps and guidance are the defaults of diffusers' pipelines, and the length of prompts, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, Family, Traits
from sheepgen.models.flow_family import (
    T5_TEXT_ENCODER,
    T5_TOKENIZER,
    check_states_width,
    check_table_of_positions,
    check_vae_channels,
    transformer_component,
)
from sheepgen.models.shared_components import DIFFUSERS_SCHEDULER
from sheepgen.models.unet_family import VAE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs

__all__ = ["PIXART"]

_COMPONENTS: Mapping[str, Component] = {
    "scheduler": DIFFUSERS_SCHEDULER,
    "text_encoder": T5_TEXT_ENCODER,
    "tokenizer": T5_TOKENIZER,
    "transformer": transformer_component(
        # The models on the Hub name the class that it was split off from.
        "(PixArt)?Transformer2DModel",
        *("attention_head_dim", "caption_channels", "in_channels", "num_attention_heads"),
        *("num_layers", "out_channels", "patch_size", "sample_size"),
    ),
    "vae": VAE,
}


def _check(configs: Configs, owner: str) -> None:
    transformer, channels = configs["transformer"], configs["vae"]["latent_channels"]
    check_table_of_positions(transformer, owner)
    check_vae_channels(channels, transformer["in_channels"], owner)
    if transformer["out_channels"] not in (channels, 2 * channels):
        raise bad_setting(
            "transformer/config.json", "out_channels", transformer["out_channels"], owner
        )
    width = configs["text_encoder"]["d_model"]
    check_states_width(transformer["caption_channels"], width, owner)


def _traits(configs: Configs, index: Mapping[str, Any]) -> Traits:
    transformer = configs["transformer"]
    scale = 2 ** (len(configs["vae"]["block_out_channels"]) - 1)
    return Traits(
        width=transformer["sample_size"] * scale,
        height=transformer["sample_size"] * scale,
        size_multiple=transformer["patch_size"] * scale,
        max_tokens=120 if index.get("_class_name") == "PixArtAlphaPipeline" else 300,
        num_inference_steps=20,
        guidance_scale=4.5,
    )


PIXART = Family(
    name="PixArt",
    class_names=("PixArtSigmaPipeline", "PixArtAlphaPipeline"),
    components=_COMPONENTS,
    read_traits=_traits,
    check_fit=_check,
    pipeline="sheepgen.pipeline.pixart",
    example="PixArt-alpha/PixArt-Sigma-XL-2-1024-MS",
    fields=("transformer", "vae", "lora"),
)
