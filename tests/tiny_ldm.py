"""A whole model of Latent Diffusion of some 60,000 weights, with the real one's layout.

side of an image   32 pixels (latents 4x4, spatial factor 8, the only one that diffusers can do)
prompt             77 tokens, as the real one reads
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, LDMTextToImagePipeline, VQModel
from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import (
    LDMBertConfig,
    LDMBertModel,
)
from transformers import BertTokenizer

from tests.tiny import tiny_unet

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 32
TEXT_WIDTH = 8
MAX_TOKENS = 77
LATENT_CHANNELS = 4

_WORDS = ("a", "red", "sheep", "and", "fox", "##es", "blue", "of")


def tiny_bert_tokenizer() -> BertTokenizer:
    """Return BERT's tokenizer with a few words, and letters."""
    letters = [chr(each) for each in range(ord("a"), ord("z") + 1)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS, *letters[1:]]
    tokens += [f"##{letter}" for letter in letters]
    return BertTokenizer(
        vocab={token: index for index, token in enumerate(tokens)}, model_max_length=MAX_TOKENS
    )


def tiny_autoencoder(*, quantised: bool) -> VQModel | AutoencoderKL:
    settings: dict[str, Any] = {
        "block_out_channels": (4,) * 4,
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "latent_channels": LATENT_CHANNELS,
        "norm_num_groups": 4,
        "scaling_factor": 0.18215,
    }
    if not quantised:
        return AutoencoderKL(**settings)
    vq = VQModel(**settings, num_vq_embeddings=32)
    # Its own are so near to zero that all latents would become one.
    vq.quantize.embedding.weight.data.normal_(std=5)
    return vq


def save_tiny_ldm(folder: Path, *, quantised: bool = True, seed: int = 0, **schedule: Any) -> Path:
    """Write a diffusers folder and return it; leaves the global generator as it was.

    Args:
        folder: Where to.
        quantised: Whether its autoencoder looks latents up in a codebook.
        seed: Fixes every weight.
        schedule: Changes of the scheduler's config.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = tiny_bert_tokenizer()
        config = LDMBertConfig(
            vocab_size=len(tokenizer),
            encoder_layers=2,
            encoder_ffn_dim=16,
            encoder_attention_heads=2,
            head_dim=4,
            d_model=TEXT_WIDTH,
        )
        pipeline = LDMTextToImagePipeline(
            vqvae=tiny_autoencoder(quantised=quantised),
            bert=LDMBertModel(config),
            tokenizer=tokenizer,
            unet=tiny_unet(sample_size=SIDE // 8, text_width=TEXT_WIDTH),
            scheduler=DDIMScheduler(
                **{
                    "beta_start": 0.00085,
                    "beta_end": 0.012,
                    "beta_schedule": "scaled_linear",
                    "clip_sample": False,
                    "set_alpha_to_one": False,
                }
                | schedule
            ),
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder
