"""The families of models that read no prompt: one row each, as in `sheepgen.models.families`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.configs import bad_setting
from sheepgen.models.family import Component, Family, Traits
from sheepgen.models.shared_components import DIFFUSERS_SCHEDULER, WEIGHTS
from sheepgen.models.unet_family import VQ_VAE, check_latents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Configs

__all__ = ["UNCONDITIONAL_FAMILIES"]

_DDPM: Mapping[str, Component] = {
    "scheduler": replace(DIFFUSERS_SCHEDULER, can_be_flat=True),
    "unet": Component(
        library="diffusers",
        classes="UNet2DModel",
        role="U-Net",
        weights=WEIGHTS,
        required=("block_out_channels", "in_channels", "out_channels", "sample_size"),
        refused={
            "class_embed_type": "class labels in the U-Net",
            "num_class_embeds": "class labels in the U-Net",
        },
        can_be_flat=True,
    ),
}

_LATENT_DIFFUSION: Mapping[str, Component] = {
    "scheduler": DIFFUSERS_SCHEDULER,
    "unet": replace(_DDPM["unet"], can_be_flat=False),
    "vqvae": VQ_VAE,
}

_DDPM_STEPS = 1000
"""Default of diffusers' DDPMPipeline; DDIMPipeline's and LDMPipeline's is 50."""


def _check_ddpm(configs: Configs, owner: str) -> None:
    unet = configs["unet"]
    channels = unet["in_channels"], unet["out_channels"]
    if channels not in ((1, 1), (3, 3)):
        raise ModelError(
            f"The U-Net of {owner} has {channels[0]} input and {channels[1]} output channels.",
            "Grey images of 1 and colour images of 3 are supported, without a learned variance.",
        )
    _check_unet(configs, owner)


def _check_latent_diffusion(configs: Configs, owner: str) -> None:
    check_latents(configs, owner, vae="vqvae")
    _check_unet(configs, owner)


def _check_unet(configs: Configs, owner: str) -> None:
    unet = configs["unet"]
    if isinstance(unet["sample_size"], list) and len(unet["sample_size"]) != 2:
        raise bad_setting("unet/config.json", "sample_size", unet["sample_size"], owner)
    if not isinstance(unet["block_out_channels"], list):
        raise bad_setting(
            "unet/config.json", "block_out_channels", unet["block_out_channels"], owner
        )
    if unet.get("time_embedding_type") == "fourier":
        raise ModelError(
            f"{owner} needs noise levels instead of timesteps, which is not supported.",
            "The setting is time_embedding_type in unet/config.json.",
        )


def _ddpm_traits(configs: Configs, index: Mapping[str, Any]) -> Traits:
    steps = _DDPM_STEPS if index.get("_class_name") == "DDPMPipeline" else 50
    return _traits(configs, scale=1, steps=steps)


def _latent_diffusion_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
    scale = 2 ** (len(configs["vqvae"]["block_out_channels"]) - 1)
    return _traits(configs, scale=scale, steps=50)


def _traits(configs: Configs, *, scale: int, steps: int) -> Traits:
    """Return the traits of a model whose images have this many pixels a latent on each side."""
    unet, size = configs["unet"], configs["unet"]["sample_size"]
    height, width = size if isinstance(size, list) else (size, size)
    trained = configs["scheduler"].get("num_train_timesteps", _DDPM_STEPS)
    return Traits(
        width=width * scale,
        height=height * scale,
        # Unlike others, these U-Nets do not cut what they have rounded up on the way down.
        size_multiple=scale * 2 ** (len(unet["block_out_channels"]) - 1),
        max_tokens=0,
        num_inference_steps=min(steps, trained),
        guidance_scale=1.0,
        guidance="none",
    )


UNCONDITIONAL_FAMILIES: tuple[Family, ...] = (
    Family(
        name="DDPM",
        class_names=("DDPMPipeline", "DDIMPipeline"),
        components=_DDPM,
        read_traits=_ddpm_traits,
        check_fit=_check_ddpm,
        pipeline="sheepgen.pipeline.unconditional",
        reads_prompt=False,
    ),
    Family(
        name="Latent Diffusion without prompts",
        class_names=("LDMPipeline",),
        components=_LATENT_DIFFUSION,
        read_traits=_latent_diffusion_traits,
        check_fit=_check_latent_diffusion,
        pipeline="sheepgen.pipeline.unconditional",
        reads_prompt=False,
    ),
)
