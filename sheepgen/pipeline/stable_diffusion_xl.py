"""Stable Diffusion XL (https://arxiv.org/abs/2307.01952), and what was distilled from it.

Two text encoders read the prompt: the U-Net attends to the last layer but one of both, side by
side. It is also given the second one's summary of the text, and the size and the crop that the
image is to look like: its training images were scaled and cropped, and it knew how.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from sheepgen.errors import ModelError
from sheepgen.models.unet_family import stays_float32
from sheepgen.pipeline.clip import load_clip, read_prompt
from sheepgen.pipeline.clip_latent_model import ClipLatentModel, EncodedText, encode_prompt
from sheepgen.pipeline.environment import dtype_name
from sheepgen.pipeline.latent_model import TextEmbeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.spec import ModelSpec
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["StableDiffusionXLModel", "check_schedule", "load", "read_prompt"]


_LAYER = 2
"""Which layer is read of both text encoders, counted from the last."""


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
        prompts = [*map(self.encode_prompts, requests)]
        passes = [prompts]
        sizes = [_size_ids(request) for request in requests]
        if guided:
            passes.insert(0, [*map(self._encode_negative, requests, prompts)])
            sizes *= 2
        states, read = self.join(passes, requests[0])
        return TextEmbeds(
            hidden_states=states,
            guided=guided,
            added={
                "text_embeds": torch.cat([text.pooled for texts in passes for text in texts]),
                "time_ids": torch.tensor(sizes, dtype=self.dtype).to(self.device),
            },
            read=read,
        )

    def _encode_negative(self, request: ResolvedRequest, prompt: EncodedText) -> EncodedText:
        if request.negative_prompt or not self.zero_negative:
            return self.encode_cached(request.negative_prompt, request)
        return EncodedText(torch.zeros_like(prompt.states), torch.zeros_like(prompt.pooled))

    def _encode_text(self, text: str, form: PromptFormat, clip_skip: int) -> EncodedText:
        """Return what both text encoders make of a text."""
        first, second = (
            encode_prompt(
                tokenizer,
                text_encoder,
                text,
                form,
                limit=self.spec.max_tokens,
                layer=max(clip_skip, _LAYER),
                normalised=False,
                component=component,
            )
            for tokenizer, text_encoder, component in (
                (self.tokenizer, self.text_encoder, "text_encoder"),
                (self.tokenizer_2, self.text_encoder_2, "text_encoder_2"),
            )
        )
        if first.states.shape[1] != second.states.shape[1]:
            raise ModelError(
                "The model's two tokenizers split the prompt differently.",
                "They come from different models.",
            )
        states = torch.cat([first.states, second.states], dim=-1)
        return EncodedText(states.to(self.dtype), second.pooled.to(self.dtype))


def _size_ids(request: ResolvedRequest) -> tuple[int, ...]:
    """Return the U-Net's size condition: original height and width, top and left crop, target."""
    own = f"{request.width}x{request.height}"
    pairs = request.original_size or own, request.crop_offset, request.target_size or own
    return tuple(int(number) for pair in pairs for number in reversed(pair.split("x")))


def _vae_dtype(spec: ModelSpec, dtype: torch.dtype) -> torch.dtype:
    """Return the precision of the VAE's weights: the original's overflows at fp16, and says so."""
    checkpoint = spec.checkpoint
    is_kept = stays_float32(dtype_name(dtype), checkpoint.classes["vae"], checkpoint.configs["vae"])
    return torch.float32 if is_kept else dtype


def load(spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> StableDiffusionXLModel:
    """Load a model, as `sheepgen.pipeline.family.FamilyModule` says."""
    return StableDiffusionXLModel.load(spec, device, dtype)


check_schedule = StableDiffusionXLModel.check_schedule
