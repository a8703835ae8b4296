"""What settings of components may be: the limits of numbers, and what is refused."""

from __future__ import annotations

from sheepgen.models.quantization import QUANTIZATION

__all__ = [
    "ALLOWED",
    "ALWAYS_LISTS",
    "LARGEST_NUMBER",
    "LISTS",
    "MAX_BLOCKS",
    "NUMBERS",
    "POSITIVE",
    "REFUSED_SETTINGS",
    "SUPPORTED_VALUES",
]

REFUSED_SETTINGS = {
    "_attn_implementation": "attention code from elsewhere",
    "_attn_implementation_internal": "attention code from elsewhere",
    "attn_implementation": "attention code from elsewhere",
    "init_inputs": "a vocabulary from elsewhere",
    "merges": "a vocabulary from elsewhere",
    QUANTIZATION: "quantised weights",
    "vocab": "a vocabulary from elsewhere",
}
"""Settings that no component may have, of whatever family, and what they ask for."""

SUPPORTED_VALUES = {"encoder_hid_dim_type": "text_proj"}
"""Values of refused settings that are supported: this one projects the prompt's own states."""


def _up_to(limit: int) -> range:
    return range(1, limit + 1)


ALLOWED = {
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
    "num_attention_heads": range(-1, 1025),
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
    "pos_embed_max_size": _up_to(512),
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

NUMBERS = (
    *("base_image_seq_len", "base_shift", "beta_end", "beta_start", "flow_shift"),
    *("max_image_seq_len", "max_shift", "shift", "shift_terminal"),
)
"""Settings of schedulers that are computed with."""

LARGEST_NUMBER = 1e6

POSITIVE = ("flow_shift", "shift")
"""Those of them that must be more than 0: ``s' = f * s / (1 + (f-1) * s)`` is 0/0 at s = 1 else."""

LISTS = {
    "all_f_patch_size": 1,
    "all_patch_size": 1,
    "axes_dim_rope": 1,
    "axes_dims": 1,
    "axes_dims_rope": 1,
    "axes_lens": 1,
    "attention_head_dim": 1,
    "block_out_channels": 1,
    "caption_channels": 1,
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

ALWAYS_LISTS = {"block_out_channels", "decoder_block_out_channels", "encoder_block_out_channels"}

MAX_BLOCKS = 8
"""Numbers in a list at most."""
