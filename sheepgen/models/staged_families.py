"""The families of several stages: one row each, as in `sheepgen.models.families`.

Steps and guidance are the defaults of diffusers' pipelines, which have them from the makers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.cascade_pipelines import CASCADE_PRIORS
from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, Family, PriorFit, Traits
from sheepgen.models.shared_components import (
    CLIP_TOKENIZER,
    DIFFUSERS_SCHEDULER,
    MOVQ,
    WEIGHTS,
    clip_text_encoder,
)
from sheepgen.models.transformer_family import T5_TEXT_ENCODER, T5_TOKENIZER
from sheepgen.models.unet_family import check_text_width, text_limit, unet_component

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs

__all__ = ["PARTS", "STAGED_FAMILIES"]

_IMAGE_ENCODER = Component(
    library="transformers",
    classes="CLIPVisionModelWithProjection",
    role="image encoder",
    weights="model",
    required=("hidden_size", "image_size", "patch_size", "projection_dim"),
)

_PRIOR = Component(
    library="diffusers",
    classes="PriorTransformer",
    role="prior",
    weights=WEIGHTS,
    required=(
        *("attention_head_dim", "embedding_dim", "num_attention_heads", "num_embeddings"),
        "num_layers",
    ),
)

_PRIOR_PARTS: Mapping[str, Component] = {
    "image_encoder": _IMAGE_ENCODER,
    "prior": _PRIOR,
    "scheduler": Component(
        library="diffusers", classes="UnCLIPScheduler", config="scheduler_config.json"
    ),
    "text_encoder": clip_text_encoder("CLIPTextModelWithProjection", "projection_dim"),
    "tokenizer": CLIP_TOKENIZER,
}

_DECODER: Mapping[str, Component] = {
    "movq": MOVQ,
    "scheduler": DIFFUSERS_SCHEDULER,
    "unet": unet_component("addition_embed_type", "encoder_hid_dim", "encoder_hid_dim_type"),
}

_KANDINSKY: Mapping[str, Component] = {
    **_DECODER,
    **{f"prior_{name}": component for name, component in _PRIOR_PARTS.items()},
}

_PRIOR_NAME = "the prior of a Kandinsky 2.2"

_CLIP_TOKENS = 77
"""That a prior of the makers reads; the decoder alone does not say it."""


def _check_kandinsky(configs: Configs, owner: str) -> None:
    _check_decoder(configs, owner)
    _check_prior(configs, owner, "prior_")
    width, taken = configs["prior_prior"]["embedding_dim"], configs["unet"]["encoder_hid_dim"]
    if width != taken:
        raise ModelError(
            f"The prior of {owner} makes embeddings of width {width}, and its U-Net takes {taken}.",
            "Its components come from different models.",
        )


def _check_decoder(configs: Configs, owner: str) -> None:
    unet, channels = configs["unet"], configs["movq"]["latent_channels"]
    for setting, expected in (
        ("addition_embed_type", "image"),
        ("encoder_hid_dim_type", "image_proj"),
    ):
        if unet[setting] != expected:
            raise bad_setting("unet/config.json", setting, unet[setting], owner)
    if (unet["in_channels"], unet["out_channels"]) != (channels, 2 * channels):
        raise ModelError(
            f"The U-Net of {owner} has {unet['in_channels']} input and {unet['out_channels']} "
            f"output channels, but its latents have {channels}, and the variance as many.",
            "Models for editing pictures are not supported.",
        )


def _check_prior(configs: Configs, owner: str, prefix: str = "") -> None:
    prior, scheduler = configs[f"{prefix}prior"], configs[f"{prefix}scheduler"]
    file = f"{prefix}prior/config.json"
    for setting, expected in (("added_emb_type", "prd"), ("encoder_hid_proj_type", "linear")):
        if (value := prior.get(setting, expected)) != expected:
            raise bad_setting(file, setting, value, owner)
    if (variance := scheduler.get("variance_type", "fixed_small_log")) != "fixed_small_log":
        scheduler_file = f"{prefix}scheduler/scheduler_config.json"
        raise bad_setting(scheduler_file, "variance_type", variance, owner)
    width = prior["embedding_dim"]
    for name, setting in (
        ("text_encoder", "projection_dim"),
        ("text_encoder", "hidden_size"),
        ("image_encoder", "projection_dim"),
    ):
        if (other := configs[f"{prefix}{name}"][setting]) != width:
            raise ModelError(
                f"The prior of {owner} makes embeddings of width {width}, but its {name} has "
                f"{other} for {setting}.",
                "Its components come from different models.",
            )
    if prior["num_embeddings"] != _prior_tokens(configs, prefix):
        raise bad_setting(file, "num_embeddings", prior["num_embeddings"], owner)


def _prior_tokens(configs: Configs, prefix: str = "") -> int:
    return text_limit(configs, f"{prefix}text_encoder", f"{prefix}tokenizer")


def _kandinsky_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    return _decoder_traits(configs, _prior_tokens(configs, "prior_"))


def _decoder_alone_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    return _decoder_traits(configs, _CLIP_TOKENS)


def _decoder_traits(configs: Configs, tokens: int) -> Traits:
    scale = 2 ** (len(configs["movq"]["block_out_channels"]) - 1)
    return Traits(
        width=512,
        height=512,
        size_multiple=scale**2,
        max_tokens=tokens,
        num_inference_steps=100,
        guidance_scale=4.0,
        prior=_PRIOR_SAMPLING,
    )


_PRIOR_SAMPLING = (25, 4.0)
"""Steps and guidance."""


def _prior_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    steps, guidance_scale = _PRIOR_SAMPLING
    return Traits(
        width=0,
        height=0,
        size_multiple=1,
        max_tokens=_prior_tokens(configs),
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
    )


_IF: Mapping[str, Component] = {
    "scheduler": DIFFUSERS_SCHEDULER,
    "text_encoder": T5_TEXT_ENCODER,
    "tokenizer": T5_TOKENIZER,
    "unet": unet_component("addition_embed_type"),
}

_IF_UPSCALER: Mapping[str, Component] = {
    "image_noising_scheduler": DIFFUSERS_SCHEDULER,
    "scheduler": DIFFUSERS_SCHEDULER,
    "unet": unet_component("addition_embed_type", "class_embed_type"),
}

_IF_TOKENS = 77
"""The T5 of diffusers' pipelines reads more; the U-Nets were trained on so many."""


def _check_if(configs: Configs, owner: str) -> None:
    check_text_width(configs, configs["text_encoder"]["d_model"], owner)
    _check_if_unet(configs, 3, owner)


def _check_if_upscaler(configs: Configs, owner: str) -> None:
    if (embedded := configs["unet"]["class_embed_type"]) != "timestep":
        raise bad_setting("unet/config.json", "class_embed_type", embedded, owner)
    _check_if_unet(configs, 6, owner)


def _check_if_unet(configs: Configs, channels: int, owner: str) -> None:
    unet = configs["unet"]
    for setting, expected in (("addition_embed_type", "text"), ("out_channels", 6)):
        if unet[setting] != expected:
            raise bad_setting("unet/config.json", setting, unet[setting], owner)
    if unet["in_channels"] != channels or not isinstance(unet["sample_size"], int):
        raise ModelError(
            f"The U-Net of {owner} takes {unet['in_channels']} channels, not {channels}.",
            "Its components come from different stages.",
        )


def _if_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    return _pixel_traits(configs, num_inference_steps=100, guidance_scale=7.0)


def _if_upscaler_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    return _pixel_traits(configs, num_inference_steps=50, guidance_scale=4.0)


def _pixel_traits(configs: Configs, *, num_inference_steps: int, guidance_scale: float) -> Traits:
    unet = configs["unet"]
    return Traits(
        width=unet["sample_size"],
        height=unet["sample_size"],
        size_multiple=2 ** (len(unet["block_out_channels"]) - 1),
        max_tokens=_IF_TOKENS,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
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
    Family(
        name="Kandinsky 2.2 decoder",
        class_names=("KandinskyV22Pipeline", "KandinskyV22Img2ImgPipeline"),
        components=_DECODER,
        read_traits=_decoder_alone_traits,
        check_fit=_check_decoder,
        pipeline="sheepgen.pipeline.kandinsky",
        fields=("prior", "prior_steps", "prior_guidance"),
        prior=PriorFit(
            family=_PRIOR_NAME,
            made=("prior", "embedding_dim"),
            taken=("unet", "encoder_hid_dim"),
        ),
    ),
    Family(
        name="DeepFloyd IF",
        class_names=("IFPipeline", "IFImg2ImgPipeline"),
        components=_IF,
        read_traits=_if_traits,
        check_fit=_check_if,
        pipeline="sheepgen.pipeline.deepfloyd_if",
        fields=("blend", "upscaler", "upscaler_steps", "upscaler_guidance", "upscaler_noise"),
        has_one_scale=True,
    ),
)

PARTS: tuple[Family, ...] = (
    Family(
        name=_PRIOR_NAME,
        class_names=("KandinskyV22PriorPipeline",),
        components=_PRIOR_PARTS,
        read_traits=_prior_traits,
        check_fit=_check_prior,
        pipeline="sheepgen.pipeline.kandinsky_prior",
        part="prior",
        unused=("image_processor",),
    ),
    Family(
        name="an upscaler of DeepFloyd IF",
        class_names=("IFSuperResolutionPipeline",),
        components=_IF_UPSCALER,
        read_traits=_if_upscaler_traits,
        check_fit=_check_if_upscaler,
        pipeline="sheepgen.pipeline.if_upscaler",
        part="upscaler",
        unused=("text_encoder", "tokenizer"),
    ),
    *CASCADE_PRIORS,  # whose components are some of Kandinsky's
)
"""Families of parts of models; all else of them is as in `STAGED_FAMILIES`. Of a folder that is not
downloaded yet, all files are taken that the first needs for which it has them."""
