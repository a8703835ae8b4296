"""A whole FLUX.2 klein model of some 100,000 weights, with the real one's layout.

side of an image   32 pixels at least (latents 16x16, patches of two by two)
text embedding     three layers, each 16 wide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from transformers import Qwen3ForCausalLM

from tests.tiny_z_image import TEXT_WIDTH, tiny_qwen3_config, tiny_qwen_tokenizer

if TYPE_CHECKING:
    from pathlib import Path


def tiny_flux2_vae() -> AutoencoderKLFlux2:
    """Return an autoencoder whose statistics of patches are not those of no training."""
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=32,
        mid_block_add_attention=False,
    )
    vae.bn.running_mean.uniform_(-0.5, 0.5)
    vae.bn.running_var.uniform_(0.5, 2.0)
    return vae


def tiny_flux2_klein_pipeline(
    *, seed: int = 0, is_distilled: bool = False, **text_encoder: Any
) -> Flux2KleinPipeline:
    """Return diffusers' own pipeline over tiny parts; leaves the global generator as it was.

    Args:
        seed: Fixes every weight.
        is_distilled: As the pipeline has it.
        text_encoder: Changes of the text encoder's config.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = tiny_qwen_tokenizer()
        config = tiny_qwen3_config(tokenizer, **{"num_hidden_layers": 28} | text_encoder)
        pipeline = Flux2KleinPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
            vae=tiny_flux2_vae(),
            text_encoder=Qwen3ForCausalLM(config),
            tokenizer=tokenizer,
            transformer=Flux2Transformer2DModel(
                in_channels=16,
                num_layers=1,
                num_single_layers=2,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=3 * TEXT_WIDTH,
                timestep_guidance_channels=16,
                axes_dims_rope=(4, 4, 4, 4),
                guidance_embeds=False,
            ),
            is_distilled=is_distilled,
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_flux2_klein(folder: Path, **changes: Any) -> Path:
    """Write a diffusers folder and return it; for the changes see `tiny_flux2_klein_pipeline`."""
    tiny_flux2_klein_pipeline(**changes).save_pretrained(folder, safe_serialization=True)
    return folder
