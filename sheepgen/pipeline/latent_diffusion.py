"""Latent Diffusion's text-to-image model: a text encoder of its own, a U-Net, and a VQ-VAE or VAE.

https://arxiv.org/abs/2112.10752, section 4.3.1. The text encoder is trained with the U-Net; it has
BERT's tokenizer, and nothing else of BERT. Where diffusers runs twice for every guidance but 1, a
guidance below 1 is off here, as for every model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import LDMBertModel
from torch import Tensor
from transformers import BertTokenizer

from sheepgen.pipeline.building import running
from sheepgen.pipeline.latent_model import LatentModel, TextEmbeds
from sheepgen.pipeline.loading import load_text_encoder, load_tokenizer
from sheepgen.pipeline.text_cache import BlendedTexts
from sheepgen.pipeline.tokens import measure_text, token_labels, unknown_tokens
from sheepgen.pipeline.vae import decode_latents
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["LatentDiffusionModel", "check_schedule", "load", "read_prompt"]

_SETTINGS = (
    "activation_function",
    "d_model",
    "encoder_attention_heads",
    "encoder_ffn_dim",
    "encoder_layers",
    "head_dim",
    "max_position_embeddings",
    "pad_token_id",
    "vocab_size",
)


@dataclass(frozen=True, kw_only=True)
class LatentDiffusionModel(BlendedTexts[Tensor], LatentModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        tokenizer: Prompt to token ids.
        bert: Token ids to hidden states, (batch, tokens, d_model).
    """

    tokenizer: PreTrainedTokenizerBase
    bert: LDMBertModel
    steps_offset: ClassVar[int | None] = None
    clip_sample: ClassVar[bool | None] = None

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        bert = load_text_encoder(spec.checkpoint, "bert", LDMBertModel, _SETTINGS, dtype)
        return cls(
            **cls.load_components(spec, device, dtype, vae="vqvae"),
            tokenizer=_tokenizer(spec.checkpoint),
            bert=bert.to(device),
        )

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return measure_text(self.tokenizer, text, self.spec.max_tokens)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what the tokens stand for."""
        return token_labels(self.tokenizer, prompt, self.spec.max_tokens)

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> TextEmbeds:
        """Encode prompts as diffusers' pipeline does, one at a time.

        It takes no negative prompt; here one is encoded in place of the empty text.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        guided = self.runs_twice(requests)
        states = [self.encode_cached(request.negative_prompt) for request in requests if guided]
        states += [self.encode_prompt(request) for request in requests]
        return TextEmbeds(hidden_states=torch.cat(states), guided=guided)

    def _encode_text(self, text: str) -> Tensor:
        """Return what the text encoder makes of a text, (1, tokens, d_model)."""
        with running("tokenizer"):
            ids = self.tokenizer(
                text,
                padding="max_length",
                max_length=self.spec.max_tokens,
                truncation=True,
                return_tensors="pt",
            ).input_ids  # (1, tokens)
        if ids.max() >= self.bert.config.vocab_size:
            raise unknown_tokens("bert")
        with running("bert"):
            # It was trained to attend to the padding.
            states: Tensor = self.bert(ids.to(self.device), return_dict=False)[0]
        return states

    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels, (batch, 3, height, width), about -1 to 1."""
        # The inverse first, as diffusers has it here: its bits decide.
        inverse = 1 / self.vae.config.scaling_factor
        return decode_latents(self.vae, inverse * latents.to(self.vae.dtype), scaled=False)


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    return measure_text(_tokenizer(spec.checkpoint), text, spec.max_tokens)


@lru_cache(maxsize=4)
def _tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    return load_tokenizer(checkpoint, "tokenizer", BertTokenizer)


load = LatentDiffusionModel.load
check_schedule = LatentDiffusionModel.check_schedule
