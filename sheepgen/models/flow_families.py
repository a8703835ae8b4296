"""The families of flow transformers: one row each, as in `sheepgen.models.families`.

Steps and guidance are those of the makers' examples.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, Family, Traits
from sheepgen.models.flow_family import (
    FLOW_SCHEDULER,
    QWEN_TOKENIZER,
    QWEN_VL_TEXT_ENCODER,
    T5_TEXT_ENCODER,
    T5_TOKENIZER,
    VAE_FLUX_2,
    VAE_KL,
    VAE_QWEN_IMAGE,
    check_positions,
    check_states_width,
    check_vae_channels,
    qwen3_text_encoder,
    transformer_component,
)
from sheepgen.models.shared_components import CLIP_TOKENIZER, clip_text_encoder
from sheepgen.models.unet_family import text_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs

__all__ = ["FLOW_FAMILIES"]

_Z_IMAGE: Mapping[str, Component] = {
    "scheduler": FLOW_SCHEDULER,
    "text_encoder": qwen3_text_encoder(),
    "tokenizer": QWEN_TOKENIZER,
    "transformer": transformer_component(
        "ZImageTransformer2DModel",
        *("axes_dims", "axes_lens", "cap_feat_dim", "dim", "in_channels", "n_heads", "n_layers"),
        siglip_feat_dim="pictures in the prompt",
    ),
    "vae": VAE_KL,
}


def _check_z_image(configs: Configs, owner: str) -> None:
    transformer = configs["transformer"]
    check_positions(configs, owner)
    check_vae_channels(configs["vae"]["latent_channels"], transformer["in_channels"], owner)
    width = configs["text_encoder"]["hidden_size"]
    check_states_width(transformer["cap_feat_dim"], width, owner)


def _z_image_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    # The distilled model's schedule is shifted by 3, the other's by 6.
    is_turbo = configs["scheduler"].get("shift", 1.0) <= 3
    return Traits(
        width=1024,
        height=1024,
        size_multiple=2 ** len(configs["vae"]["block_out_channels"]),  # patches of two by two
        max_tokens=512,
        num_inference_steps=9 if is_turbo else 50,
        guidance_scale=1.0 if is_turbo else 5.0,
    )


_FLUX_2_KLEIN: Mapping[str, Component] = {
    "scheduler": FLOW_SCHEDULER,
    "text_encoder": qwen3_text_encoder(),
    "tokenizer": QWEN_TOKENIZER,
    "transformer": transformer_component(
        "Flux2Transformer2DModel",
        *("attention_head_dim", "in_channels", "joint_attention_dim", "num_attention_heads"),
        *("num_layers", "num_single_layers"),
        guidance_embeds="a guidance that is read, as only FLUX.2 dev has it",
    ),
    "vae": VAE_FLUX_2,
}

_FLUX_2_LAYERS = 27
"""The last layer of the text encoder that is read, of three."""


def _check_flux_2_klein(configs: Configs, owner: str) -> None:
    transformer, text_encoder = configs["transformer"], configs["text_encoder"]
    check_positions(configs, owner)
    check_vae_channels(configs["vae"]["latent_channels"], transformer["in_channels"] // 4, owner)
    width = 3 * text_encoder["hidden_size"]
    check_states_width(transformer["joint_attention_dim"], width, owner)
    if text_encoder["num_hidden_layers"] < _FLUX_2_LAYERS:
        layers = text_encoder["num_hidden_layers"]
        raise bad_setting("text_encoder/config.json", "num_hidden_layers", layers, owner)


def _flux_2_klein_traits(configs: Configs, index: Mapping[str, Any]) -> Traits:
    is_distilled = bool(index.get("is_distilled"))
    return Traits(
        width=1024,
        height=1024,
        size_multiple=2 ** len(configs["vae"]["block_out_channels"]),
        max_tokens=512,
        num_inference_steps=4 if is_distilled else 50,
        guidance_scale=1.0 if is_distilled else 4.0,
        guidance="none" if is_distilled else "two passes",
    )


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
    return Traits(
        width=1024,
        height=1024,
        size_multiple=2 ** len(configs["vae"]["block_out_channels"]),
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
    return Traits(
        width=1024,
        height=1024,
        size_multiple=2 ** len(configs["vae"]["block_out_channels"]),
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
    for setting in ("patch_size", "sample_size"):
        if not isinstance(transformer[setting], int):
            raise bad_setting("transformer/config.json", setting, transformer[setting], owner)
    check_vae_channels(configs["vae"]["latent_channels"], transformer["in_channels"], owner)
    pooled = first["projection_dim"] + second["projection_dim"]
    check_states_width(transformer["pooled_projection_dim"], pooled, owner)
    width = transformer["joint_attention_dim"]
    if "text_encoder_3" in configs:
        check_states_width(width, configs["text_encoder_3"]["d_model"], owner)
    if first["hidden_size"] + second["hidden_size"] > width:
        raise bad_setting("transformer/config.json", "joint_attention_dim", width, owner)


def _stable_diffusion_3_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    transformer = configs["transformer"]
    scale = 2 ** (len(configs["vae"]["block_out_channels"]) - 1)
    return Traits(
        width=transformer["sample_size"] * scale,
        height=transformer["sample_size"] * scale,
        size_multiple=transformer["patch_size"] * scale,
        max_tokens=(
            256
            if "text_encoder_3" in configs
            else min(
                text_limit(configs, f"text_encoder{each}", f"tokenizer{each}")
                for each in ("", "_2")
            )
        ),
        num_inference_steps=28,
        guidance_scale=7.0,
    )


_QWEN_IMAGE: Mapping[str, Component] = {
    "scheduler": FLOW_SCHEDULER,
    "text_encoder": QWEN_VL_TEXT_ENCODER,
    "tokenizer": QWEN_TOKENIZER,
    "transformer": transformer_component(
        "QwenImageTransformer2DModel",
        *("attention_head_dim", "in_channels", "joint_attention_dim", "num_attention_heads"),
        "num_layers",
        guidance_embeds="a guidance that is read",
        use_additional_t_cond="further conditions in the transformer",
        use_layer3d_rope="layers in the image",
        zero_cond_t="pictures in the prompt",
    ),
    "vae": VAE_QWEN_IMAGE,
}


def _check_qwen_image(configs: Configs, owner: str) -> None:
    transformer, vae = configs["transformer"], configs["vae"]
    check_positions(configs, owner)
    check_vae_channels(vae["z_dim"], transformer["in_channels"] // 4, owner)
    width = configs["text_encoder"]["hidden_size"]
    check_states_width(transformer["joint_attention_dim"], width, owner)
    for setting in ("latents_mean", "latents_std"):
        match vae[setting]:
            case [*numbers] if len(numbers) == vae["z_dim"] and _are_numbers(numbers):
                pass
            case other:
                raise bad_setting("vae/config.json", setting, other, owner)
    for setting in ("dim_mult", "temperal_downsample"):
        if not isinstance(vae[setting], list) or not 1 <= len(vae[setting]) <= _MOST_LEVELS:
            raise bad_setting("vae/config.json", setting, vae[setting], owner)


_MOST_LEVELS = 8


def _are_numbers(values: list[object]) -> bool:
    return all(isinstance(value, int | float) and value == value for value in values)


def _qwen_image_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    return Traits(
        width=1328,
        height=1328,
        size_multiple=2 ** (len(configs["vae"]["temperal_downsample"]) + 1),
        max_tokens=34 + 512,  # the first are the system's, and are not seen
        num_inference_steps=50,
        guidance_scale=4.0,
    )


FLOW_FAMILIES: tuple[Family, ...] = (
    Family(
        name="Z-Image",
        class_names=("ZImagePipeline", "ZImageImg2ImgPipeline", "ZImageInpaintPipeline"),
        components=_Z_IMAGE,
        read_traits=_z_image_traits,
        check_fit=_check_z_image,
        pipeline="sheepgen.pipeline.z_image",
        example="Tongyi-MAI/Z-Image-Turbo",
        is_flow=True,
        fields=("transformer", "vae", "lora"),
    ),
    Family(
        name="FLUX.2 klein",
        class_names=("Flux2KleinPipeline", "Flux2KleinInpaintPipeline"),
        components=_FLUX_2_KLEIN,
        read_traits=_flux_2_klein_traits,
        check_fit=_check_flux_2_klein,
        pipeline="sheepgen.pipeline.flux2_klein",
        example="black-forest-labs/FLUX.2-klein-4B",
        is_flow=True,
        fields=(
            "blend",
            "transformer",
            "lora",
        ),
    ),
    Family(
        name="Qwen-Image",
        class_names=("QwenImagePipeline", "QwenImageImg2ImgPipeline", "QwenImageInpaintPipeline"),
        components=_QWEN_IMAGE,
        read_traits=_qwen_image_traits,
        check_fit=_check_qwen_image,
        pipeline="sheepgen.pipeline.qwen_image",
        example="Qwen/Qwen-Image",
        is_flow=True,
        fields=(
            "transformer",
            "lora",
        ),
    ),
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
    ),
)
