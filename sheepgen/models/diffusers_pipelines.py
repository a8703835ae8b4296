"""Pipelines of diffusers that run in diffusers' own loop: one row each, as `DIFFUSERS_PIPELINES`.

They have no loop here, so that sheepgen sees their latents after each step, and no more. Every row
is held to the signature of its class in diffusers by the tests; steps, guidance and sizes are the
defaults there, if no other source is named.
"""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from sheepgen.models.cascade_pipelines import CASCADE_PIPELINES
from sheepgen.models.language_model_pipelines import LANGUAGE_MODEL_PIPELINES
from sheepgen.models.pipeline_components import (
    COGVIDEOX,
    DDPM,
    DIFFUSION,
    FLOW,
    T5,
    network,
    text_encoder,
    tokenizer,
)
from sheepgen.models.pipeline_family import DiffusersPipeline, pipeline_family
from sheepgen.models.shared_components import MOVQ
from sheepgen.models.transformer_family import (
    T5_TEXT_ENCODER,
    VAE_KL,
    transformer_component,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Family

__all__ = ["DIFFUSERS_FAMILIES", "DIFFUSERS_PIPELINES"]


_ROWS = (
    DiffusersPipeline(
        name="AuraFlow",
        class_name="AuraFlowPipeline",
        components={
            "scheduler": FLOW,
            "text_encoder": text_encoder("UMT5EncoderModel", "d_model", "vocab_size"),
            "tokenizer": tokenizer(f"{T5}|LlamaTokenizer(Fast)?"),
            "transformer": replace(
                transformer_component("AuraFlowTransformer2DModel"),
                # Of all its positions, which are weights; of others it is the side of the table.
                limits={"pos_embed_max_size": range(1, 65_537)},
            ),
            "vae": VAE_KL,
        },
        num_inference_steps=50,
        guidance_scale=3.5,
        size_multiple=16,
        positions=lambda config: math.isqrt(config.get("pos_embed_max_size") or 1024),
        max_tokens=256,
        takes=("negative_prompt",),
    ),
    DiffusersPipeline(
        name="CogView3 Plus",
        class_name="CogView3PlusPipeline",
        components={
            "scheduler": COGVIDEOX,
            "text_encoder": T5_TEXT_ENCODER,
            "tokenizer": tokenizer(T5),
            "transformer": transformer_component("CogView3PlusTransformer2DModel"),
            "vae": VAE_KL,
        },
        num_inference_steps=50,
        guidance_scale=5.0,
        size_multiple=16,
        positions=lambda config: config.get("pos_embed_max_size") or 128,
        max_tokens=224,
        takes=("negative_prompt", "eta"),
    ),
    DiffusersPipeline(
        name="Hunyuan-DiT",
        class_name="HunyuanDiTPipeline",
        components={
            "scheduler": DIFFUSION,
            "text_encoder": text_encoder("BertModel", "hidden_size", "vocab_size"),
            "text_encoder_2": T5_TEXT_ENCODER,
            "tokenizer": tokenizer("BertTokenizer(Fast)?"),
            "tokenizer_2": tokenizer(T5),
            "transformer": transformer_component("HunyuanDiT2DModel"),
            "vae": VAE_KL,
        },
        num_inference_steps=50,
        guidance_scale=5.0,
        size_multiple=16,
        max_tokens=256,
        tokenizer="tokenizer_2",
        takes=("negative_prompt", "guidance_rescale", "eta"),
        fixed={"use_resolution_binning": False},
    ),
    DiffusersPipeline(
        name="Kandinsky 3",
        class_name="Kandinsky3Pipeline",
        components={
            "movq": MOVQ,
            "scheduler": DDPM,
            "text_encoder": T5_TEXT_ENCODER,
            "tokenizer": tokenizer(T5),
            "unet": network("Kandinsky3UNet", "U-Net", "block_out_channels", "in_channels"),
        },
        num_inference_steps=25,
        guidance_scale=4.0,  # 3 in its own convention
        guidance_off=0.0,
        weakest_guidance=2.0,  # up to 1 in its own it takes one pass
        size_multiple=64,
        max_tokens=128,
        vae="movq",
        takes=("negative_prompt",),
    ),
    *CASCADE_PIPELINES,
    *LANGUAGE_MODEL_PIPELINES,
)

DIFFUSERS_PIPELINES: Mapping[str, DiffusersPipeline] = MappingProxyType(
    {row.class_name: row for row in _ROWS}
)
"""By the names of the classes in diffusers."""

DIFFUSERS_FAMILIES: tuple[Family, ...] = tuple(map(pipeline_family, _ROWS))
"""A family for each."""
