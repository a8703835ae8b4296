"""What families of flow transformers share, apart from the autoencoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np
import torch

from sheepgen.pipeline.autoencoder_model import AutoencoderModel
from sheepgen.pipeline.family import ModelInfo
from sheepgen.pipeline.flow import (
    FlowProcess,
    FlowSchedule,
    build_flow_scheduler,
    check_flow_steps,
    linear_mu,
)

if TYPE_CHECKING:
    from diffusers import SchedulerMixin

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.inpainting import MaskedImage
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["FlowModel", "patches_of"]

_Conditioning = TypeVar("_Conditioning")


@dataclass(frozen=True, kw_only=True)
class FlowModel(AutoencoderModel):
    """Most of a `sheepgen.pipeline.family.Model`, but texts and the transformer.

    Attributes:
        keeps_float32: Whether latents are float32 at every precision of the weights.
    """

    keeps_float32: ClassVar[bool] = False

    @staticmethod
    def schedule(spec: ModelSpec, request: ResolvedRequest) -> FlowSchedule:
        """Return evenly spaced noise levels, 1 to 1/steps, to be shifted by the size."""
        steps = request.num_inference_steps
        return FlowSchedule(
            mu=linear_mu(spec.checkpoint.configs["scheduler"], patches_of(spec, request)),
            sigmas=np.linspace(1.0, 1 / steps, steps).tolist(),
        )

    @property
    def info(self) -> ModelInfo:
        """What callers need to know."""
        return ModelInfo(
            guidance=self.spec.guidance,
            latents_dtype=torch.float32 if self.keeps_float32 else self.dtype,
            bytes_per_pixel=self.bytes_per_pixel,
        )

    @property
    def process(self) -> FlowProcess:
        """What the transformer predicts."""
        return FlowProcess()

    def build_scheduler(self, request: ResolvedRequest) -> SchedulerMixin:
        """Return a fresh scheduler with its timesteps set."""
        return self._build(self.spec, request)

    @classmethod
    def check_schedule(cls, spec: ModelSpec, request: ResolvedRequest) -> None:
        """Go through a scheduler's steps with the model's schedule, and without the model."""
        check_flow_steps(request.scheduler, cls._build(spec, request))

    @classmethod
    def _build(cls, spec: ModelSpec, request: ResolvedRequest) -> SchedulerMixin:
        return build_flow_scheduler(
            request.scheduler,
            spec.checkpoint.configs["scheduler"],
            request.num_inference_steps,
            cls.schedule(spec, request),
        )

    def with_masked_image(self, conditioning: _Conditioning, masked: MaskedImage) -> _Conditioning:
        """Return the conditioning as it is: no transformer here sees a mask."""
        del masked
        return conditioning


def patches_of(spec: ModelSpec, request: ResolvedRequest) -> int:
    """Return how many patches an image has, each as large as the step between two sizes."""
    return (request.width // spec.size_multiple) * (request.height // spec.size_multiple)
