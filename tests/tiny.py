"""A whole Stable Diffusion model of some 80,000 weights, built from nothing but a seed.

Its parts are the real classes of diffusers and transformers, small enough to run in
milliseconds, so that tests compare numbers with diffusers' own pipeline instead of with mocks.

    side of an image   32 pixels (latents 16x16, spatial factor 2)
    latent channels    4
    prompt             16 tokens, special tokens included
    text embedding     8 wide
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

if TYPE_CHECKING:
    from pathlib import Path

MAX_TOKENS = 16
SAMPLE_SIZE = 16
TEXT_WIDTH = 8

MERGES = ("s h", "e e", "ee p</w>", "sh eep</w>", "a n", "an d</w>", "r e", "re d</w>", "o f</w>")
"""Pairs joined by the tokenizer: "sheep", "and", "red" and "of" become one token each."""


def byte_alphabet() -> list[str]:
    """Return the 256 printable characters that byte-level BPE writes bytes as (from GPT-2)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + rank) for rank in range(len(others))]


def tiny_tokenizer() -> CLIPTokenizer:
    """Return a CLIP tokenizer that reads any text, mostly letter by letter."""
    alphabet = byte_alphabet()
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    tokens += [merge.replace(" ", "") for merge in MERGES]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=[tuple(merge.split(" ")) for merge in MERGES],
        model_max_length=MAX_TOKENS,
    )


def tiny_text_encoder(tokenizer: CLIPTokenizer, layers: int = 2) -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=MAX_TOKENS,
        projection_dim=TEXT_WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def tiny_unet(
    *, sample_size: int = SAMPLE_SIZE, text_width: int = TEXT_WIDTH, in_channels: int = 4
) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=in_channels,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=text_width,
        attention_head_dim=2,
        norm_num_groups=4,
    )


def tiny_vae() -> AutoencoderKL:
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=(4, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=2 * SAMPLE_SIZE,
        scaling_factor=0.25,
    )


def tiny_scheduler(prediction_type: str = "epsilon", **overrides: Any) -> DDIMScheduler:
    """Return Stable Diffusion's noise schedule (https://arxiv.org/abs/2112.10752, appendix D)."""
    config = {
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
        "set_alpha_to_one": False,
        "steps_offset": 1,
        "prediction_type": prediction_type,
    }
    return DDIMScheduler(**(config | overrides))


def tiny_pipeline(*, prediction_type: str = "epsilon", seed: int = 0) -> StableDiffusionPipeline:
    """Return diffusers' own pipeline over tiny parts; leaves the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = tiny_tokenizer()
        pipeline = StableDiffusionPipeline(
            vae=tiny_vae(),
            text_encoder=tiny_text_encoder(tokenizer),
            tokenizer=tokenizer,
            unet=tiny_unet(),
            scheduler=tiny_scheduler(prediction_type),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def save_tiny_model(folder: Path, *, prediction_type: str = "epsilon", seed: int = 0) -> Path:
    """Write a complete diffusers folder of tiny parts and return it.

    Args:
        folder: Where to; made if it is not there.
        prediction_type: What the U-Net is said to predict: ``epsilon``, ``v_prediction`` or
            ``sample``.
        seed: Fixes every weight.
    """
    tiny_pipeline(prediction_type=prediction_type, seed=seed).save_pretrained(
        folder, safe_serialization=True
    )
    return folder


def save_tiny_inpainting_model(folder: Path) -> Path:
    """Write a folder like `save_tiny_model`'s, with a U-Net that was made for inpainting."""
    components = tiny_pipeline().components
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        components["unet"] = tiny_unet(in_channels=9)
    pipeline = StableDiffusionInpaintPipeline(**components, requires_safety_checker=False)
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def edit_json(path: Path, **changes: Any) -> None:
    """Set top-level entries of a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | changes), encoding="utf-8")


def assert_same_weights(ours: torch.nn.Module, theirs: torch.nn.Module) -> None:
    """Check that two models hold the same bits under the same names."""
    expected = theirs.state_dict()
    assert ours.state_dict().keys() == expected.keys()
    for name, weight in ours.state_dict().items():
        assert torch.equal(weight, expected[name]), name
