"""DeepFloyd IF's second stage: a larger picture, of the first stage's and the prompt.

The U-Net sees the smaller picture, enlarged and with noise added to it, beside its own pixels, and
how much noise that is (https://arxiv.org/abs/2205.11487, section 2.4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch.nn.functional import interpolate

from sheepgen.errors import UsageError
from sheepgen.passes import STAGE_SCHEDULER
from sheepgen.pipeline.family import ModelInfo
from sheepgen.pipeline.learned_variance import LearnedVarianceProcess, predict_with_variance
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.scheduler import build_scheduler, check_steps, set_timesteps
from sheepgen.schedulers import prediction_type_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from diffusers import SchedulerMixin
    from torch import Tensor

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.if_texts import IfTextEncoder, IfTexts
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["EnlargedPicture", "IfUpscaler", "check_upscaler_steps"]

_AS_IN_THE_CONFIG = {"steps_offset": None, "clip_sample": None}


@dataclass(frozen=True, kw_only=True, slots=True)
class EnlargedPicture:
    """What the U-Net sees besides the pixels that it denoises.

    Args:
        texts: Of the prompts.
        size: Height and width of the image.
        noise_level: Timestep that says how noisy the smaller picture is made.
        picture: That, enlarged, (batch, 3, height, width); None before the first stage is done.
    """

    texts: IfTexts
    size: tuple[int, int]
    noise_level: int
    picture: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class IfUpscaler:
    """The loaded second stage: a `sheepgen.pipeline.family.FollowingStage`.

    Args:
        device: Where it is.
        dtype: Precision of its weights.
        unet: Predicts the noise in pixels, and its variance.
        texts: Encodes prompts; the first stage's.
        scheduler_config: Of its folder.
        noising_config: Of the schedule by which the smaller picture is made noisy.
    """

    device: torch.device
    dtype: torch.dtype
    unet: UNet2DConditionModel
    texts: IfTextEncoder
    scheduler_config: Mapping[str, Any]
    noising_config: Mapping[str, Any]

    @classmethod
    def load(
        cls,
        checkpoint: Checkpoint,
        device: torch.device,
        dtype: torch.dtype,
        texts: IfTextEncoder,
    ) -> Self:
        """Load it; its folder's own text encoder, if it has one, is the first stage's again."""
        configs = checkpoint.configs
        return cls(
            device=device,
            dtype=dtype,
            unet=load_diffusers(checkpoint, "unet", UNet2DConditionModel, dtype).to(device),
            texts=texts,
            scheduler_config=MappingProxyType(configs["scheduler"]),
            noising_config=MappingProxyType(configs["image_noising_scheduler"]),
        )

    @property
    def info(self) -> ModelInfo:
        """What callers need to know."""
        return ModelInfo(guidance="two passes", latents_dtype=self.dtype, bytes_per_pixel=0)

    @property
    def process(self) -> LearnedVarianceProcess:
        """What the U-Net predicts."""
        return LearnedVarianceProcess(prediction_type_of(self.scheduler_config))

    def build_scheduler(self, request: ResolvedRequest) -> SchedulerMixin:
        """Return a fresh scheduler with its timesteps set."""
        scheduler = build_scheduler(request.scheduler, self.scheduler_config, **_AS_IN_THE_CONFIG)
        set_timesteps(scheduler, request.num_inference_steps)
        return scheduler

    def draw_noise(self, width: int, height: int, generator: torch.Generator) -> Tensor:
        """Return one image's noise, (1, 3, height, width), float32."""
        return torch.randn((1, 3, height, width), generator=generator, dtype=torch.float32)

    def encode(self, requests: Sequence[ResolvedRequest]) -> EnlargedPicture:
        """Return conditioning that the first stage's picture is still to come to."""
        return EnlargedPicture(
            texts=self.texts.encode(requests),
            size=(requests[0].height, requests[0].width),
            noise_level=_noise_level(requests[0]),
        )

    @torch.inference_mode()
    def with_result(
        self,
        conditioning: EnlargedPicture,
        result: Tensor,
        generators: Sequence[torch.Generator],
    ) -> EnlargedPicture:
        """Return conditioning with the first stage's picture, enlarged and noisy."""
        small = result.to(self.dtype)
        large = interpolate(small, conditioning.size, mode="bilinear", align_corners=True)
        noise = [torch.randn(large[:1].shape, generator=each) for each in generators]
        scheduler = DDPMScheduler.from_config(dict(self.noising_config))
        level = torch.tensor([conditioning.noise_level] * len(large), device=self.device)
        noisy = scheduler.add_noise(large, torch.cat(noise).to(large), level)
        return replace(conditioning, picture=noisy)

    def predict(
        self,
        model_input: Tensor,
        timestep: Tensor,
        conditioning: EnlargedPicture,
        guidance: Guidance,
    ) -> Tensor:
        """Return the guided noise and its variance, (batch, 6, height, width)."""
        assert conditioning.picture is not None, "this stage comes after another"
        texts = conditioning.texts
        level = torch.tensor([conditioning.noise_level] * len(texts.states), device=self.device)
        return predict_with_variance(
            self.unet,
            torch.cat([model_input, conditioning.picture], dim=1),
            timestep,
            guidance,
            guided=texts.guided,
            encoder_hidden_states=texts.states,
            class_labels=level,
        )


def _noise_level(request: ResolvedRequest) -> int:
    assert request.upscaler_noise is not None, "it is resolved"
    return request.upscaler_noise


def check_upscaler_steps(checkpoint: Checkpoint, request: ResolvedRequest) -> None:
    """Go through the second stage's steps, without its network.

    Raises:
        UsageError: If so many steps, or so much noise, do not fit its schedules.
        ModelError: If a scheduler's config cannot be used.
    """
    configs = checkpoint.configs
    assert request.upscaler_steps is not None, "it is resolved"
    check_steps(STAGE_SCHEDULER, configs["scheduler"], request.upscaler_steps, **_AS_IN_THE_CONFIG)
    trained = configs["image_noising_scheduler"].get("num_train_timesteps", 1000)
    if _noise_level(request) >= trained:
        raise UsageError(
            f"upscaler noise must be below {trained} for this upscaler, got "
            f"{_noise_level(request)}."
        )
