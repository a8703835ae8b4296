"""Models that read no prompt: a U-Net on pixels, or on the latents of a VQ-VAE.

DDPM (https://arxiv.org/abs/2006.11239) and DDIM (https://arxiv.org/abs/2010.02502) on pixels, and
unconditional latent diffusion (https://arxiv.org/abs/2112.10752). Their schedulers clip the clean
image that they estimate if the folder's config says so. Frames show the estimate before that: of
pixels, which end at black and white anyway, only another range than -1 to 1 could be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from diffusers import UNet2DModel

from sheepgen.pipeline.autoencoder_model import AutoencoderModel
from sheepgen.pipeline.building import running
from sheepgen.pipeline.diffusion_model import DiffusionModel
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.pixel_model import PixelModel
from sheepgen.prompt_reading import PromptReading
from sheepgen.prompt_syntax import PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.inpainting import MaskedImage
    from sheepgen.pipeline.tokens import TokenLabel
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "UnconditionalLatentModel",
    "UnconditionalModel",
    "UnconditionalPixelModel",
    "check_schedule",
    "load",
    "read_prompt",
]


@dataclass(frozen=True, kw_only=True)
class UnconditionalModel(DiffusionModel):
    """All of a loaded model but what its latents are: most of a `sheepgen.pipeline.family.Model`.

    Args:
        unet: Predicts the noise in latents, (batch, channels, height, width), or what
            `sheepgen.schedulers.prediction_type_of` says.
    """

    unet: UNet2DModel
    clip_sample: ClassVar[bool | None] = None

    @property
    def bytes_per_pixel(self) -> int:
        """Memory that an image takes at least."""
        # The U-Net's first layers hold one number for each latent and channel, before a
        # convolution and after it.
        bytes_: int = 2 * self.unet.config.block_out_channels[0] * self.dtype.itemsize
        return bytes_

    def read_prompt(self, text: str, form: PromptFormat = PLAIN) -> PromptReading:
        """Return that nothing of a text is read."""
        return read_prompt(self.spec, text, form)

    def token_labels(self, prompt: str, form: PromptFormat = PLAIN) -> Sequence[TokenLabel]:  # noqa: ARG002
        """Return that the network attends to nothing."""
        return ()

    def encode(self, requests: Sequence[ResolvedRequest]) -> None:
        """Return nothing: all that differs between images is their noise."""

    def with_masked_image(self, conditioning: None, masked: MaskedImage) -> None:
        """Return nothing: the U-Net sees no mask."""

    def predict(
        self,
        model_input: Tensor,
        timestep: Tensor,
        conditioning: None,  # noqa: ARG002 - there is none
        guidance: Guidance,  # noqa: ARG002
    ) -> Tensor:
        """Return the prediction, (batch, channels, height, width)."""
        with running("unet"):
            prediction: Tensor = self.unet(model_input, timestep, return_dict=False)[0]
        return prediction


@dataclass(frozen=True, kw_only=True)
class UnconditionalPixelModel(PixelModel, UnconditionalModel):
    """A loaded model of diffusers' ``DDPMPipeline`` or ``DDIMPipeline``."""


@dataclass(frozen=True, kw_only=True)
class UnconditionalLatentModel(AutoencoderModel, UnconditionalModel):
    """A loaded model of diffusers' ``LDMPipeline``."""


def load(
    spec: ModelSpec, device: torch.device, dtype: torch.dtype
) -> UnconditionalPixelModel | UnconditionalLatentModel:
    """Load a model, as `sheepgen.pipeline.family.FamilyModule` says."""
    unet = load_diffusers(spec.checkpoint, "unet", UNet2DModel, dtype).to(device)
    if "vqvae" in spec.checkpoint.classes:
        parts = AutoencoderModel.load_autoencoder(spec, device, dtype, component="vqvae")
        return UnconditionalLatentModel(**parts, unet=unet)
    return UnconditionalPixelModel(
        spec=spec,
        device=device,
        dtype=dtype,
        scheduler_config=MappingProxyType(spec.checkpoint.configs["scheduler"]),
        channels=unet.config.in_channels,
        unet=unet,
    )


def read_prompt(_: ModelSpec, text: str, __: PromptFormat = PLAIN) -> PromptReading:
    """Return that nothing of a text is read."""
    return PromptReading(tokens=0, limit=0, truncated=tuple(text.split()))


check_schedule = UnconditionalModel.check_schedule
