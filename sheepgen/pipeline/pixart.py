"""PixArt-alpha (https://arxiv.org/abs/2310.00426) and -Sigma (https://arxiv.org/abs/2403.04692).

A small transformer attends to T5's reading of the prompt. It was trained on DDPM's noise schedule
and predicts a variance besides the noise, which no scheduler here takes. PixArt-alpha at 1024
pixels is also given the size of the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from diffusers import PixArtTransformer2DModel

from sheepgen.pipeline.autoencoder_model import AutoencoderModel
from sheepgen.pipeline.building import running
from sheepgen.pipeline.diffusion_model import DiffusionModel
from sheepgen.pipeline.guidance import apply_guidance
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.t5 import T5TextEncoder, load_t5_tokenizer
from sheepgen.pipeline.text_cache import CachedTexts, MaskedText, join_texts
from sheepgen.pipeline.tokens import measure_text
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.inpainting import MaskedImage
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["PixArtModel", "PixArtTexts", "check_schedule", "load", "read_prompt"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PixArtTexts:
    """What the transformer attends to, and what it is given besides.

    Args:
        states: (passes * batch, tokens, width), the negative prompts first if there are two passes.
        mask: (passes * batch, tokens), 1 for what it attends to.
        size: Of the image by the transformer's names: ``resolution``, its height and width,
            (passes * batch, 2), and ``aspect_ratio``, (passes * batch, 1); None if it takes none.
        guided: Whether there are two passes.
    """

    states: Tensor
    mask: Tensor
    size: Mapping[str, Tensor | None]
    guided: bool


@dataclass(frozen=True, kw_only=True)
class PixArtModel(CachedTexts[str, MaskedText], AutoencoderModel, DiffusionModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        text_encoder: Of T5.
        transformer: Predicts the noise in latents, (batch, channels, height, width).
    """

    text_encoder: T5TextEncoder
    transformer: PixArtTransformer2DModel

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        checkpoint = spec.checkpoint
        transformer = load_diffusers(checkpoint, "transformer", PixArtTransformer2DModel, dtype)
        return cls(
            **cls.load_autoencoder(spec, device, dtype),
            text_encoder=T5TextEncoder.load(
                *(checkpoint, device, dtype),
                suffix="",
                limit=spec.max_tokens,
                reads_padding=False,
                lower_case=True,
            ),
            transformer=transformer.to(device),
        )

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return self.text_encoder.read_prompt(text)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what the tokens stand for."""
        return self.text_encoder.token_labels(prompt)

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> PixArtTexts:
        """Encode prompts as diffusers' pipeline does without ``clean_caption``, one at a time.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        guided = requests[0].guidance_scale > 1
        texts = [self.encode_cached(request.negative_prompt) for request in requests if guided]
        texts += [self.encode_cached(request.prompt) for request in requests]
        return PixArtTexts(
            **join_texts(texts)._asdict(),
            size=self._size(requests[0], len(texts)),
            guided=guided,
        )

    def _encode_text(self, text: str) -> MaskedText:
        """Return what the text encoder makes of a text."""
        states, mask = self.text_encoder.encode(text)
        return MaskedText(states, mask.to(self.device))

    def _size(self, request: ResolvedRequest, rows: int) -> dict[str, Tensor | None]:
        """Return an image's size, see `PixArtTexts`."""
        if not self.transformer.use_additional_conditions:
            return {"resolution": None, "aspect_ratio": None}
        size = {
            "resolution": torch.tensor([[request.height, request.width]]),
            "aspect_ratio": torch.tensor([[request.height / request.width]]),
        }
        return {
            name: value.repeat(rows, 1).to(self.device, self.dtype) for name, value in size.items()
        }

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: PixArtTexts, guidance: Guidance
    ) -> Tensor:
        """Return the guided noise, (batch, channels, height, width)."""
        channels = model_input.shape[1]
        if conditioning.guided:
            model_input = torch.cat([model_input] * 2)
        with running("transformer"):
            prediction: Tensor = self.transformer(
                model_input,
                encoder_hidden_states=conditioning.states,
                encoder_attention_mask=conditioning.mask,
                timestep=timestep.expand(len(model_input)),
                added_cond_kwargs=dict(conditioning.size),
                return_dict=False,
            )[0]
        noise = prediction[:, :channels]  # and the variance after it
        return apply_guidance(noise, guidance) if conditioning.guided else noise

    def with_masked_image(self, conditioning: PixArtTexts, masked: MaskedImage) -> PixArtTexts:
        """Return the conditioning as it is: the transformer sees no mask."""
        del masked
        return conditioning


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    tokenizer = load_t5_tokenizer(spec.checkpoint, "")
    return measure_text(tokenizer, text, spec.max_tokens, lower_case=True)


load = PixArtModel.load
check_schedule = PixArtModel.check_schedule
