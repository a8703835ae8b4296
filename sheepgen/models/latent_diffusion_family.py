"""Latent Diffusion's row of `sheepgen.models.families`.

Steps and guidance are the defaults of diffusers' pipeline, and the length of prompts, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, Family, Traits
from sheepgen.models.shared_components import DIFFUSERS_SCHEDULER
from sheepgen.models.unet_family import VQ_VAE, check_latents, check_text_width, unet_component

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs

__all__ = ["LATENT_DIFFUSION"]

_COMPONENTS: Mapping[str, Component] = {
    "bert": Component(
        library="latent_diffusion",  # what diffusers calls its own folder of the class
        classes="LDMBertModel",
        role="resident",
        weights="model",
        required=(
            *("d_model", "encoder_attention_heads", "encoder_ffn_dim", "encoder_layers"),
            *("head_dim", "max_position_embeddings", "vocab_size"),
        ),
    ),
    "scheduler": DIFFUSERS_SCHEDULER,
    "tokenizer": Component(
        library="transformers",
        classes="BertTokenizer(Fast)?",
        config="tokenizer_config.json",
        files=("added_tokens.json", "special_tokens_map.json", "tokenizer.json", "vocab.txt"),
        any_of=("vocab.txt", "tokenizer.json"),
    ),
    "unet": unet_component(),
    "vqvae": VQ_VAE,
}

_MAX_TOKENS = 77


def _check(configs: Configs, owner: str) -> None:
    check_latents(configs, owner, vae="vqvae")
    check_text_width(configs, configs["bert"]["d_model"], owner)
    if configs["unet"].get("time_cond_proj_dim") is not None:
        value = configs["unet"]["time_cond_proj_dim"]
        raise bad_setting("unet/config.json", "time_cond_proj_dim", value, owner)


def _traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    scale = 2 ** (len(configs["vqvae"]["block_out_channels"]) - 1)
    size = configs["unet"]["sample_size"]
    height, width = size if isinstance(size, list) else (size, size)
    return Traits(
        width=width * scale,
        height=height * scale,
        size_multiple=scale,
        max_tokens=min(_MAX_TOKENS, configs["bert"]["max_position_embeddings"]),
        num_inference_steps=50,
        guidance_scale=1.0,
    )


LATENT_DIFFUSION = Family(
    name="Latent Diffusion",
    class_names=("LDMTextToImagePipeline",),
    components=_COMPONENTS,
    read_traits=_traits,
    check_fit=_check,
    pipeline="sheepgen.pipeline.latent_diffusion",
    fields=("blend",),
    word_attention="cross",
)
