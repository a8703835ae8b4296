"""Config files of models, read with a limit and checked before anything is built from them.

A config is a few lines that can ask for terabytes of memory, or for code from the Hub. Limits and
refusals are the same for every family; what a family needs besides is in its row.
"""

from __future__ import annotations

import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from sheepgen.errors import ModelError
from sheepgen.models.quantization import QUANTIZATION
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sheepgen.models.family import Component

__all__ = [
    "MAX_BYTES",
    "bad_setting",
    "check_config",
    "check_size",
    "parse_object",
    "read_config",
    "read_object",
    "too_large",
]

MAX_BYTES = 40_000_000
"""Largest config or vocabulary that is read: language models have vocabularies of up to 34 MB."""

_REFUSED_SETTINGS = {
    "_attn_implementation": "attention code from elsewhere",
    "_attn_implementation_internal": "attention code from elsewhere",
    "attn_implementation": "attention code from elsewhere",
    "init_inputs": "a vocabulary from elsewhere",
    "merges": "a vocabulary from elsewhere",
    QUANTIZATION: "quantised weights",
    "vocab": "a vocabulary from elsewhere",
}
"""Settings that no component may have, of whatever family, and what they ask for."""

_SUPPORTED_VALUES = {"encoder_hid_dim_type": "text_proj"}
"""Values of refused settings that are supported: this one projects the prompt's own states."""


def _up_to(limit: int) -> range:
    return range(1, limit + 1)


_ALLOWED = {
    "addition_embed_type_num_heads": _up_to(1024),
    "addition_time_embed_dim": _up_to(8192),
    "additional_embeddings": _up_to(16),
    "all_f_patch_size": range(1, 2),
    "all_patch_size": range(2, 3),
    "approximator_hidden_dim": _up_to(65_536),
    "approximator_layers": _up_to(64),
    "approximator_num_channels": _up_to(8192),
    "attention_head_dim": _up_to(8192),
    "base_dim": _up_to(1024),
    "axes_dim_rope": _up_to(1024),
    "axes_dims": _up_to(1024),
    "axes_dims_rope": _up_to(1024),
    "axes_lens": _up_to(8192),
    "attn_norm_num_groups": _up_to(8192),
    "blank_tokens": range(1025),
    "block_out_channels": _up_to(8192),
    "cap_feat_dim": _up_to(16_384),
    "caption_channels": _up_to(16_384),
    "caption_projection_dim": _up_to(16_384),
    "cell_width": _up_to(256),
    "clip_embed_dim": _up_to(8192),
    "context_tokens": range(1025),
    "conv_in_kernel": _up_to(15),
    "conv_out_kernel": _up_to(15),
    "corrector_order": range(9),
    "cross_attention_dim": _up_to(8192),
    "cross_attention_head_dim": _up_to(1024),
    "d_ff": _up_to(65_536),
    "d_kv": _up_to(1024),
    "d_model": _up_to(16_384),
    "decoder_block_out_channels": _up_to(8192),
    "decoder_layers_per_block": range(17),
    "decoder_qkv_multiscales": _up_to(15),
    "dim": _up_to(16_384),
    "drawings": _up_to(20_000),
    "dim_mult": _up_to(16),
    "downsample_padding": range(2),
    "embedding_dim": _up_to(8192),
    "embedding_proj_dim": _up_to(8192),
    "encoder_block_out_channels": _up_to(8192),
    "encoder_attention_heads": _up_to(1024),
    "encoder_ffn_dim": _up_to(65_536),
    "encoder_hid_dim": _up_to(8192),
    "encoder_layers": _up_to(128),
    "encoder_layers_per_block": range(17),
    "encoder_qkv_multiscales": _up_to(15),
    "head_dim": _up_to(1024),
    "hidden_size": _up_to(8192),
    "image_size": _up_to(4096),
    "in_channels": _up_to(256),
    "intermediate_size": _up_to(32_768),
    "joint_attention_dim": _up_to(65_536),
    "latent_channels": _up_to(64),
    "layers_per_block": _up_to(16),
    "max_position_embeddings": _up_to(1_000_000),
    "multiple_of": _up_to(8192),
    "n_heads": _up_to(1024),
    "n_kv_heads": _up_to(1024),
    "n_layers": _up_to(128),
    "n_refiner_layers": _up_to(16),
    "norm_num_groups": _up_to(8192),
    "num_attention_heads": range(1025),
    "num_channels": _up_to(16),
    "num_cross_attention_heads": _up_to(1024),
    "num_decoder_blocks": range(65),
    "num_embeddings": _up_to(1024),
    "num_encoder_blocks": range(65),
    "num_heads": _up_to(1024),
    "num_hidden_layers": _up_to(128),
    "num_key_value_heads": _up_to(1024),
    "num_kv_heads": _up_to(1024),
    "num_layers": _up_to(128),
    "num_refiner_layers": range(17),
    "num_res_blocks": range(17),
    "num_single_layers": range(129),
    "num_train_timesteps": _up_to(10_000),
    "num_vq_embeddings": _up_to(1_000_000),
    "out_channels": _up_to(64),
    "parser_heads": _up_to(64),
    "parser_layers": _up_to(16),
    "parser_width": _up_to(2048),
    "patch_size": _up_to(16),
    "pooled_projection_dim": _up_to(32_768),
    "pos_embed_max_size": _up_to(4096),
    "predictor_order": _up_to(8),
    "projection_class_embeddings_input_dim": _up_to(32_768),
    "projection_dim": _up_to(8192),
    "relative_attention_max_distance": _up_to(8192),
    "relative_attention_num_buckets": _up_to(1024),
    "reverse_transformer_layers_per_block": _up_to(16),
    "sample_size": _up_to(8192),
    "solver_order": _up_to(8),
    "stored_cells": _up_to(20_000_000),
    "symbols": _up_to(100_000),
    "time_cond_proj_dim": range(4, 8193),
    "time_embed_dim": _up_to(32_768),
    "time_embedding_dim": _up_to(32_768),
    "timestep_guidance_channels": _up_to(8192),
    "transformer_layers_per_block": _up_to(16),
    "upsampling_scaling_factor": range(2, 3),
    "vocab_size": _up_to(300_000),
    "vq_embed_dim": _up_to(1024),
    "width": _up_to(1024),
    "z_dim": _up_to(64),
}
"""Settings that decide how much memory and time a model takes, and the integers that they may be.
What is within these limits and still more than the weights hold is refused when it is built, by
`sheepgen.pipeline.building`."""

_NUMBERS = (
    *("base_image_seq_len", "base_shift", "beta_end", "beta_start", "flow_shift"),
    *("max_image_seq_len", "max_shift", "shift", "shift_terminal"),
)
"""Settings of schedulers that are computed with."""

_LARGEST_NUMBER = 1e6

_LISTS = {
    "all_f_patch_size": 1,
    "all_patch_size": 1,
    "axes_dim_rope": 1,
    "axes_dims": 1,
    "axes_dims_rope": 1,
    "axes_lens": 1,
    "attention_head_dim": 1,
    "block_out_channels": 1,
    "cross_attention_dim": 1,
    "dim_mult": 1,
    "decoder_block_out_channels": 1,
    "decoder_layers_per_block": 1,
    "decoder_qkv_multiscales": 2,
    "encoder_block_out_channels": 1,
    "encoder_layers_per_block": 1,
    "encoder_qkv_multiscales": 2,
    "layers_per_block": 1,
    "num_attention_heads": 1,
    "num_decoder_blocks": 1,
    "num_encoder_blocks": 1,
    "patch_size": 1,
    "reverse_transformer_layers_per_block": 2,
    "sample_size": 1,
    "transformer_layers_per_block": 2,
}
"""Which of them may be lists, one number for each block, and how deep."""

_ALWAYS_LISTS = {"block_out_channels", "decoder_block_out_channels", "encoder_block_out_channels"}

_SETTINGS = {"model_type", *_ALLOWED}

_MAX_BLOCKS = 8


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ModelError: If the file cannot be read, is not a regular one, is larger than `MAX_BYTES` or
            is not a JSON object.
    """
    try:
        check_size(path)
        content = read_untrusted(path, max_bytes=MAX_BYTES)
    except OSError as error:
        raise ModelError(
            f"{excerpt(path, 200)} cannot be read: {error.strerror}.",
            "Check its permissions, and that it is a regular file.",
        ) from error
    return parse_object(content, _short(path))


def read_config(path: Path, component: Component) -> dict[str, Any]:
    """Read a component's config; one that is inside another is put in its place.

    Raises:
        ModelError: As `read_object` does.
    """
    config = read_object(path)
    if not component.inner_config:
        return config
    inner = config.get(component.inner_config)
    parts = {name for name in config if name.endswith("_config")} - {QUANTIZATION}
    own = {name: value for name, value in config.items() if name not in parts}
    return own | inner if isinstance(inner, dict) else own


def check_size(path: Path) -> None:
    """Check that a config or a vocabulary is of a size that is safe to read.

    Raises:
        ModelError: If it is larger than `MAX_BYTES`.
        OSError: If it cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise too_large(excerpt(_short(path)))


def too_large(what: str) -> ModelError:
    """Return the error for a config or a vocabulary that is larger than `MAX_BYTES`."""
    return ModelError(
        f"{what} is larger than {MAX_BYTES:,} bytes.",
        "The model is damaged or not trustworthy: get it from another source.",
    )


def parse_object(content: bytes, name: str, *, unique_keys: bool = False) -> dict[str, Any]:
    """Parse a JSON object out of ``content``, which came from ``name``.

    Args:
        content: UTF-8.
        name: What it is called in messages.
        unique_keys: Whether a key that comes twice is an error: which of its values counts would be
            up to each parser.

    Raises:
        ModelError: If it is not one.
    """

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if unique_keys and len(found) != len(pairs):
            raise ModelError(
                f"{excerpt(name)} says something twice.",
                "The file is damaged or not trustworthy: get it from another source.",
            )
        return found

    try:
        value = json.loads(content, object_pairs_hook=checked)
    except (ValueError, RecursionError) as error:
        raise _not_an_object(name) from error
    if not isinstance(value, dict):
        raise _not_an_object(name)
    return value


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _not_an_object(name: str) -> ModelError:
    return ModelError(
        f"{excerpt(name)} is not a JSON object.", "The model is damaged. Download it again."
    )


def check_config(
    config: Mapping[str, Any],
    file: str,
    owner: str,
    *,
    required: Iterable[str],
    refused: Mapping[str, str],
    inner: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Check the settings of one component, before anything is built from them.

    Args:
        config: Content of the file.
        file: Its name, as ``component/file``.
        owner: Whose config this is, for the message.
        required: Settings that must be there.
        refused: Settings that this family does not support, and what they ask for.
        inner: Settings that are configs, too, and regular expressions for their ``model_type``.

    Raises:
        ModelError: If a setting is missing, impossible, or asks for what is not supported.
    """
    for setting, meaning in {**_REFUSED_SETTINGS, **refused}.items():
        value = config.get(setting)
        unset = value is None or value is False or value in ([], _SUPPORTED_VALUES.get(setting))
        if not unset:
            raise ModelError(
                f"{owner} needs {meaning}, which is not supported.",
                f"The setting is {setting} in {file}.",
            )
    for setting in required:
        if config.get(setting) is None:
            raise bad_setting(file, setting, None, owner)
    for setting, allowed in _ALLOWED.items():
        value = config.get(setting)
        if value is None:
            continue
        if not _within(value, allowed, depth=_LISTS.get(setting, 0)) or (
            setting in _ALWAYS_LISTS and not isinstance(value, list)
        ):
            raise bad_setting(file, setting, value, owner)
    for setting in _NUMBERS:
        value = config.get(setting)
        if value is not None and not _is_number(value):
            raise bad_setting(file, setting, value, owner)
    for setting, value in config.items():
        if setting in inner and isinstance(value, dict):
            if not re.fullmatch(inner[setting], str(value.get("model_type"))):
                kind = f"{setting}.model_type"
                raise bad_setting(file, kind, value.get("model_type"), owner)
            check_config(value, file, owner, required=(), refused=refused)
            continue
        # Libraries read such settings in place of those that were checked above.
        if isinstance(value, dict) and not _SETTINGS.isdisjoint(value):
            raise ModelError(
                f"{owner} has a config inside its config, which is not supported.",
                f"The setting is {excerpt(setting)} in {file}.",
            )


def bad_setting(file: str, setting: str, value: object, owner: str) -> ModelError:
    """Return the error for a setting that is missing (None) or impossible.

    Args:
        file: The config, as ``component/file``.
        setting: Name of the setting.
        value: What the config says.
        owner: Whose config this is.
    """
    problem = "does not set" if value is None else f"has an impossible value, {excerpt(value)}, for"
    return ModelError(
        f"{file} of {owner} {problem} {setting}.",
        "The model is damaged or not trustworthy: get it from another source.",
    )


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and abs(cast("float", value)) <= _LARGEST_NUMBER


def _within(value: object, allowed: range, *, depth: int) -> bool:
    """Return whether a value is an allowed integer, or lists of them at most ``depth`` deep.

    The outermost list holds something; those in it may be empty.
    """
    if isinstance(value, list) and depth:
        return 1 <= len(value) <= _MAX_BLOCKS and all(
            (item == [] and depth > 1) or _within(item, allowed, depth=depth - 1) for item in value
        )
    return type(value) is int and value in allowed
