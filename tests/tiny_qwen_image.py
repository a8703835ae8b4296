"""A whole Qwen-Image model of some 200,000 weights, with the real one's layout.

side of an image   32 pixels at least (latents 16x16, spatial factor 2, patches of two by two)
text embedding     16 wide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
)
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from tests.tiny_z_image import TEXT_WIDTH, tiny_qwen_tokenizer

if TYPE_CHECKING:
    from pathlib import Path


def tiny_qwen_vl(vocab_size: int) -> Qwen2_5_VLForConditionalGeneration:
    """Return a model that also sees pictures, as the real one does."""
    text: dict[str, Any] = {
        "vocab_size": vocab_size,
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 1024,
        "rope_parameters": {
            "mrope_section": [1, 1, 2],
            "rope_theta": 1_000_000.0,
            "rope_type": "default",
        },
    }
    vision: dict[str, Any] = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": TEXT_WIDTH,
    }
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    )


def tiny_qwen_image_vae() -> AutoencoderKLQwenImage:
    return AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 1],
        num_res_blocks=1,
        temperal_downsample=[False],
        latents_mean=[0.1, -0.2, 0.3, 0.0],
        latents_std=[2.8, 1.4, 2.3, 1.0],
    )


def tiny_qwen_image_pipeline(*, seed: int = 0, **schedule: Any) -> QwenImagePipeline:
    """Return diffusers' own pipeline over tiny parts; leaves the global generator as it was.

    Args:
        seed: Fixes every weight.
        schedule: Changes of the scheduler's config.
    """
    schedule = {"shift": 1.0, "use_dynamic_shifting": True, "shift_terminal": 0.02} | schedule
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = tiny_qwen_tokenizer()
        pipeline = QwenImagePipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(**schedule),
            vae=tiny_qwen_image_vae(),
            text_encoder=tiny_qwen_vl(len(tokenizer)),
            tokenizer=tokenizer,
            transformer=QwenImageTransformer2DModel(
                in_channels=16,
                out_channels=4,
                num_layers=2,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=TEXT_WIDTH,
                axes_dims_rope=(4, 6, 6),
            ),
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_qwen_image(folder: Path, **changes: Any) -> Path:
    """Write a diffusers folder and return it; for the changes see `tiny_qwen_image_pipeline`."""
    tiny_qwen_image_pipeline(**changes).save_pretrained(folder, safe_serialization=True)
    return folder
