"""Sana (https://arxiv.org/abs/2410.10629): linear attention on latents of 32 by 32 pixels each.

Gemma 2 reads the prompt after an instruction to describe it in more detail, of which the
transformer sees but the last token; it reads the negative prompt without. Latents stay float32 at
every precision of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from diffusers import SanaTransformer2DModel

from sheepgen.pipeline.building import running
from sheepgen.pipeline.flow import FlowSchedule, linear_mu
from sheepgen.pipeline.flow_model import FlowModel, patches_of
from sheepgen.pipeline.gemma import (
    GemmaTextEncoder,
    InstructedText,
    Instruction,
    load_gemma_tokenizer,
)
from sheepgen.pipeline.guidance import apply_guidance
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.text_cache import CachedTexts, MaskedText, join_texts
from sheepgen.pipeline.tokens import count_tokens
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["SanaModel", "SanaTexts", "check_schedule", "load", "read_prompt"]

_INSTRUCTION = "\n".join(
    (
        "Given a user prompt, generate an 'Enhanced prompt' that provides detailed visual "
        "descriptions suitable for image generation. Evaluate the level of detail in the user "
        "prompt:",
        "- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, "
        "textures, and spatial relationships to create vivid and concrete scenes.",
        "- If the prompt is already detailed, refine and enhance the existing details slightly "
        "without overcomplicating.",
        "Here are examples of how to transform or refine prompts:",
        "- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round "
        "shape, sleeping peacefully on a warm sunny windowsill, surrounded by pots of blooming red "
        "flowers.",
        "- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, "
        "featuring glowing street lamps, a diverse crowd of people in colorful clothing, and a "
        "double-decker bus passing by towering glass skyscrapers.",
        "Please generate only the enhanced description for the prompt below and avoid including "
        "any additional commentary or evaluations:",
        "User Prompt: ",
    )
)
"""What the model was trained with (``configs/sana_app_config/Sana_1600M_app.yaml`` of its code)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SanaTexts:
    """What the transformer attends to.

    Args:
        states: (passes * batch, tokens, width), the negative prompts first if there are two passes.
        mask: (passes * batch, tokens), 1 for what it attends to.
        guided: Whether there are two passes.
    """

    states: Tensor
    mask: Tensor
    guided: bool


@dataclass(frozen=True, kw_only=True)
class SanaModel(CachedTexts[InstructedText, MaskedText], FlowModel):
    """A loaded model: a `sheepgen.pipeline.family.Model`.

    Args:
        text_encoder: Of Gemma 2.
        transformer: Predicts the velocity of latents, (batch, channels, height, width).
    """

    text_encoder: GemmaTextEncoder
    transformer: SanaTransformer2DModel
    keeps_float32: ClassVar[bool] = True

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        checkpoint = spec.checkpoint
        transformer = load_diffusers(checkpoint, "transformer", SanaTransformer2DModel, dtype)
        return cls(
            **cls.load_autoencoder(spec, device, dtype),
            text_encoder=GemmaTextEncoder.load(checkpoint, device, dtype),
            transformer=transformer.to(device),
        )

    @staticmethod
    def schedule(spec: ModelSpec, request: ResolvedRequest) -> FlowSchedule:
        """Return the scheduler's own noise levels."""
        config = spec.checkpoint.configs["scheduler"]
        return FlowSchedule(mu=linear_mu(config, patches_of(spec, request)))

    @property
    def bytes_per_pixel(self) -> int:
        """Memory that decoding takes at least."""
        bytes_: int = 2 * self.vae.config.decoder_block_out_channels[0] * self.vae.dtype.itemsize
        return bytes_

    def draw_noise(self, width: int, height: int, generator: torch.Generator) -> Tensor:
        """Return one image's noise, (1, channels, height, width) of the latents, float32."""
        scale = 2 ** (len(self.vae.config.encoder_block_out_channels) - 1)
        shape = (1, self.vae.config.latent_channels, height // scale, width // scale)
        return torch.randn(shape, generator=generator, dtype=torch.float32)

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        tokenizer = self.text_encoder.tokenizer
        return _instruction(tokenizer, self.spec.max_tokens).read_prompt(tokenizer, text)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what the tokens stand for."""
        tokenizer = self.text_encoder.tokenizer
        return _instruction(tokenizer, self.spec.max_tokens).token_labels(tokenizer, prompt)

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> SanaTexts:
        """Encode prompts as diffusers' pipeline does without ``clean_caption``, one at a time.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        guided, limit = requests[0].guidance_scale > 1, self.spec.max_tokens
        empty = Instruction("", limit, lower_case=True)
        instruction = _instruction(self.text_encoder.tokenizer, limit)
        texts = [self.encode_cached((each.negative_prompt, empty)) for each in requests if guided]
        texts += [self.encode_cached((request.prompt, instruction)) for request in requests]
        return SanaTexts(**join_texts(texts)._asdict(), guided=guided)

    def _encode_text(self, text: InstructedText) -> MaskedText:
        """Return what the text encoder makes of a text."""
        _, instruction = text
        states, mask = self.text_encoder.hidden_states(*text)
        seen = [0, *range(instruction.unseen + 1, instruction.limit)]
        return MaskedText(states[-1][:, seen], mask[:, seen])

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: SanaTexts, guidance: Guidance
    ) -> Tensor:
        """Return the guided velocity, (batch, channels, height, width), float32."""
        latents = model_input.to(self.dtype)
        if conditioning.guided:
            latents = torch.cat([latents] * 2)
        with running("transformer"):
            prediction: Tensor = self.transformer(
                latents,
                encoder_hidden_states=conditioning.states,
                encoder_attention_mask=conditioning.mask,
                timestep=timestep.expand(len(latents)) * self.transformer.config.timestep_scale,
                return_dict=False,
            )[0]
        velocity = prediction.float()
        return apply_guidance(velocity, guidance) if conditioning.guided else velocity


def _instruction(tokenizer: PreTrainedTokenizerBase, limit: int) -> Instruction:
    """Return what comes before prompts, of which the first and the last token are seen.

    Args:
        tokenizer: Of the model.
        limit: Tokens that are seen.
    """
    unseen = count_tokens(tokenizer, _INSTRUCTION) - 2
    return Instruction(_INSTRUCTION, limit + unseen, unseen, lower_case=True)


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    tokenizer = load_gemma_tokenizer(spec.checkpoint)
    return _instruction(tokenizer, spec.max_tokens).read_prompt(tokenizer, text)


load = SanaModel.load
check_schedule = SanaModel.check_schedule
