"""DeepFloyd IF: T5 reads the prompt, and one U-Net after the other makes pixels of it.

The idea is Imagen's (https://arxiv.org/abs/2205.11487). The first stage makes a picture of 64x64
pixels; the second, which is added to it, makes of that and the prompt one four times larger.
diffusers' pipelines also look whether a picture is safe, and paste a mark on it; neither is done
here. Nor are prompts tidied up, which there takes two more packages.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Self

from diffusers import UNet2DConditionModel

from sheepgen.models.added.upscaler import find_upscaler
from sheepgen.pipeline.diffusion_model import DiffusionModel
from sheepgen.pipeline.if_texts import IfTextEncoder, IfTexts
from sheepgen.pipeline.if_upscaler import IfUpscaler, check_upscaler_steps
from sheepgen.pipeline.learned_variance import LearnedVarianceProcess, predict_with_variance
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.pixel_model import PixelModel
from sheepgen.pipeline.t5 import T5TextEncoder, load_t5_tokenizer
from sheepgen.pipeline.tokens import measure_text
from sheepgen.prompt_syntax import PLAIN
from sheepgen.schedulers import prediction_type_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.inpainting import MaskedImage
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["IfModel", "check_schedule", "load", "read_prompt"]


@dataclass(frozen=True, kw_only=True)
class IfModel(PixelModel, DiffusionModel):
    """A loaded model: a `sheepgen.pipeline.family.StagedModel`.

    Args:
        texts: Encodes prompts, for all stages.
        unet: Predicts the noise in pixels, (batch, 3, height, width), and its variance.
        upscaler: The second stage, if there is one.
    """

    texts: IfTextEncoder
    unet: UNet2DConditionModel
    upscaler: IfUpscaler | None = None
    clip_sample: ClassVar[bool | None] = None

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        checkpoint = spec.checkpoint
        t5 = T5TextEncoder.load(
            *(checkpoint, device, dtype),
            suffix="",
            limit=spec.max_tokens,
            reads_padding=False,
            lower_case=True,
        )
        unet = load_diffusers(checkpoint, "unet", UNet2DConditionModel, dtype)
        texts, upscaler = IfTextEncoder(t5=t5), None
        if spec.adapters.upscaler:
            second = find_upscaler(spec.adapters.upscaler, checkpoint)
            upscaler = IfUpscaler.load(second, device, dtype, texts)
        return cls(
            spec=spec,
            device=device,
            dtype=dtype,
            scheduler_config=MappingProxyType(checkpoint.configs["scheduler"]),
            channels=3,
            texts=texts,
            unet=unet.to(device),
            upscaler=upscaler,
        )

    @property
    def bytes_per_pixel(self) -> int:
        """Memory that an image takes at least."""
        # The last U-Net's first layer holds one number for each pixel and channel, before a
        # convolution and after it.
        last = self.unet if self.upscaler is None else self.upscaler.unet
        bytes_: int = 2 * last.config.block_out_channels[0] * self.dtype.itemsize
        return bytes_

    @property
    def process(self) -> LearnedVarianceProcess:
        """What the U-Net predicts."""
        return LearnedVarianceProcess(prediction_type_of(self.scheduler_config))

    def stage(self, name: str, request: ResolvedRequest) -> IfUpscaler:
        """Return the second stage."""
        del request
        assert name == "upscaler", "it is the only one"
        assert self.upscaler is not None, "the request has the adapters that it was loaded with"
        return self.upscaler

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return self.texts.t5.read_prompt(text)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what the tokens stand for."""
        return self.texts.t5.token_labels(prompt)

    def encode(self, requests: Sequence[ResolvedRequest]) -> IfTexts:
        """Encode prompts.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        return self.texts.encode(requests)

    def with_masked_image(self, conditioning: IfTexts, masked: MaskedImage) -> IfTexts:
        """Return the conditioning as it is: this U-Net sees no mask."""
        del masked
        return conditioning

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: IfTexts, guidance: Guidance
    ) -> Tensor:
        """Return the guided noise and its variance, (batch, 6, height, width)."""
        return predict_with_variance(
            self.unet,
            model_input,
            timestep,
            guidance,
            guided=conditioning.guided,
            encoder_hidden_states=conditioning.states,
        )

    @classmethod
    def check_schedule(cls, spec: ModelSpec, request: ResolvedRequest) -> None:
        """Go through the steps of all stages, without the model."""
        super().check_schedule(spec, request)
        if request.upscaler:
            check_upscaler_steps(find_upscaler(request.upscaler, spec.checkpoint), request)


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    tokenizer = load_t5_tokenizer(spec.checkpoint, "")
    return measure_text(tokenizer, text, spec.max_tokens, lower_case=True)


load = IfModel.load
check_schedule = IfModel.check_schedule
