"""Sample sheets: what the model generates by now, for a person to look at while it learns."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from sheepgen.pipeline.denoise import Start, StepSettings, denoise
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.latent_model import TextEmbeds, UNetDenoiser
from sheepgen.pipeline.process import DiffusionProcess
from sheepgen.pipeline.scheduler import build_scheduler as build_sampler
from sheepgen.pipeline.scheduler import set_timesteps, step_arguments
from sheepgen.training.image_grid import make_grid
from sheepgen.training.unet.build import build_scheduler

if TYPE_CHECKING:
    from diffusers import AutoencoderTiny, UNet2DConditionModel

    from sheepgen.embedded.prompt_reader import PromptReader

__all__ = ["SAMPLE_PROMPTS", "encode_prompt", "sample_sheet"]

SAMPLE_PROMPTS = (
    "a sheep riding a motorcycle",
    "a sheep riding a motorcycle on a road",
    "a cat riding a bicycle",
    "a penguin on a scooter in the snow",
    "an elephant riding a bus",
    "a duck wearing a top hat",
    "a fox on top of a piano",
    "a lamb riding a moped",
    "a sheep",
    "a red motorcycle",
    "a cat next to a house",
    "three apples",
    "a castle at sunset",
    "a lion in the desert, flat style",
    "a robot in space, glossy style",
    "a handwritten digit seven",
)

SAMPLER = "lcm"
"""The exported folder's. It adds noise at every step, which washes out what a half-trained network
gets wrong on the way; samplers that add none carry it on, and things look like mosaics."""


def encode_prompt(reader: PromptReader, prompt: str) -> Tensor:
    """Return a prompt's conditioning tokens, (1, tokens, width); zeros if it is not understood."""
    labels = reader.labels(prompt)
    if labels is None:
        return reader.text_encoder.encode_nothing()
    return reader.text_encoder.encode(labels, reader.drawings.choose(labels, seed=0))


def sample_sheet(
    unet: UNet2DConditionModel,
    vae: AutoencoderTiny,
    prompts: Tensor,
    empty_prompt: Tensor,
    *,
    steps: int = 8,
    guidance_scale: float = 2.0,
    seed: int = 0,
) -> Image.Image:
    """Generate one picture per caption and lay them out in rows.

    Args:
        unet: The network with averaged weights.
        vae: Its decoder is used.
        prompts: Conditioning tokens, (pictures, tokens, width).
        empty_prompt: Those of the empty prompt, (tokens, width).
        steps: Denoising steps.
        guidance_scale: In diffusers' convention.
        seed: Of the noise of the whole sheet.
    """
    unet.eval()
    generator = torch.Generator().manual_seed(seed)
    size, channels = unet.config.sample_size, unet.config.in_channels
    noise = torch.randn((len(prompts), channels, size, size), generator=generator)
    trained = build_scheduler().config
    scheduler = build_sampler(SAMPLER, trained)
    set_timesteps(scheduler, steps)
    hidden_states = torch.cat([empty_prompt.expand(*prompts.shape), prompts])
    process = DiffusionProcess(trained.prediction_type)
    *_, last = denoise(
        UNetDenoiser(unet, process),
        scheduler,
        Start(latents=process.initial_latents(scheduler, noise.to(unet.device))),
        repeat(
            StepSettings(
                conditioning=TextEmbeds(hidden_states=hidden_states.to(unet.device), guided=True),
                guidance=Guidance(scale=guidance_scale),
                arguments=step_arguments(SAMPLER, generators=[generator]),
            )
        ),
    )
    with torch.inference_mode():
        latents = last.latents.to(vae.device) / vae.config.scaling_factor
        pictures = vae.decode(latents).sample
    pixels = ((pictures.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return make_grid([Image.fromarray(picture) for picture in pixels], columns=8)
