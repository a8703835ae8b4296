"""The loaded parts of a model, as one frozen bundle that the pipeline's functions work on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.preview import PreviewDecoder

__all__ = ["PipelineParts"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineParts:
    """Everything that makes images, in evaluation mode and on its device.

    Args:
        spec: The model that the parts are from.
        tokenizer: Prompt to token ids.
        text_encoder: Token ids to embeddings, (batch, tokens, hidden_size).
        unet: Predicts the noise in latents, (batch, channels, height, width), or what
            `sheepgen.schedulers.prediction_type_of` says.
        vae: Latents to pixels and back.
        scheduler_config: Of the folder's scheduler. Schedulers hold the state of a run, so each
            run builds a fresh one from this.
        device: Where the parts are.
        dtype: Number format of the weights.
        preview_decoder: Latents to small pictures, cheaply; not all models have one.
    """

    spec: ModelSpec
    tokenizer: PreTrainedTokenizerBase
    text_encoder: PreTrainedModel
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    scheduler_config: Mapping[str, Any]
    device: torch.device
    dtype: torch.dtype
    preview_decoder: PreviewDecoder | None
