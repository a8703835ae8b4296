"""A whole FLUX.1 model of some 80,000 weights, with the real one's layout.

side of an image   32 pixels at least (latents 16x16, spatial factor 2, patches of two by two)
text embedding     16 wide
pooled text        8 wide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from tests.tiny import TEXT_WIDTH, tiny_text_encoder, tiny_tokenizer
from tests.tiny_z_image import tiny_vae_16

if TYPE_CHECKING:
    from pathlib import Path

T5_WIDTH = 16


def tiny_t5_tokenizer() -> T5Tokenizer:
    """Return a tokenizer that reads small letters one by one, and "sheep" as a whole."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁sheep", -1.0)]
    pieces += [(chr(letter), -3.0) for letter in range(ord("a"), ord("z") + 1)]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def tiny_t5(tokenizer: T5Tokenizer, *, d_model: int = T5_WIDTH) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=d_model,
            d_kv=4,
            d_ff=32,
            num_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
        )
    )


def tiny_flux1_pipeline(
    *, seed: int = 0, guidance_embeds: bool = True, **schedule: Any
) -> FluxPipeline:
    """Return diffusers' own pipeline over tiny parts; leaves the global generator as it was.

    Args:
        seed: Fixes every weight.
        guidance_embeds: Whether it reads the guidance scale, as dev does, or not, as schnell.
        schedule: Changes of the scheduler's config.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer, tokenizer_2 = tiny_tokenizer(), tiny_t5_tokenizer()
        schedule = {"shift": 3.0, "use_dynamic_shifting": guidance_embeds} | schedule
        pipeline = FluxPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(**schedule),
            vae=tiny_vae_16(),
            text_encoder=tiny_text_encoder(tokenizer),
            tokenizer=tokenizer,
            text_encoder_2=tiny_t5(tokenizer_2),
            tokenizer_2=tokenizer_2,
            transformer=FluxTransformer2DModel(
                in_channels=64,
                num_layers=1,
                num_single_layers=2,
                attention_head_dim=16,
                num_attention_heads=2,
                joint_attention_dim=T5_WIDTH,
                pooled_projection_dim=TEXT_WIDTH,
                guidance_embeds=guidance_embeds,
                axes_dims_rope=(4, 6, 6),
            ),
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_flux1(folder: Path, **changes: Any) -> Path:
    """Write a diffusers folder and return it; for the changes see `tiny_flux1_pipeline`."""
    tiny_flux1_pipeline(**changes).save_pretrained(folder, safe_serialization=True)
    return folder
