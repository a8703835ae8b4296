"""Families of transformers whose prompts Qwen reads: one row each, as in `models.families`.

Steps and guidance are those of the makers' examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.caches import FIRST_BLOCK, TAYLORSEER
from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, Family, Traits
from sheepgen.models.transformer_family import (
    FLOW_SCHEDULER,
    QWEN_TOKENIZER,
    QWEN_VL_TEXT_ENCODER,
    VAE_FLUX_2,
    VAE_KL,
    VAE_QWEN_IMAGE,
    check_axes,
    check_positions,
    check_states_width,
    check_vae_channels,
    qwen3_text_encoder,
    traits_of_packed,
    transformer_component,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs

__all__ = ["QWEN_FAMILIES"]

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
    check_axes(transformer, owner)
    check_positions(configs, owner)
    check_vae_channels(configs["vae"]["latent_channels"], transformer["in_channels"], owner)
    width = configs["text_encoder"]["hidden_size"]
    check_states_width(transformer["cap_feat_dim"], width, owner)


def _z_image_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    # The distilled model's schedule is shifted by 3, the other's by 6.
    is_turbo = configs["scheduler"].get("shift", 1.0) <= 3
    return traits_of_packed(
        configs,
        max_tokens=512,
        num_inference_steps=9 if is_turbo else 50,
        guidance_scale=1.0 if is_turbo else 5.0,
        positions=min(configs["transformer"]["axes_lens"][1:]),
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
    return traits_of_packed(
        configs,
        max_tokens=512,
        num_inference_steps=4 if is_distilled else 50,
        guidance_scale=1.0 if is_distilled else 4.0,
        guidance="none" if is_distilled else "two passes",
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


QWEN_FAMILIES: tuple[Family, ...] = (
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
        caches=(TAYLORSEER,),
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
        caches=(FIRST_BLOCK, TAYLORSEER),
    ),
)
