"""The families of several stages: one row each, as in `sheepgen.models.families`.

Steps and guidance are the defaults of diffusers' pipelines, which have them from the makers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, Family, Traits
from sheepgen.models.shared_components import (
    CLIP_TOKENIZER,
    DIFFUSERS_SCHEDULER,
    WEIGHTS,
    clip_text_encoder,
)
from sheepgen.models.unet_family import text_limit, unet_component

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs

__all__ = ["STAGED_FAMILIES"]

_MOVQ = Component(
    library="diffusers",
    classes="VQModel",
    weights=WEIGHTS,
    required=("block_out_channels", "latent_channels", "num_vq_embeddings"),
)

_IMAGE_ENCODER = Component(
    library="transformers",
    classes="CLIPVisionModelWithProjection",
    weights="model",
    required=("hidden_size", "image_size", "patch_size", "projection_dim"),
)

_PRIOR = Component(
    library="diffusers",
    classes="PriorTransformer",
    weights=WEIGHTS,
    required=(
        *("attention_head_dim", "embedding_dim", "num_attention_heads", "num_embeddings"),
        "num_layers",
    ),
)

_KANDINSKY: Mapping[str, Component] = {
    "movq": _MOVQ,
    "prior_image_encoder": _IMAGE_ENCODER,
    "prior_prior": _PRIOR,
    "prior_scheduler": Component(
        library="diffusers", classes="UnCLIPScheduler", config="scheduler_config.json"
    ),
    "prior_text_encoder": clip_text_encoder("CLIPTextModelWithProjection", "projection_dim"),
    "prior_tokenizer": CLIP_TOKENIZER,
    "scheduler": DIFFUSERS_SCHEDULER,
    "unet": unet_component("addition_embed_type", "encoder_hid_dim", "encoder_hid_dim_type"),
}


def _check_kandinsky(configs: Configs, owner: str) -> None:
    unet, prior = configs["unet"], configs["prior_prior"]
    for component, setting, expected in (
        ("unet", "addition_embed_type", "image"),
        ("unet", "encoder_hid_dim_type", "image_proj"),
        ("prior_prior", "added_emb_type", "prd"),
        ("prior_prior", "encoder_hid_proj_type", "linear"),
        ("prior_scheduler", "variance_type", "fixed_small_log"),
    ):
        if (value := configs[component].get(setting, expected)) != expected:
            file = "scheduler_config.json" if component.endswith("scheduler") else "config.json"
            raise bad_setting(f"{component}/{file}", setting, value, owner)
    channels = configs["movq"]["latent_channels"]
    if (unet["in_channels"], unet["out_channels"]) != (channels, 2 * channels):
        raise ModelError(
            f"The U-Net of {owner} goes from {unet['in_channels']} to {unet['out_channels']} "
            f"channels, but its latents have {channels}, and the variance as many.",
            "Models for editing pictures are not supported.",
        )
    width = prior["embedding_dim"]
    for name, setting in (
        ("prior_text_encoder", "projection_dim"),
        ("prior_text_encoder", "hidden_size"),
        ("prior_image_encoder", "projection_dim"),
        ("unet", "encoder_hid_dim"),
    ):
        if configs[name][setting] != width:
            raise ModelError(
                f"The prior of {owner} makes embeddings of width {width}, but its {name} has "
                f"{configs[name][setting]} for {setting}.",
                "Its components come from different models.",
            )
    tokens = text_limit(configs, "prior_text_encoder", "prior_tokenizer")
    if prior["num_embeddings"] != tokens:
        raise bad_setting("prior_prior/config.json", "num_embeddings", tokens, owner)


def _kandinsky_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    scale = 2 ** (len(configs["movq"]["block_out_channels"]) - 1)
    return Traits(
        width=512,
        height=512,
        size_multiple=scale**2,
        max_tokens=text_limit(configs, "prior_text_encoder", "prior_tokenizer"),
        num_inference_steps=100,
        guidance_scale=4.0,
        prior=(25, 4.0),
    )


STAGED_FAMILIES: tuple[Family, ...] = (
    Family(
        name="Kandinsky 2.2",
        class_names=("KandinskyV22CombinedPipeline", "KandinskyV22Img2ImgCombinedPipeline"),
        components=_KANDINSKY,
        read_traits=_kandinsky_traits,
        check_fit=_check_kandinsky,
        pipeline="sheepgen.pipeline.kandinsky",
        fields=("prior_steps", "prior_guidance"),
    ),
)
