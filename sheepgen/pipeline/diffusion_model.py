"""What models trained on DDPM's noise schedule share, apart from the network that denoises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sheepgen.pipeline.family import ModelInfo
from sheepgen.pipeline.process import DiffusionProcess
from sheepgen.pipeline.scheduler import build_scheduler, check_steps, set_timesteps
from sheepgen.schedulers import prediction_type_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from diffusers import SchedulerMixin

    from sheepgen.models.spec import ModelSpec
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["DiffusionModel"]


@dataclass(frozen=True, kw_only=True)
class DiffusionModel(ABC):
    """Most of a `sheepgen.pipeline.family.Model`, but texts, the network and what latents are.

    Args:
        spec: The model that the components are from.
        device: Where they are.
        dtype: Precision of the weights.
        scheduler_config: Of the folder's scheduler. Schedulers hold the state of a run, so each run
            builds a fresh one from this.

    Attributes:
        steps_offset: As `sheepgen.pipeline.scheduler.build_scheduler` takes it.
        clip_sample: Likewise.
    """

    spec: ModelSpec
    device: torch.device
    dtype: torch.dtype
    scheduler_config: Mapping[str, Any]
    steps_offset: ClassVar[int | None] = None
    clip_sample: ClassVar[bool | None] = False

    @property
    @abstractmethod
    def bytes_per_pixel(self) -> int:
        """Memory that an image takes at least."""

    @property
    def info(self) -> ModelInfo:
        """What callers need to know."""
        return ModelInfo(
            guidance=self.spec.guidance,
            latents_dtype=self.dtype,
            bytes_per_pixel=self.bytes_per_pixel,
        )

    @property
    def process(self) -> DiffusionProcess:
        """What the network predicts."""
        return DiffusionProcess(prediction_type_of(self.scheduler_config))

    def build_scheduler(self, request: ResolvedRequest) -> SchedulerMixin:
        """Return a fresh scheduler with its timesteps set."""
        scheduler = build_scheduler(
            request.scheduler,
            self.scheduler_config,
            steps_offset=self.steps_offset,
            clip_sample=self.clip_sample,
        )
        set_timesteps(scheduler, request.num_inference_steps)
        return scheduler

    @classmethod
    def check_schedule(cls, spec: ModelSpec, request: ResolvedRequest) -> None:
        """Go through a scheduler's steps with the model's schedule, and without the model."""
        check_steps(
            request.scheduler,
            spec.checkpoint.configs["scheduler"],
            request.num_inference_steps,
            steps_offset=cls.steps_offset,
            clip_sample=cls.clip_sample,
        )
