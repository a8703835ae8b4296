"""A whole Sana model of some 60,000 weights, with the real one's layout.

side of an image   4 pixels at least (latents 1x1, spatial factor 4); 32 in diffusers
text embedding     16 wide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    AutoencoderDC,
    DPMSolverMultistepScheduler,
    SanaPipeline,
    SanaTransformer2DModel,
)
from transformers import Gemma2Config, Gemma2Model, GemmaTokenizer

if TYPE_CHECKING:
    from pathlib import Path

GEMMA_WIDTH = 16


def tiny_gemma_tokenizer() -> GemmaTokenizer:
    """Return a tokenizer that reads any text, byte by byte but for printable ASCII and "sheep"."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokens += [f"<0x{byte:02X}>" for byte in range(256)]
    tokens += ["▁", *map(chr, range(33, 127)), "sh", "ee", "eep", "sheep", "▁sheep"]
    return GemmaTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        merges=[("s", "h"), ("e", "e"), ("ee", "p"), ("sh", "eep"), ("▁", "sheep")],
        add_bos_token=True,
    )


def tiny_gemma(tokenizer: GemmaTokenizer, **changes: Any) -> Gemma2Model:
    config: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": GEMMA_WIDTH,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 4,
        "query_pre_attn_scalar": 4,
        "sliding_window": 64,  # shorter than texts are, as it is not in the real one
        "max_position_embeddings": 4096,
    }
    return Gemma2Model(Gemma2Config(**config | changes))


def tiny_vae_dc() -> AutoencoderDC:
    """Return a deep compression autoencoder, with attention on its last level."""
    levels = {
        "block_types": ("ResBlock", "ResBlock", "EfficientViTBlock"),
        "block_out_channels": (8, 8, 16),
        "layers_per_block": (1, 1, 1),
        "qkv_multiscales": ((), (), (5,)),
    }
    return AutoencoderDC(
        latent_channels=4,
        attention_head_dim=8,
        scaling_factor=0.41407,
        **{
            f"{part}_{name}": value
            for part in ("encoder", "decoder")
            for name, value in levels.items()
        },
    )


def tiny_sana_pipeline(
    *, seed: int = 0, schedule: dict[str, Any] | None = None, **changes: Any
) -> SanaPipeline:
    """Return diffusers' own pipeline over tiny parts; leaves the global generator as it was.

    Args:
        seed: Fixes every weight.
        schedule: Changes of the scheduler's config.
        changes: Of the transformer's.
    """
    flow = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0}
    transformer: dict[str, Any] = {
        "in_channels": 4,
        "out_channels": 4,
        "num_layers": 2,
        "attention_head_dim": 8,
        "num_attention_heads": 3,
        "cross_attention_head_dim": 12,
        "num_cross_attention_heads": 2,
        "cross_attention_dim": 24,
        "caption_channels": GEMMA_WIDTH,
        "sample_size": 16,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = tiny_gemma_tokenizer()
        pipeline = SanaPipeline(
            scheduler=DPMSolverMultistepScheduler(**flow | (schedule or {})),
            vae=tiny_vae_dc(),
            text_encoder=tiny_gemma(tokenizer),
            tokenizer=tokenizer,
            transformer=SanaTransformer2DModel(**transformer | changes),
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_sana(folder: Path, **changes: Any) -> Path:
    """Write a diffusers folder and return it; for the changes see `tiny_sana_pipeline`."""
    tiny_sana_pipeline(**changes).save_pretrained(folder, safe_serialization=True)
    return folder
