"""A whole Z-Image model of some 60,000 weights, with the real one's layout.

side of an image   32 pixels at least (latents 16x16, spatial factor 2, patches of two by two)
text embedding     16 wide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from transformers import Qwen2Tokenizer, Qwen3Config, Qwen3Model

from tests.tiny import byte_alphabet

if TYPE_CHECKING:
    from pathlib import Path

TEXT_WIDTH = 16

# What Qwen3's own says of one message of a user.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
    "{% endif %}"
)


def tiny_qwen_tokenizer() -> Qwen2Tokenizer:
    """Return a tokenizer that reads any text, byte by byte but for a few words."""
    tokens = [*byte_alphabet(), "sh", "ee", "eep", "sheep", "<|endoftext|>"]
    tokenizer = Qwen2Tokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[("s", "h"), ("e", "e"), ("ee", "p"), ("sh", "eep")],
        chat_template=CHAT_TEMPLATE,
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    return tokenizer


def tiny_qwen3_config(tokenizer: Qwen2Tokenizer, **changes: Any) -> Qwen3Config:
    config: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 4,
        "max_position_embeddings": 1024,
        "rope_parameters": {"rope_theta": 1_000_000.0, "rope_type": "default"},
    }
    return Qwen3Config(**config | changes)


def tiny_vae_16(**changes: Any) -> AutoencoderKL:
    """Return an autoencoder with 16 channels whose latents are shifted, as flow models have it."""
    config: dict[str, Any] = {
        "block_out_channels": (8, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "latent_channels": 16,
        "norm_num_groups": 4,
        "sample_size": 32,
        "scaling_factor": 0.3611,
        "shift_factor": 0.1159,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
        "mid_block_add_attention": False,
    }
    return AutoencoderKL(**config | changes)


def tiny_z_image_pipeline(*, seed: int = 0, **schedule: Any) -> ZImagePipeline:
    """Return diffusers' own pipeline over tiny parts; leaves the global generator as it was.

    Args:
        seed: Fixes every weight.
        schedule: Changes of the scheduler's config.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = tiny_qwen_tokenizer()
        pipeline = ZImagePipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(**{"shift": 3.0} | schedule),
            vae=tiny_vae_16(),
            text_encoder=Qwen3Model(tiny_qwen3_config(tokenizer)),
            tokenizer=tokenizer,
            transformer=ZImageTransformer2DModel(
                in_channels=16,
                dim=32,
                n_layers=2,
                n_refiner_layers=1,
                n_heads=2,
                n_kv_heads=2,
                cap_feat_dim=TEXT_WIDTH,
                axes_dims=[4, 6, 6],
                axes_lens=[600, 256, 256],
            ),
        )
    # Zero as they are made, so that padding would hide mistakes.
    for name, parameter in pipeline.transformer.named_parameters():
        if "pad_token" in name:
            torch.nn.init.constant_(parameter, 0.5)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_z_image(folder: Path, **changes: Any) -> Path:
    """Write a diffusers folder and return it; for the changes see `tiny_z_image_pipeline`."""
    tiny_z_image_pipeline(**changes).save_pretrained(folder, safe_serialization=True)
    return folder
