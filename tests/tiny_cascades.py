"""Tiny models of pipelines that run a prior and then a decoder: Stable Cascade and Wuerstchen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import diffusers
import transformers
from diffusers import DDPMWuerstchenScheduler, StableCascadeUNet
from diffusers.pipelines.deprecated.wuerstchen import (
    PaellaVQModel,
    WuerstchenDiffNeXt,
    WuerstchenPrior,
)

from tests.tiny import TEXT_WIDTH, tiny_text_encoder, tiny_tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from diffusers import DiffusionPipeline

__all__ = ["load_cascade", "save_cascade_parts", "stable_cascade", "wuerstchen"]


_PARTS: Mapping[str, Any] = {
    part.__name__: part for part in (PaellaVQModel, WuerstchenDiffNeXt, WuerstchenPrior)
}
"""Classes that diffusers writes into an index, and does not find when it reads it."""


def _paella() -> PaellaVQModel:
    return PaellaVQModel(bottleneck_blocks=1, embed_dim=8, num_vq_embeddings=12)


def _cascade_unet(**changes: Any) -> StableCascadeUNet:
    return StableCascadeUNet(
        **{
            "conditioning_dim": 16,
            "block_out_channels": (16, 16),
            "down_num_layers_per_block": (1, 1),
            "up_num_layers_per_block": (1, 1),
            "clip_text_pooled_in_channels": TEXT_WIDTH,
        }
        | changes
    )


def stable_cascade() -> DiffusionPipeline:
    """Return Stable Cascade."""
    tokenizer = tiny_tokenizer()
    text = tiny_text_encoder(tokenizer).config.to_dict() | {"projection_dim": TEXT_WIDTH}
    config = transformers.CLIPTextConfig(**text)
    return diffusers.StableCascadeCombinedPipeline(
        tokenizer=tokenizer,
        text_encoder=transformers.CLIPTextModelWithProjection(config),
        decoder=_cascade_unet(
            in_channels=4,
            out_channels=4,
            patch_size=2,
            num_attention_heads=(-1, 2),
            block_types_per_layer=(
                ("SDCascadeResBlock", "SDCascadeTimestepBlock"),
                ("SDCascadeResBlock", "SDCascadeTimestepBlock", "SDCascadeAttnBlock"),
            ),
            effnet_in_channels=4,
            timestep_conditioning_type=("sca",),
        ),
        scheduler=DDPMWuerstchenScheduler(),
        vqgan=_paella(),
        prior_prior=_cascade_unet(
            in_channels=4,
            out_channels=4,
            num_attention_heads=(2, 2),
            clip_text_in_channels=TEXT_WIDTH,
            clip_image_in_channels=TEXT_WIDTH,
            switch_level=(False,),
        ),
        prior_text_encoder=transformers.CLIPTextModelWithProjection(config),
        prior_tokenizer=tokenizer,
        prior_scheduler=DDPMWuerstchenScheduler(),
    )


def wuerstchen() -> DiffusionPipeline:
    """Return Wuerstchen."""
    tokenizer = tiny_tokenizer()
    return diffusers.WuerstchenCombinedPipeline(
        tokenizer=tokenizer,
        text_encoder=tiny_text_encoder(tokenizer),
        decoder=WuerstchenDiffNeXt(
            c_cond=16,
            c_hidden=[16, 16, 16, 16],
            nhead=[-1, 2, 2, 2],
            blocks=[1, 1, 1, 1],
            effnet_embd=4,
            clip_embd=TEXT_WIDTH,
        ),
        scheduler=DDPMWuerstchenScheduler(),
        vqgan=_paella(),
        prior_tokenizer=tokenizer,
        prior_text_encoder=tiny_text_encoder(tokenizer),
        prior_prior=WuerstchenPrior(c_in=4, c=16, c_cond=TEXT_WIDTH, depth=2, nhead=2),
        prior_scheduler=DDPMWuerstchenScheduler(),
    )


def save_cascade_parts(folder: Path, pipeline: DiffusionPipeline) -> tuple[Path, Path]:
    """Write folders of the decoder and of the prior, as they are on the Hub, and return them."""
    decoder, prior = folder / "decoder", folder / "prior"
    pipeline.decoder_pipe.save_pretrained(decoder, safe_serialization=True)
    pipeline.prior_pipe.save_pretrained(prior, safe_serialization=True)
    return decoder, prior


def load_cascade(folder: Path) -> DiffusionPipeline:
    """Load a pipeline component by component."""
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    components = {
        name: _class_of(*entry).from_pretrained(folder / name)
        for name, entry in index.items()
        if isinstance(entry, list) and entry[0]
    }
    pipeline: DiffusionPipeline = getattr(diffusers, index["_class_name"])(**components)
    return pipeline


def _class_of(library: str, name: str) -> Any:
    return _PARTS.get(name) or getattr({"diffusers": diffusers}.get(library, transformers), name)
