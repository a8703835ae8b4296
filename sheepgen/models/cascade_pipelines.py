"""Pipelines of diffusers that run a prior and then a decoder.

They are a part of `sheepgen.models.diffusers_pipelines.DIFFUSERS_PIPELINES`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sheepgen.models.family import Family, PriorFit, Traits
from sheepgen.models.pipeline_components import (
    WUERSTCHEN,
    network,
    wuerstchen,
)
from sheepgen.models.pipeline_family import DiffusersPipeline, check_numbers
from sheepgen.models.shared_components import CLIP_TOKENIZER, clip_text_encoder

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CASCADE_PIPELINES", "CASCADE_PRIORS"]

_PAELLA = wuerstchen("PaellaVQModel", "autoencoder", "embed_dim", "levels", "scale_factor")

_PREFIX = "prior_"
"""Of the names of a prior's components, in a folder that has both."""

_SAMPLING = (60, 4.0)
"""Steps and guidance of the prior."""

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
    "prior": _SAMPLING,
}
"""What Stable Cascade and Wuerstchen have in common."""

_COMBINED = (
    DiffusersPipeline(
        name="Stable Cascade",
        class_name="StableCascadeCombinedPipeline",
        components={
            "decoder": network(
                "StableCascadeUNet", "cascade decoder", "block_out_channels", "effnet_in_channels"
            ),
            "prior_prior": network(
                "StableCascadeUNet", "cascade prior", "block_out_channels", "in_channels"
            ),
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
            "decoder": wuerstchen(
                "WuerstchenDiffNeXt", "cascade decoder", "c_hidden", "effnet_embd"
            ),
            "prior_prior": wuerstchen("WuerstchenPrior", "cascade prior", "c", "c_in", "depth"),
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


def _prior_family(name: str) -> str:
    return f"the prior of a {name}"


def _decoder(combined: DiffusersPipeline, fit: PriorFit) -> DiffusersPipeline:
    """Return the row of models whose prior is in a folder of its own."""
    return replace(
        combined,
        name=f"{combined.name} decoder",
        class_name=combined.class_name.replace("Combined", "Decoder"),
        runs_in=combined.class_name,
        prior_fit=fit,
        components={
            name: component
            for name, component in combined.components.items()
            if not name.startswith(_PREFIX)
        },
    )


def _prior(combined: DiffusersPipeline) -> Family:
    """Return the family of the folders that such priors are in."""
    steps, guidance_scale = _SAMPLING
    traits = Traits(
        width=0,
        height=0,
        size_multiple=1,
        max_tokens=combined.max_tokens,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
    )
    return Family(
        name=_prior_family(combined.name),
        class_names=(combined.class_name.replace("Combined", "Prior"),),
        components={
            name.removeprefix(_PREFIX): component
            for name, component in combined.components.items()
            if name.startswith(_PREFIX)
        },
        read_traits=lambda configs, index: traits,  # noqa: ARG005
        check_fit=check_numbers,
        pipeline="sheepgen.pipeline.diffusers_pipeline",
        part="prior",
        unused=tuple(name.removeprefix(_PREFIX) for name in combined.unused),
    )


_STABLE_CASCADE, _WUERSTCHEN = _COMBINED

CASCADE_PIPELINES: tuple[DiffusersPipeline, ...] = (
    *_COMBINED,
    _decoder(
        _STABLE_CASCADE,
        PriorFit(
            family=_prior_family(_STABLE_CASCADE.name),
            made=("prior", "in_channels"),
            taken=("decoder", "effnet_in_channels"),
        ),
    ),
    _decoder(
        _WUERSTCHEN,
        PriorFit(
            family=_prior_family(_WUERSTCHEN.name),
            made=("prior", "c_in"),
            taken=("decoder", "effnet_embd"),
        ),
    ),
)

CASCADE_PRIORS: tuple[Family, ...] = tuple(map(_prior, _COMBINED))
