"""What models with a U-Net on a VAE's latents share, whatever their text encoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from diffusers import UNet2DConditionModel

from sheepgen.pipeline.autoencoder_model import AutoencoderModel
from sheepgen.pipeline.building import running
from sheepgen.pipeline.diffusion_model import DiffusionModel
from sheepgen.pipeline.family import ModelInfo
from sheepgen.pipeline.guidance import apply_guidance, guidance_embedding
from sheepgen.pipeline.loading import load_diffusers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.guidance import Guidance
    from sheepgen.pipeline.inpainting import MaskedImage
    from sheepgen.pipeline.process import DiffusionProcess
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["LatentModel", "TextEmbeds", "UNetDenoiser"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TextEmbeds:
    """What the U-Net attends to.

    Args:
        hidden_states: (passes * batch, tokens, width), those of the negative prompts first if there
            are two passes.
        guided: Whether there are.
        added: The U-Net's further conditions by their names in diffusers, a row for each of
            ``hidden_states``.
        masked: What is to be repainted, for a U-Net that was trained for that.
        read: Which of the tokens count, (passes * batch, tokens); None if all do.
    """

    hidden_states: Tensor
    guided: bool
    added: Mapping[str, Tensor] | None = None
    masked: MaskedImage | None = None
    read: Tensor | None = None


@dataclass(frozen=True, slots=True)
class UNetDenoiser:
    """A U-Net as the loop takes it: a `sheepgen.pipeline.family.Denoiser`."""

    unet: UNet2DConditionModel
    process: DiffusionProcess

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: TextEmbeds, guidance: Guidance
    ) -> Tensor:
        """Return the guided prediction, (batch, channels, height, width)."""
        timestep_cond = None
        if (size := self.unet.config.time_cond_proj_dim) is not None:
            timestep_cond = guidance_embedding(guidance.scale, size)  # (1, size)
            timestep_cond = timestep_cond.to(model_input.device, model_input.dtype)
        guided, masked = conditioning.guided, conditioning.masked
        if guided:
            model_input = torch.cat([model_input] * 2)
        if masked is not None:
            passes = 2 if guided else 1
            more = (torch.cat([each] * passes) for each in (masked.mask, masked.latents))
            model_input = torch.cat([model_input, *more], dim=1)
        with running("unet"):
            prediction: Tensor = self.unet(
                model_input,
                timestep,
                encoder_hidden_states=conditioning.hidden_states,
                timestep_cond=timestep_cond,
                added_cond_kwargs=conditioning.added,
                encoder_attention_mask=conditioning.read,
                return_dict=False,
            )[0]  # (passes * batch, channels, height, width)
        return apply_guidance(prediction, guidance) if guided else prediction


@dataclass(frozen=True, kw_only=True)
class LatentModel(AutoencoderModel, DiffusionModel):
    """All of a loaded model but its text encoder: most of a `sheepgen.pipeline.family.Model`.

    Args:
        unet: Predicts the noise in latents, (batch, channels, height, width), or what
            `sheepgen.schedulers.prediction_type_of` says.
    """

    unet: UNet2DConditionModel
    steps_offset: ClassVar[int | None] = 1

    @classmethod
    def load_components(
        cls,
        spec: ModelSpec,
        device: torch.device,
        dtype: torch.dtype,
        *,
        vae: str = "vae",
        vae_dtype: torch.dtype | None = None,
    ) -> dict[str, Any]:
        """Load what every such model has, by the names of the fields.

        Args:
            spec: Where it is.
            device: Where it goes.
            dtype: Precision of the weights.
            vae: The VAE's name in the folder.
            vae_dtype: Precision of the VAE's, if it is another one.
        """
        unet = load_diffusers(spec.checkpoint, "unet", UNet2DConditionModel, dtype)
        return {
            **cls.load_autoencoder(spec, device, dtype, component=vae, vae_dtype=vae_dtype),
            "unet": unet.to(device),
        }

    @property
    def info(self) -> ModelInfo:
        """What callers need to know."""
        reads_scale = self.unet.config.time_cond_proj_dim is not None
        return ModelInfo(
            guidance="embedded" if reads_scale else "two passes",
            latents_dtype=self.dtype,
            bytes_per_pixel=self.bytes_per_pixel,
            sees_mask=self.spec.needs_mask,
        )

    def runs_twice(self, requests: Sequence[ResolvedRequest]) -> bool:
        """Return whether the U-Net runs without the prompt, too; a batch has one guidance."""
        return self.info.guidance == "two passes" and requests[0].guidance_scale > 1

    def predict(
        self, model_input: Tensor, timestep: Tensor, conditioning: TextEmbeds, guidance: Guidance
    ) -> Tensor:
        """Return the guided prediction, (batch, channels, height, width)."""
        denoiser = UNetDenoiser(self.unet, self.process)
        return denoiser.predict(model_input, timestep, conditioning, guidance)

    def with_masked_image(self, conditioning: TextEmbeds, masked: MaskedImage) -> TextEmbeds:
        """Return conditioning with what is to be repainted."""
        return replace(conditioning, masked=masked)
