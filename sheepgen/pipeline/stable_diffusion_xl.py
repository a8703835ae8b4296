"""Stable Diffusion XL (https://arxiv.org/abs/2307.01952), and what was distilled from it.

Two text encoders read the prompt: the U-Net attends to the last layer but one of both, side by
side. It is also given the second one's summary of the text, and the size and the crop that the
image is to look like: its training images were scaled and cropped, and it knew how.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Self

import torch
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from sheepgen.pipeline.clip import (
    ClipLatentModel,
    TextCache,
    encode_text,
    load_clip,
    read_prompt,
)
from sheepgen.pipeline.latent_model import TextEmbeds
from sheepgen.pipeline.scheduler import check_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import ResolvedRequest

__all__ = ["StableDiffusionXLModel", "check_schedule", "load", "read_prompt"]


class _Encoded(NamedTuple):
    """One text.

    Args:
        states: (1, tokens, hidden_size of both text encoders).
        pooled: (1, projection_dim of the second).
    """

    states: Tensor
    pooled: Tensor


@dataclass(frozen=True, kw_only=True)
class StableDiffusionXLModel(ClipLatentModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        tokenizer_2: Like the first, but for its padding.
        text_encoder_2: Token ids to hidden states and a projection of their last token.
        zero_negative: Whether an empty negative prompt becomes zeros and is not encoded.
    """

    tokenizer_2: PreTrainedTokenizerBase
    text_encoder_2: CLIPTextModelWithProjection
    zero_negative: bool
    steps_offset: ClassVar[int | None] = None
    _encoded: TextCache[_Encoded] = field(
        default_factory=TextCache, init=False, repr=False, compare=False
    )

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        checkpoint = spec.checkpoint
        return cls(
            **load_clip(checkpoint, CLIPTextModel, device, dtype),
            **load_clip(checkpoint, CLIPTextModelWithProjection, device, dtype, suffix="_2"),
            **cls.load_components(spec, device, dtype, vae_dtype=_vae_dtype(spec, dtype)),
            zero_negative=bool(checkpoint.index.get("force_zeros_for_empty_prompt", True)),
        )

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> TextEmbeds:
        """Encode prompts and sizes as diffusers' pipeline does, one image at a time.

        Raises:
            ModelError: If a text encoder does not know all of its tokenizer's tokens.
        """
        guided = self.runs_twice(requests)
        texts = [self._encode_text(request.prompt) for request in requests]
        sizes = [_size_ids(request) for request in requests]
        if guided:
            texts = [self._encode_negative(request.negative_prompt) for request in requests] + texts
            sizes *= 2
        return TextEmbeds(
            hidden_states=torch.cat([text.states for text in texts]),
            guided=guided,
            added={
                "text_embeds": torch.cat([text.pooled for text in texts]),
                "time_ids": torch.tensor(sizes, dtype=self.dtype).to(self.device),
            },
        )

    def _encode_negative(self, text: str) -> _Encoded:
        encoded = self._encode_text(text)
        if text or not self.zero_negative:
            return encoded
        return _Encoded(torch.zeros_like(encoded.states), torch.zeros_like(encoded.pooled))

    def _encode_text(self, text: str) -> _Encoded:
        """Return what both text encoders make of a text, from memory if it is there."""
        if (encoded := self._encoded.get(text)) is not None:
            return encoded
        limit = self.spec.max_tokens
        first = encode_text(
            self.tokenizer, self.text_encoder, text, limit=limit, hidden_states=True
        )
        second = encode_text(
            self.tokenizer_2,
            self.text_encoder_2,
            text,
            limit=limit,
            component="text_encoder_2",
            hidden_states=True,
        )
        states = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        encoded = _Encoded(states.to(self.dtype), second.text_embeds.to(self.dtype))
        return self._encoded.keep(text, encoded)


def _size_ids(request: ResolvedRequest) -> tuple[int, ...]:
    """Return the U-Net's size condition: original height and width, top and left crop, target."""
    own = f"{request.width}x{request.height}"
    pairs = request.original_size or own, request.crop_offset, request.target_size or own
    return tuple(int(number) for pair in pairs for number in reversed(pair.split("x")))


def _vae_dtype(spec: ModelSpec, dtype: torch.dtype) -> torch.dtype:
    """Return the precision of the VAE's weights: the original's overflows at fp16, and says so."""
    config = spec.checkpoint.configs["vae"]
    is_full = spec.checkpoint.classes["vae"] == "AutoencoderKL"
    overflows = config.get("force_upcast", is_full) and dtype == torch.float16
    return torch.float32 if overflows else dtype


def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> StableDiffusionXLModel:
    """Load a model, as `sheepgen.pipeline.family.FamilyModule` says."""
    return StableDiffusionXLModel.load(spec, device, dtype)


def check_schedule(spec: ModelSpec, request: ResolvedRequest) -> None:
    """Go through a scheduler's steps with the model's schedule, and without the model."""
    check_steps(
        request.scheduler,
        spec.checkpoint.configs["scheduler"],
        request.num_inference_steps,
        steps_offset=StableDiffusionXLModel.steps_offset,
    )
