"""Pipelines of diffusers that run a prior and then a decoder.

They are a part of `sheepgen.models.diffusers_pipelines.DIFFUSERS_PIPELINES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.models.pipeline_components import (
    WUERSTCHEN,
    network,
    wuerstchen,
)
from sheepgen.models.pipeline_family import DiffusersPipeline
from sheepgen.models.shared_components import CLIP_TOKENIZER, clip_text_encoder

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CASCADE_PIPELINES"]

_PAELLA = wuerstchen("PaellaVQModel", "embed_dim", "levels", "scale_factor")

_TWO_PIPELINES: Mapping[str, Any] = {
    "num_inference_steps": 12,
    "guidance_scale": 1.0,
    "guidance_argument": "decoder_guidance_scale",
    "side": 1024,  # of the prior's own call
    "size_multiple": 128,  # of which the latents of both come out whole
    "max_tokens": 77,
    "tokenizer": "prior_tokenizer",
    "vae": "vqgan",
    "takes": ("negative_prompt",),
    "prior": (60, 4.0),
}
"""What Stable Cascade and Wuerstchen have in common."""

CASCADE_PIPELINES: tuple[DiffusersPipeline, ...] = (
    DiffusersPipeline(
        name="Stable Cascade",
        class_name="StableCascadeCombinedPipeline",
        components={
            "decoder": network("StableCascadeUNet", "block_out_channels", "in_channels"),
            "prior_prior": network("StableCascadeUNet", "block_out_channels", "in_channels"),
            "prior_scheduler": WUERSTCHEN,
            "prior_text_encoder": clip_text_encoder("CLIPTextModelWithProjection"),
            "prior_tokenizer": CLIP_TOKENIZER,
            "scheduler": WUERSTCHEN,
            "text_encoder": clip_text_encoder("CLIPTextModelWithProjection"),
            "tokenizer": CLIP_TOKENIZER,
            "vqgan": _PAELLA,
        },
        **_TWO_PIPELINES,
        # It shows it a picture, if there is one.
        unused=("prior_feature_extractor", "prior_image_encoder"),
    ),
    DiffusersPipeline(
        name="Wuerstchen",
        class_name="WuerstchenCombinedPipeline",
        components={
            "decoder": wuerstchen("WuerstchenDiffNeXt", "c_hidden"),
            "prior_prior": wuerstchen("WuerstchenPrior", "c", "depth"),
            "prior_scheduler": WUERSTCHEN,
            "prior_text_encoder": clip_text_encoder("CLIPTextModel"),
            "prior_tokenizer": CLIP_TOKENIZER,
            "scheduler": WUERSTCHEN,
            "text_encoder": clip_text_encoder("CLIPTextModel"),
            "tokenizer": CLIP_TOKENIZER,
            "vqgan": _PAELLA,
        },
        **_TWO_PIPELINES,
    ),
)
