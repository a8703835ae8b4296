"""What families with a U-Net on a VAE's latents have in common: its component, checks, traits.

Their rows are in `sheepgen.models.families`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, MadeFor, Traits
from sheepgen.models.shared_components import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs

__all__ = [
    "VAE",
    "VAE_XL",
    "VQ_VAE",
    "check_latents",
    "check_text_width",
    "count_layers",
    "stays_float32",
    "text_limit",
    "unet_component",
    "unet_traits",
]

VAE = Component(
    library="diffusers",
    classes="Autoencoder(KL|Tiny)",
    role="autoencoder",
    weights=WEIGHTS,
    required=("block_out_channels", "latent_channels"),
    refused={"latents_mean": "latents with a mean of their own"},
)

VQ_VAE = Component(
    library="diffusers",
    classes="VQModel|AutoencoderKL",
    role="autoencoder",
    weights=WEIGHTS,
    required=("block_out_channels", "latent_channels"),
)
"""An autoencoder whose latents are looked up in a codebook (https://arxiv.org/abs/1711.00937), or
the other one in its place."""


def stays_float32(dtype: str, class_name: str, config: Mapping[str, Any], _: str = "") -> bool:
    """Return whether Stable Diffusion XL's VAE stays float32: the original's overflows at fp16.

    Args:
        dtype: Precision of the other weights.
        class_name: The VAE's.
        config: Likewise; it says so.
    """
    return dtype == "fp16" and bool(config.get("force_upcast", class_name == "AutoencoderKL"))


VAE_XL = replace(VAE, keeps_float32=stays_float32)

_CLIP_LAYERS = 12
"""Of a text encoder whose config does not say."""

_UNET_REFUSED = {
    "addition_embed_type": "extra conditions in the U-Net",
    "class_embed_type": "class labels in the U-Net",
    "encoder_hid_dim_type": "an extra projection in the U-Net",
    "num_class_embeds": "class labels in the U-Net",
}


def unet_component(*conditions: str) -> Component:
    """Return the component of a U-Net.

    Args:
        conditions: Settings of the further conditions that it takes; without any, it may not have
            an ``addition_embed_type``.
    """
    return Component(
        library="diffusers",
        classes="UNet2DConditionModel",
        role="U-Net",
        weights=WEIGHTS,
        required=(
            *("cross_attention_dim", "in_channels", "out_channels", "sample_size"),
            *conditions,
        ),
        refused={name: what for name, what in _UNET_REFUSED.items() if name not in conditions},
    )


def check_latents(configs: Configs, owner: str, vae: str = "vae") -> None:
    """Check that the U-Net works on the latents of the VAE, which may have another name.

    Raises:
        ModelError: If it does not.
    """
    file, unet, autoencoder = f"{vae}/config.json", configs["unet"], configs[vae]
    blocks = autoencoder["block_out_channels"]
    for setting in ("block_out_channels", "decoder_block_out_channels"):
        value = autoencoder.get(setting, blocks)
        if not isinstance(value, list) or len(value) != len(blocks):
            raise bad_setting(file, setting, value, owner)
    if autoencoder.get("out_channels", 3) != 3:
        raise bad_setting(file, "out_channels", autoencoder["out_channels"], owner)
    if isinstance(unet["sample_size"], list) and len(unet["sample_size"]) != 2:
        raise bad_setting("unet/config.json", "sample_size", unet["sample_size"], owner)
    channels = autoencoder["latent_channels"]
    fits = unet["in_channels"] == channels or _needs_mask(configs)
    if not (fits and unet["out_channels"] == channels):
        raise ModelError(
            f"The U-Net of {owner} has {unet['in_channels']} input and {unet['out_channels']} "
            f"output channels, but its latents have {channels}.",
            "Models for editing by words alone are not supported.",
        )


def _needs_mask(configs: Configs) -> bool:
    """Return whether the U-Net also takes a mask, and the latents of a picture without a part."""
    if "vae" not in configs:  # no family with a VQ-VAE repaints
        return False
    channels: int = configs["vae"]["latent_channels"]
    return bool(configs["unet"]["in_channels"] == 2 * channels + 1)


def check_text_width(configs: Configs, hidden_size: int, owner: str) -> None:
    """Check that the U-Net attends to text embeddings of this width.

    Raises:
        ModelError: If they have another one.
    """
    unet = configs["unet"]
    width = unet.get("encoder_hid_dim") or unet["cross_attention_dim"]
    if isinstance(width, int) and width != hidden_size:
        raise ModelError(
            f"The U-Net of {owner} takes text embeddings of width {width}, but its text encoder "
            f"gives {hidden_size}.",
            "Its components come from different models.",
        )


def text_limit(configs: Configs, text_encoder: str, tokenizer: str) -> int:
    """Return how many tokens a text encoder takes and its tokenizer gives."""
    tokens: int = configs[text_encoder]["max_position_embeddings"]
    limit = configs[tokenizer].get("model_max_length")
    if isinstance(limit, int) and limit > 2:  # some tokenizers say 10**30
        tokens = min(tokens, limit)
    return tokens


def count_layers(configs: Configs, *text_encoders: str) -> int:
    """Return how many layers text encoders have, of several the fewest."""
    layers: list[int] = [
        configs[each].get("num_hidden_layers", _CLIP_LAYERS) for each in text_encoders
    ]
    return min(layers)


def unet_traits(
    configs: Configs, *, tokens: int, guidance_scale: float, text_layers: int | None = None
) -> Traits:
    """Return the traits of a model.

    Args:
        configs: Of its components.
        tokens: How many of them its text encoder takes.
        guidance_scale: Of those of its family that were not distilled.
        text_layers: As in `Traits`.
    """
    unet = configs["unet"]
    scale = 2 ** (len(configs["vae"]["block_out_channels"]) - 1)
    height, width = (side * scale for side in _sample_size(unet))
    # Defaults of diffusers' pipelines, of LatentConsistencyModelPipeline for the distilled ones.
    steps, made_for = 50, None
    reads_guidance = bool(unet.get("time_cond_proj_dim"))
    if reads_guidance or _is_distilled(configs["scheduler"]):
        steps, guidance_scale = 4, 8.5 if reads_guidance else 1.0
        made_for = MadeFor(
            guidance_scale=(0.0, 15.0 if reads_guidance else 2.0),
            num_inference_steps=(1, 12),
            side=(min(height, width) // 2, 2 * max(height, width)),
        )
    return Traits(
        width=width,
        height=height,
        size_multiple=scale,
        max_tokens=tokens,
        text_layers=text_layers,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        guidance="embedded" if reads_guidance else "two passes",
        needs_mask=_needs_mask(configs),
        made_for=made_for,
    )


def _is_distilled(scheduler: Mapping[str, Any]) -> bool:
    """Return whether a scheduler is one for models that take a few steps and no guidance.

    Consistency models have their own. Turbo and Lightning begin at the last timestep, as models do
    that were trained to a signal of zero there; those are not distilled, and predict a velocity.
    """
    if scheduler.get("_class_name") in ("LCMScheduler", "TCDScheduler"):
        return True
    begins_at_the_last = scheduler.get("timestep_spacing") == "trailing"
    predicts_velocity = scheduler.get("prediction_type") == "v_prediction"
    to_zero = predicts_velocity or scheduler.get("rescale_betas_zero_snr")
    return begins_at_the_last and not to_zero


def _sample_size(unet: Mapping[str, Any]) -> tuple[int, int]:
    """Return height and width of the latents, as diffusers' pipeline reads them."""
    size = unet["sample_size"]
    if isinstance(size, list):
        return size[0], size[1]
    # The first exporter wrote 32 for models that were trained on 64.
    written_by = re.match(r"(\d{1,9})\.(\d{1,9})", str(unet.get("_diffusers_version")))
    if written_by and (int(written_by[1]), int(written_by[2])) < (0, 9):
        size = max(size, 64)
    return size, size
