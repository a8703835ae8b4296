"""A whole Kandinsky 2.2 model of some 100,000 weights, with the real one's layout.

side of an image   a multiple of 4 pixels (spatial factor 2)
latent channels    4
embeddings         8 wide
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    DDPMScheduler,
    KandinskyV22CombinedPipeline,
    PriorTransformer,
    UnCLIPScheduler,
    UNet2DConditionModel,
    VQModel,
)
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from tests.tiny import MAX_TOKENS, TEXT_WIDTH, tiny_text_encoder, tiny_tokenizer

if TYPE_CHECKING:
    from pathlib import Path


def tiny_prior(**changes: Any) -> PriorTransformer:
    prior = PriorTransformer(
        **{
            "num_attention_heads": 2,
            "attention_head_dim": 8,
            "num_layers": 2,
            "embedding_dim": TEXT_WIDTH,
            "num_embeddings": MAX_TOKENS,
        }
        | changes
    )
    # They are learned; a fresh prior would give zeros for any prompt.
    prior.clip_std = torch.nn.Parameter(torch.rand(1, TEXT_WIDTH) + 0.5)
    prior.clip_mean = torch.nn.Parameter(torch.rand(1, TEXT_WIDTH))
    return prior


def tiny_image_encoder() -> CLIPVisionModelWithProjection:
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=16,
            intermediate_size=24,
            projection_dim=TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=24,
            patch_size=8,
        )
    )


def tiny_decoder() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        addition_embed_type="image",
        encoder_hid_dim=TEXT_WIDTH,
        encoder_hid_dim_type="image_proj",
        cross_attention_dim=8,
        attention_head_dim=4,
        norm_num_groups=4,
        resnet_time_scale_shift="scale_shift",
        class_embed_type=None,
    )


def tiny_movq() -> VQModel:
    return VQModel(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        block_out_channels=(32, 32),  # spatial norms have 32 groups
        down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
        layers_per_block=1,
        norm_num_groups=4,
        norm_type="spatial",
        num_vq_embeddings=12,
        vq_embed_dim=4,
    )


def tiny_decoder_scheduler() -> DDPMScheduler:
    """Return one of the makers' kind: the variance is learned, the latents are confined to 2."""
    return DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=True,
        clip_sample_range=2.0,
        sample_max_value=2.0,
        variance_type="learned_range",
    )


def tiny_kandinsky_pipeline(*, seed: int = 0) -> KandinskyV22CombinedPipeline:
    """Return diffusers' own pipeline over tiny parts; leaves the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer = tiny_tokenizer()
        text: dict[str, Any] = tiny_text_encoder(tokenizer).config.to_dict()
        return KandinskyV22CombinedPipeline(
            unet=tiny_decoder(),
            scheduler=tiny_decoder_scheduler(),
            movq=tiny_movq(),
            prior_prior=tiny_prior(),
            prior_image_encoder=tiny_image_encoder(),
            prior_text_encoder=CLIPTextModelWithProjection(CLIPTextConfig(**text)),
            prior_tokenizer=tokenizer,
            prior_scheduler=UnCLIPScheduler(prediction_type="sample", clip_sample_range=5.0),
            prior_image_processor=CLIPImageProcessor(size=24, crop_size=24),
        )


def save_tiny_kandinsky(folder: Path, **changes: Any) -> Path:
    """Write a diffusers folder and return it; for the changes see `tiny_kandinsky_pipeline`."""
    tiny_kandinsky_pipeline(**changes).save_pretrained(folder, safe_serialization=True)
    return folder


def save_tiny_kandinsky_parts(folder: Path) -> tuple[Path, Path]:
    """Write folders of the decoder and of the prior, as they are on the Hub, and return them."""
    pipeline = tiny_kandinsky_pipeline()
    decoder, prior = folder / "decoder", folder / "prior"
    pipeline.decoder_pipe.save_pretrained(decoder, safe_serialization=True)
    pipeline.prior_pipe.save_pretrained(prior, safe_serialization=True)
    return decoder, prior
