"""Kandinsky 2.2: a prior makes an embedding of a picture, and a U-Net a picture of it (Apache-2.0).

The idea is DALL-E 2's (https://arxiv.org/abs/2204.06125). The U-Net sees no text, but CLIP's
embedding of the picture that it is to make; it works on the latents of MoVQ
(https://arxiv.org/abs/2209.09002), whose decoder goes without their quantisation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from diffusers import UNet2DConditionModel

from sheepgen.models.added.prior import prior_of
from sheepgen.pipeline.autoencoder_model import AutoencoderModel
from sheepgen.pipeline.diffusion_model import DiffusionModel
from sheepgen.pipeline.kandinsky_prior import Prior, check_prior_steps, measure_prompt
from sheepgen.pipeline.learned_variance import LearnedVarianceProcess, predict_with_variance
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.tokens import measure_text, token_labels
from sheepgen.pipeline.vae import decode_latents, encode_pixels
from sheepgen.prompt_syntax import PLAIN
from sheepgen.schedulers import prediction_type_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.inpainting import MaskedImage
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["ImageEmbeds", "KandinskyModel", "check_schedule", "load", "read_prompt"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageEmbeds:
    """What the U-Net sees.

    Args:
        guided: Whether it runs with and without the prompt.
        embeds: Of pictures, (passes * images, width), those to stay away from first; None before
            the prior has made them.
    """

    guided: bool
    embeds: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class KandinskyModel(AutoencoderModel, DiffusionModel):
    """A loaded model: a `sheepgen.pipeline.family.StagedModel`.

    Args:
        unet: Predicts the noise in latents, and its variance.
        prior: The first stage.
    """

    unet: UNet2DConditionModel
    prior: Prior
    clip_sample: ClassVar[bool | None] = None  # its latents are confined, as the config says

    @classmethod
    def load(cls, spec: ModelSpec, device: torch.device, dtype: torch.dtype) -> Self:
        """Load all components, as `sheepgen.pipeline.family.FamilyModule.load` says."""
        # First, as it needs an image encoder for a moment, which is large.
        prior = Prior.load(prior_of(spec.adapters.prior, spec.checkpoint), device, dtype)
        unet = load_diffusers(spec.checkpoint, "unet", UNet2DConditionModel, dtype)
        return cls(
            **cls.load_autoencoder(spec, device, dtype, component="movq"),
            unet=unet.to(device),
            prior=prior,
        )

    @property
    def process(self) -> LearnedVarianceProcess:
        """What the U-Net predicts."""
        return LearnedVarianceProcess(prediction_type_of(self.scheduler_config))

    def stage(self, name: str, request: ResolvedRequest) -> Prior:
        """Return the prior, which makes one more embedding if there is a negative prompt."""
        assert name == "prior", "it is the only one"
        return replace(self.prior, embeddings=2 if request.negative_prompt else 1)

    def read_prompt(self, text: str, _: PromptFormat = PLAIN) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return measure_text(self.prior.tokenizer, text, self.prior.limit)

    def token_labels(self, prompt: str, _: PromptFormat = PLAIN) -> Sequence[TokenLabel]:
        """Return what the tokens stand for that the prior attends to."""
        return token_labels(self.prior.tokenizer, prompt, self.prior.limit)

    def encode(self, requests: Sequence[ResolvedRequest]) -> ImageEmbeds:
        """Return conditioning that the prior's embeddings are still to come to."""
        return ImageEmbeds(guided=requests[0].guidance_scale > 1)

    def with_result(
        self, conditioning: ImageEmbeds, result: Tensor, _: Sequence[torch.Generator]
    ) -> ImageEmbeds:
        """Return conditioning with the embeddings that the prior made."""
        wanted, others = self.prior.finish(result)
        embeds = torch.cat([others, wanted]) if conditioning.guided else wanted
        return replace(conditioning, embeds=embeds.to(self.dtype))

    def with_masked_image(self, conditioning: ImageEmbeds, masked: MaskedImage) -> ImageEmbeds:
        """Return the conditioning as it is: this U-Net sees no mask."""
        del masked
        return conditioning

    @classmethod
    def check_schedule(cls, spec: ModelSpec, request: ResolvedRequest) -> None:
        """Go through the steps of both stages, without the model."""
        super().check_schedule(spec, request)
        assert request.prior_steps is not None, "it is resolved"
        check_prior_steps(prior_of(request.prior, spec.checkpoint), request.prior_steps)

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: ImageEmbeds, guidance: Guidance
    ) -> Tensor:
        """Return the guided noise and its variance, (batch, 2 * channels, height, width)."""
        return predict_with_variance(
            self.unet,
            model_input,
            timestep,
            guidance,
            guided=conditioning.guided,
            encoder_hidden_states=None,
            added_cond_kwargs={"image_embeds": conditioning.embeds},
        )

    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels, (batch, 3, height, width), about -1 to 1."""
        return decode_latents(self.vae, latents, scaled=False, force_not_quantize=True)

    def encode_image(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Return the latents of pixels, (batch, 3, height, width), -1 to 1."""
        # Laid out anew, as in diffusers: sums round by the layout.
        return encode_pixels(self.vae, pixels, generator, scaled=False).contiguous()


def read_prompt(spec: ModelSpec, text: str, _: PromptFormat = PLAIN) -> PromptReading:
    """Measure a prompt with the model's tokenizer alone."""
    return measure_prompt(prior_of(spec.adapters.prior, spec.checkpoint), text)


load = KandinskyModel.load
check_schedule = KandinskyModel.check_schedule
