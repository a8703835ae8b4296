"""A whole Stable Diffusion XL model of some 100,000 weights, with the real one's layout.

side of an image   32 pixels (latents 16x16, spatial factor 2)
prompt             16 tokens, special tokens included
text embeddings    8 and 12 wide, side by side
pooled text        6 wide
sizes              six numbers, each 4 wide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, CLIPTokenizer

from tests.tiny import SAMPLE_SIZE, TEXT_WIDTH, tiny_text_encoder, tiny_tokenizer, tiny_vae

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers import SchedulerMixin

SECOND_WIDTH, POOLED_WIDTH, SIZE_WIDTH = 12, 6, 4

SCHEDULE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "timestep_spacing": "leading",
}
"""The real one's, without what Euler's scheduler does not know."""


def tiny_tokenizer_2() -> CLIPTokenizer:
    """Return a tokenizer that pads with exclamation marks, as the second of the real two does."""
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = "!"
    return tokenizer


def tiny_text_encoder_2(tokenizer: CLIPTokenizer, layers: int = 2) -> CLIPTextModelWithProjection:
    config: dict[str, Any] = tiny_text_encoder(tokenizer, layers).config.to_dict()
    wide = {"hidden_size": SECOND_WIDTH, "projection_dim": POOLED_WIDTH, "hidden_act": "gelu"}
    # What the real one's config says, and means: the end is the token with the greatest number.
    return CLIPTextModelWithProjection(CLIPTextConfig(**config | wide | {"eos_token_id": 2}))


def tiny_unet_xl(**changes: Any) -> UNet2DConditionModel:
    config: dict[str, Any] = {
        "sample_size": SAMPLE_SIZE,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2),
        "attention_head_dim": (2, 4),
        "use_linear_projection": True,
        "norm_num_groups": 4,
        "cross_attention_dim": TEXT_WIDTH + SECOND_WIDTH,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": SIZE_WIDTH,
        "projection_class_embeddings_input_dim": POOLED_WIDTH + 6 * SIZE_WIDTH,
    }
    return UNet2DConditionModel(**config | changes)


def tiny_xl_pipeline(
    *,
    seed: int = 0,
    layers: int = 2,
    unet: dict[str, Any] | None = None,
    scheduler: SchedulerMixin | None = None,
    **settings: Any,
) -> StableDiffusionXLPipeline:
    """Return diffusers' own pipeline over tiny parts; leaves the global generator as it was.

    Args:
        seed: Fixes every weight.
        layers: Of each text encoder.
        unet: Changes of the U-Net's config.
        scheduler: In place of the real one's.
        settings: Of the pipeline.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer, tokenizer_2 = tiny_tokenizer(), tiny_tokenizer_2()
        pipeline = StableDiffusionXLPipeline(
            vae=tiny_vae(),
            text_encoder=tiny_text_encoder(tokenizer, layers),
            text_encoder_2=tiny_text_encoder_2(tokenizer_2, layers),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer_2,
            unet=tiny_unet_xl(**unet or {}),
            scheduler=scheduler or EulerDiscreteScheduler(**SCHEDULE),
            add_watermarker=False,
            **settings,
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_xl(folder: Path, **changes: Any) -> Path:
    """Write a complete diffusers folder and return it; for the changes see `tiny_xl_pipeline`."""
    tiny_xl_pipeline(**changes).save_pretrained(folder, safe_serialization=True)
    return folder
