"""Families of transformers whose prompts T5 reads: one row each, as in `models.families`.

Steps and guidance are those of the makers' examples.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sheepgen.caches import FIRST_BLOCK, TAYLORSEER
from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, Family, Traits
from sheepgen.models.shared_components import CLIP_TOKENIZER, DIFFUSERS_SCHEDULER, clip_text_encoder
from sheepgen.models.transformer_family import (
    FLOW_SCHEDULER,
    T5_TEXT_ENCODER,
    T5_TOKENIZER,
    VAE_KL,
    check_states_width,
    check_table_of_positions,
    check_vae_channels,
    traits_by_sample_size,
    traits_of_packed,
    transformer_component,
)
from sheepgen.models.unet_family import VAE, text_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs

__all__ = ["T5_FAMILIES"]

_FLUX_1: Mapping[str, Component] = {
    "scheduler": FLOW_SCHEDULER,
    "text_encoder": clip_text_encoder("CLIPTextModel"),
    "text_encoder_2": T5_TEXT_ENCODER,
    "tokenizer": CLIP_TOKENIZER,
    "tokenizer_2": T5_TOKENIZER,
    "transformer": transformer_component(
        "FluxTransformer2DModel",
        *("attention_head_dim", "in_channels", "joint_attention_dim", "num_attention_heads"),
        *("num_layers", "num_single_layers", "pooled_projection_dim"),
    ),
    "vae": VAE_KL,
}


def _check_flux_1(configs: Configs, owner: str) -> None:
    transformer = configs["transformer"]
    check_vae_channels(configs["vae"]["latent_channels"], transformer["in_channels"] // 4, owner)
    width = configs["text_encoder_2"]["d_model"]
    check_states_width(transformer["joint_attention_dim"], width, owner)
    pooled = configs["text_encoder"]["hidden_size"]
    check_states_width(transformer["pooled_projection_dim"], pooled, owner)


def _flux_1_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    reads_guidance = bool(configs["transformer"].get("guidance_embeds"))
    return traits_of_packed(
        configs,
        max_tokens=512 if reads_guidance else 256,
        num_inference_steps=28 if reads_guidance else 4,
        guidance_scale=3.5 if reads_guidance else 1.0,
        guidance="embedded" if reads_guidance else "none",
    )


_CHROMA: Mapping[str, Component] = {
    "scheduler": FLOW_SCHEDULER,
    "text_encoder": T5_TEXT_ENCODER,
    "tokenizer": T5_TOKENIZER,
    "transformer": transformer_component(
        "ChromaTransformer2DModel",
        *("attention_head_dim", "in_channels", "joint_attention_dim", "num_attention_heads"),
        *("num_layers", "num_single_layers"),
    ),
    "vae": VAE_KL,
}


def _check_chroma(configs: Configs, owner: str) -> None:
    transformer = configs["transformer"]
    channels = configs["vae"]["latent_channels"]
    check_vae_channels(channels, transformer["in_channels"] // 4, owner)
    width = configs["text_encoder"]["d_model"]
    check_states_width(transformer["joint_attention_dim"], width, owner)


def _chroma_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    return traits_of_packed(
        configs,
        max_tokens=512,
        num_inference_steps=35,
        guidance_scale=5.0,
    )


_STABLE_DIFFUSION_3: Mapping[str, Component] = {
    "scheduler": FLOW_SCHEDULER,
    "text_encoder": clip_text_encoder("CLIPTextModelWithProjection", "projection_dim"),
    "text_encoder_2": clip_text_encoder("CLIPTextModelWithProjection", "projection_dim"),
    "text_encoder_3": replace(T5_TEXT_ENCODER, can_be_none=True),
    "tokenizer": CLIP_TOKENIZER,
    "tokenizer_2": CLIP_TOKENIZER,
    "tokenizer_3": replace(T5_TOKENIZER, can_be_none=True),
    "transformer": replace(
        transformer_component(
            "SD3Transformer2DModel",
            *("attention_head_dim", "caption_projection_dim", "in_channels"),
            *("joint_attention_dim", "num_attention_heads", "num_layers", "patch_size"),
            *("pooled_projection_dim", "sample_size"),
        ),
        keeps_float32=lambda _, __, ___, weight: weight == "pos_embed.pos_embed",
    ),
    "vae": VAE_KL,
}


def _check_stable_diffusion_3(configs: Configs, owner: str) -> None:
    transformer = configs["transformer"]
    first, second = configs["text_encoder"], configs["text_encoder_2"]
    check_table_of_positions(transformer, owner)
    check_vae_channels(configs["vae"]["latent_channels"], transformer["in_channels"], owner)
    pooled = first["projection_dim"] + second["projection_dim"]
    check_states_width(transformer["pooled_projection_dim"], pooled, owner)
    width = transformer["joint_attention_dim"]
    if "text_encoder_3" in configs:
        check_states_width(width, configs["text_encoder_3"]["d_model"], owner)
    if first["hidden_size"] + second["hidden_size"] > width:
        raise bad_setting("transformer/config.json", "joint_attention_dim", width, owner)


def _stable_diffusion_3_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    # As many as T5 was trained with; without it, as CLIP reads.
    tokens = 256
    if "text_encoder_3" not in configs:
        both = (("text_encoder", "tokenizer"), ("text_encoder_2", "tokenizer_2"))
        tokens = min(text_limit(configs, *names) for names in both)
    return traits_by_sample_size(
        configs,
        max_tokens=tokens,
        num_inference_steps=28,
        guidance_scale=7.0,
        # Without a table it computes the positions of any size.
        positions=configs["transformer"].get("pos_embed_max_size", 96),
    )


_PIXART: Mapping[str, Component] = {
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


def _check_pixart(configs: Configs, owner: str) -> None:
    transformer, channels = configs["transformer"], configs["vae"]["latent_channels"]
    check_table_of_positions(transformer, owner)
    check_vae_channels(channels, transformer["in_channels"], owner)
    if transformer["out_channels"] not in (channels, 2 * channels):
        raise bad_setting(
            "transformer/config.json", "out_channels", transformer["out_channels"], owner
        )
    width = configs["text_encoder"]["d_model"]
    check_states_width(transformer["caption_channels"], width, owner)


def _pixart_traits(configs: Configs, index: Mapping[str, Any]) -> Traits:
    return traits_by_sample_size(
        configs,
        max_tokens=120 if index.get("_class_name") == "PixArtAlphaPipeline" else 300,
        num_inference_steps=20,
        guidance_scale=4.5,
    )


T5_FAMILIES: tuple[Family, ...] = (
    Family(
        name="FLUX.1",
        class_names=("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline"),
        components=_FLUX_1,
        read_traits=_flux_1_traits,
        check_fit=_check_flux_1,
        pipeline="sheepgen.pipeline.flux1",
        example="black-forest-labs/FLUX.1-dev",
        is_flow=True,
        fields=("blend", "transformer", "true_cfg", "vae", "lora"),
        word_attention="joint",
        caches=(FIRST_BLOCK, TAYLORSEER),
    ),
    Family(
        name="Chroma",
        class_names=("ChromaPipeline", "ChromaImg2ImgPipeline", "ChromaInpaintPipeline"),
        components=_CHROMA,
        read_traits=_chroma_traits,
        check_fit=_check_chroma,
        pipeline="sheepgen.pipeline.chroma",
        example="lodestones/Chroma1-HD",
        is_flow=True,
        fields=("transformer", "vae", "lora"),
    ),
    Family(
        name="Stable Diffusion 3",
        class_names=(
            "StableDiffusion3Pipeline",
            "StableDiffusion3Img2ImgPipeline",
            "StableDiffusion3InpaintPipeline",
        ),
        components=_STABLE_DIFFUSION_3,
        read_traits=_stable_diffusion_3_traits,
        check_fit=_check_stable_diffusion_3,
        pipeline="sheepgen.pipeline.stable_diffusion_3",
        example="stabilityai/stable-diffusion-3.5-large",
        is_flow=True,
        fields=("blend", "transformer", "vae", "lora"),
        word_attention="joint",
    ),
    Family(
        name="PixArt",
        class_names=("PixArtSigmaPipeline", "PixArtAlphaPipeline"),
        components=_PIXART,
        read_traits=_pixart_traits,
        check_fit=_check_pixart,
        pipeline="sheepgen.pipeline.pixart",
        example="PixArt-alpha/PixArt-Sigma-XL-2-1024-MS",
        fields=("transformer", "vae", "lora"),
        word_attention="cross",
    ),
)
