"""Stable Diffusion 1.x and 2.x: a CLIP text encoder, a U-Net on latents, and a VAE.

Also models in its layout that were distilled with guidance and read the scale as an input
(Latent Consistency, https://arxiv.org/abs/2310.04378).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import torch
from transformers import CLIPTextModel, CLIPTokenizer

from sheepgen.errors import ModelError
from sheepgen.pipeline.building import running
from sheepgen.pipeline.embeddings import with_embeddings
from sheepgen.pipeline.latent_model import LatentModel, TextEmbeds, check_schedule
from sheepgen.pipeline.loading import load_text_encoder, load_tokenizer
from sheepgen.pipeline.tokens import measure_text, token_labels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.request import ResolvedRequest

__all__ = [
    "StableDiffusionModel",
    "check_schedule",
    "load",
    "read_prompt",
]

_CLIP_SETTINGS = (
    "bos_token_id",
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "pad_token_id",
    "projection_dim",
    "use_attention_mask",
    "vocab_size",
)

_CACHED_TEXTS = 64
"""Encoded texts that a model keeps: 15 MB for Stable Diffusion 1, 110 MB for the embedded model."""


@dataclass(frozen=True, kw_only=True)
class StableDiffusionModel(LatentModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        tokenizer: Prompt to token ids.
        text_encoder: Token ids to embeddings, (batch, tokens, hidden_size).
    """

    tokenizer: PreTrainedTokenizerBase
    text_encoder: CLIPTextModel
    _encoded: OrderedDict[str, Tensor] = field(
        default_factory=OrderedDict, init=False, repr=False, compare=False
    )

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        return cls(**cls.load_components(spec, device, dtype))

    @staticmethod
    def load_components(
        spec: ModelSpec, device: torch.device, dtype: torch.dtype
    ) -> dict[str, Any]:
        """Load all components, by the names of the fields."""
        text_encoder = load_text_encoder(
            spec.checkpoint, "text_encoder", CLIPTextModel, _CLIP_SETTINGS, dtype
        )
        return {
            **LatentModel.load_components(spec, device, dtype),
            "text_encoder": text_encoder.to(device),
            "tokenizer": load_tokenizer(spec.checkpoint, "tokenizer", CLIPTokenizer),
        }

    def read_prompt(self, text: str) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return measure_text(self.tokenizer, text, self.spec.max_tokens)

    def token_labels(self, prompt: str) -> Sequence[TokenLabel]:
        """Return what the encoded tokens stand for."""
        return token_labels(self.tokenizer, prompt, self.spec.max_tokens)

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> TextEmbeds:
        """Encode prompts as diffusers' pipeline does, one at a time; what does not fit is cut off.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        # All requests of a batch have one guidance.
        guided = self.info.guidance == "two passes" and requests[0].guidance_scale > 1
        texts = [request.negative_prompt for request in requests] if guided else []
        texts += [request.prompt for request in requests]
        return TextEmbeds(
            hidden_states=torch.cat([self._encode_text(text) for text in texts]), guided=guided
        )

    def _encode_text(self, text: str) -> Tensor:
        """Return one text's embeddings, (1, tokens, hidden_size), from memory if they are there."""
        if text in self._encoded:
            self._encoded.move_to_end(text)
            return self._encoded[text]
        ids, attention_mask = self._tokenize(text)  # (1, tokens) each
        # On some devices the text encoder would not fail over them, but end the whole process.
        if ids.min() < 0 or ids.max() >= self.text_encoder.config.vocab_size:
            raise ModelError(
                "The model's tokenizer has tokens that its text_encoder does not know.",
                "They come from different models.",
            )
        # CLIP was trained to attend to the padding; the model's config says if this one was not.
        masked = getattr(self.text_encoder.config, "use_attention_mask", False)
        with running("text_encoder"):
            embeds: Tensor = self.text_encoder(
                ids.to(self.device),
                attention_mask=attention_mask.to(self.device) if masked else None,
            )[0]
        self._encoded[text] = embeds.to(self.dtype)
        if len(self._encoded) > _CACHED_TEXTS:
            self._encoded.popitem(last=False)
        return self._encoded[text]

    def _tokenize(self, text: str) -> tuple[Tensor, Tensor]:
        """Return token ids and which of them are attended to, (1, max_tokens) each."""
        with running("tokenizer"):
            tokens = self.tokenizer(
                text,
                padding="max_length",
                max_length=self.spec.max_tokens,
                truncation=True,
                return_tensors="pt",
            )
        return tokens.input_ids, tokens.attention_mask


def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> StableDiffusionModel:
    """Load a model, as `sheepgen.pipeline.family.FamilyModule` says."""
    return StableDiffusionModel.load(spec, device, dtype)


def read_prompt(spec: ModelSpec, text: str) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    return measure_text(_tokenizer(spec.checkpoint, spec), text, spec.max_tokens)


@lru_cache(maxsize=4)
def _tokenizer(checkpoint: Checkpoint, spec: ModelSpec) -> PreTrainedTokenizerBase:
    tokenizer = load_tokenizer(checkpoint, "tokenizer", CLIPTokenizer)
    return with_embeddings(tokenizer, spec)
