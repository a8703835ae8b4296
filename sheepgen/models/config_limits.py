"""The settings in a stranger's configs, held against limits before anything is built from them.

A config is a few lines that can ask for terabytes, or for attention code from the hub. Only what
Stable Diffusion 1.x and 2.x and the embedded model need is let through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.files import CONFIG_FILES, PREVIEW_COMPONENT
from sheepgen.sanitize import excerpt

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
    "init_inputs": "a vocabulary from elsewhere",
    "merges": "a vocabulary from elsewhere",
    "num_class_embeds": "class labels in the U-Net",
    "quantization_config": "quantised weights",
    "time_cond_proj_dim": "a U-Net distilled for Latent Consistency",
    "use_flow_sigmas": "flow matching",
    "vocab": "a vocabulary from elsewhere",
}
"""Config entries that, when set, ask for what is not run here, and what that is."""

_RUN_SETTINGS = {"encoder_hid_dim_type": "text_proj"}
"""What such an entry may say all the same: this one projects the prompt's own states."""

_REQUIRED_SETTINGS = {
    "text_encoder": ("hidden_size", "max_position_embeddings"),
    "unet": ("cross_attention_dim", "in_channels", "out_channels", "sample_size"),
    "vae": ("block_out_channels", "latent_channels"),
}


def _up_to(limit: int) -> range:
    return range(1, limit + 1)


_ALLOWED = {
    "attention_head_dim": _up_to(8192),
    "block_out_channels": _up_to(8192),
    "conv_in_kernel": _up_to(15),
    "conv_out_kernel": _up_to(15),
    "corrector_order": range(9),
    "cross_attention_dim": _up_to(8192),
    "decoder_block_out_channels": _up_to(8192),
    "downsample_padding": range(2),
    "encoder_block_out_channels": _up_to(8192),
    "encoder_hid_dim": _up_to(8192),
    "hidden_size": _up_to(8192),
    "in_channels": _up_to(64),
    "intermediate_size": _up_to(32_768),
    "latent_channels": _up_to(64),
    "layers_per_block": _up_to(16),
    "max_position_embeddings": _up_to(8192),
    "norm_num_groups": _up_to(8192),
    "num_attention_heads": _up_to(1024),
    "num_decoder_blocks": range(65),
    "num_encoder_blocks": range(65),
    "num_hidden_layers": _up_to(64),
    "num_train_timesteps": _up_to(10_000),
    "out_channels": _up_to(64),
    "predictor_order": _up_to(8),
    "prompt_tokens": _up_to(8192),
    "reverse_transformer_layers_per_block": _up_to(16),
    "sample_size": _up_to(8192),
    "solver_order": _up_to(8),
    "time_embedding_dim": _up_to(32_768),
    "transformer_layers_per_block": _up_to(16),
    "type_vocab_size": _up_to(1024),
    "upsampling_scaling_factor": range(2, 3),
    "vocab_size": _up_to(300_000),
    "width": _up_to(1024),
}
"""Settings that decide how much memory and time a model takes, and what whole numbers they may be.
What is within these limits and still more than the weights hold is refused where it is built:
`sheepgen.pipeline.building`."""

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
    "reverse_transformer_layers_per_block": 2,
    "sample_size": 1,
    "transformer_layers_per_block": 2,
}
"""Which of them may be lists, one number for each block, and how deep."""

_SETTINGS = {"model_type", *_ALLOWED}

_MAX_BLOCKS = 8


def check_configs(configs: Mapping[str, Mapping[str, Any]], owner: str) -> None:
    """Check the configs of all components, each for itself and whether they fit together.

    Args:
        configs: One for each of `sheepgen.models.files.CONFIG_FILES`, and perhaps the preview
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
        value = config.get(setting)
        unset = value is None or value is False or value in ([], _RUN_SETTINGS.get(setting))
        if not unset:
            raise ModelError(
                f"{owner} asks for {meaning}, which does not run here.",
                f"It says so in {component}/{_file(component)}, {setting}.",
            )
    for setting in _REQUIRED_SETTINGS.get(component, ()):
        if config.get(setting) is None:
            raise _bad_setting(component, setting, None, owner)
    for setting, allowed in _ALLOWED.items():
        value = config.get(setting)
        if value is not None and not _within(value, allowed, depth=_LISTS.get(setting, 0)):
            raise _bad_setting(component, setting, value, owner)
    for setting, value in config.items():
        # Libraries read such settings in place of those that were checked above.
        if isinstance(value, dict) and not _SETTINGS.isdisjoint(value):
            raise ModelError(
                f"{owner} has a config inside its config, which is not read here.",
                f"It is in {component}/{_file(component)}, {excerpt(setting)}.",
            )


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
    blocks = vae["block_out_channels"]
    for setting in ("block_out_channels", "decoder_block_out_channels"):
        value = vae.get(setting, blocks)
        if not isinstance(value, list) or len(value) != len(blocks):
            raise _bad_setting("vae", setting, value, owner)
    if vae.get("out_channels", 3) != 3:
        raise _bad_setting("vae", "out_channels", vae["out_channels"], owner)
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
