"""The settings in a stranger's configs, held against limits before anything is built from them.

A config is a few lines that can ask for terabytes, or for attention code from the hub. Only what
Stable Diffusion 1.x and 2.x and the embedded model need is let through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.checkpoint.files import CONFIG_FILES, PREVIEW_COMPONENT
from sheepgen.errors import ModelError
from sheepgen.text import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_configs"]

_REFUSED_SETTINGS = {
    "_attn_implementation": "attention code from elsewhere",
    "_attn_implementation_internal": "attention code from elsewhere",
    "addition_embed_type": "extra conditions in the U-Net",
    "attn_implementation": "attention code from elsewhere",
    "class_embed_type": "class labels in the U-Net",
    "encoder_hid_dim_type": "an extra projection in the U-Net",
    "num_class_embeds": "class labels in the U-Net",
    "quantization_config": "quantised weights",
    "time_cond_proj_dim": "a U-Net distilled for Latent Consistency",
}
"""Config entries that, when set, ask for what is not run here, and what that is."""

_RUN_SETTINGS = {"encoder_hid_dim_type": "text_proj"}
"""What such an entry may say all the same: this one projects the prompt's own states."""

_REQUIRED_SETTINGS = {
    "text_encoder": ("hidden_size", "max_position_embeddings"),
    "unet": ("cross_attention_dim", "in_channels", "out_channels", "sample_size"),
    "vae": ("block_out_channels", "latent_channels"),
}

_LIMITS = {
    "attention_head_dim": 8192,
    "block_out_channels": 8192,
    "conv_in_kernel": 15,
    "conv_out_kernel": 15,
    "cross_attention_dim": 8192,
    "decoder_block_out_channels": 8192,
    "encoder_block_out_channels": 8192,
    "encoder_hid_dim": 8192,
    "hidden_size": 8192,
    "in_channels": 64,
    "intermediate_size": 32_768,
    "latent_channels": 64,
    "layers_per_block": 16,
    "max_position_embeddings": 8192,
    "norm_num_groups": 8192,
    "num_attention_heads": 1024,
    "num_decoder_blocks": 64,
    "num_encoder_blocks": 64,
    "num_hidden_layers": 64,
    "num_train_timesteps": 100_000,
    "out_channels": 64,
    "prompt_tokens": 8192,
    "sample_size": 8192,
    "time_embedding_dim": 32_768,
    "transformer_layers_per_block": 16,
    "type_vocab_size": 1024,
    "vocab_size": 300_000,
    "width": 1024,
}
"""Settings that decide how much memory a model takes: whole numbers from 1 (or 0) to these."""

_LISTS = {
    "attention_head_dim": 1,
    "block_out_channels": 1,
    "cross_attention_dim": 1,
    "decoder_block_out_channels": 1,
    "encoder_block_out_channels": 1,
    "layers_per_block": 1,
    "num_attention_heads": 1,
    "num_decoder_blocks": 1,
    "num_encoder_blocks": 1,
    "sample_size": 1,
    "transformer_layers_per_block": 2,
}
"""Which of them may be lists, one number for each block, and how deep."""

_MAY_BE_ZERO = {"num_decoder_blocks", "num_encoder_blocks"}

_MAX_BLOCKS = 8


def check_configs(configs: Mapping[str, Mapping[str, Any]], owner: str) -> None:
    """Check the configs of all components, each for itself and whether they fit together.

    Args:
        configs: One for each of `sheepgen.checkpoint.files.CONFIG_FILES`, and perhaps the preview
            decoder's.
        owner: Whose configs these are, for the message.

    Raises:
        ModelError: If a setting is missing, impossible, or asks for what is not run here.
    """
    for component, config in configs.items():
        _check_config(component, config, owner)
    _check_fit(configs["unet"], configs["vae"], configs["text_encoder"], owner)
    if PREVIEW_COMPONENT in configs:
        _check_preview(configs[PREVIEW_COMPONENT], configs["vae"], owner)


def _check_config(component: str, config: Mapping[str, Any], owner: str) -> None:
    for setting, meaning in _REFUSED_SETTINGS.items():
        if config.get(setting) not in (None, _RUN_SETTINGS.get(setting)):
            raise ModelError(
                f"{owner} asks for {meaning}, which does not run here.",
                f"It says so in {component}/{_file(component)}, {setting}.",
            )
    for setting in _REQUIRED_SETTINGS.get(component, ()):
        if config.get(setting) is None:
            raise _bad_setting(component, setting, None, owner)
    for setting, limit in _LIMITS.items():
        value = config.get(setting)
        allowed = range(0 if setting in _MAY_BE_ZERO else 1, limit + 1)
        if value is not None and not _within(value, allowed, depth=_LISTS.get(setting, 0)):
            raise _bad_setting(component, setting, value, owner)


def _within(value: object, allowed: range, *, depth: int) -> bool:
    """Say whether all is whole numbers that are ``allowed``, in lists at most ``depth`` deep."""
    if isinstance(value, list) and depth:
        return 1 <= len(value) <= _MAX_BLOCKS and all(
            _within(item, allowed, depth=depth - 1) for item in value
        )
    return type(value) is int and value in allowed


def _file(component: str) -> str:
    return CONFIG_FILES.get(component, CONFIG_FILES["unet"])


def _bad_setting(component: str, setting: str, value: object, owner: str) -> ModelError:
    said = "has no" if value is None else f"has an impossible value, {excerpt(value)}, for"
    return ModelError(
        f"{owner} {said} {setting} in {component}/{_file(component)}.",
        "Do not use this model, or get it from a source that you trust.",
    )


def _check_fit(
    unet: Mapping[str, Any], vae: Mapping[str, Any], text_encoder: Mapping[str, Any], owner: str
) -> None:
    if not isinstance(vae["block_out_channels"], list):
        raise _bad_setting("vae", "block_out_channels", vae["block_out_channels"], owner)
    if isinstance(unet["sample_size"], list) and len(unet["sample_size"]) != 2:
        raise _bad_setting("unet", "sample_size", unet["sample_size"], owner)
    latent_channels = vae["latent_channels"]
    if not unet["in_channels"] == unet["out_channels"] == latent_channels:
        raise ModelError(
            f"{owner} has a U-Net from {unet['in_channels']} to {unet['out_channels']} channels, "
            f"but its latents have {latent_channels}.",
            "Is it made for inpainting or editing? Those models do not run here.",
        )
    width = unet.get("encoder_hid_dim") or unet["cross_attention_dim"]
    if isinstance(width, int) and width != text_encoder["hidden_size"]:
        raise ModelError(
            f"{owner} has a U-Net for text {width} wide, but its text encoder gives "
            f"{text_encoder['hidden_size']}.",
            "Its parts come from different models.",
        )


def _check_preview(preview: Mapping[str, Any], vae: Mapping[str, Any], owner: str) -> None:
    scale = 2 ** (len(vae["block_out_channels"]) - 1)
    for setting, needed in (("latent_channels", vae["latent_channels"]), ("upscale", scale)):
        if preview.get(setting) != needed:
            raise _bad_setting(PREVIEW_COMPONENT, setting, preview.get(setting), owner)
