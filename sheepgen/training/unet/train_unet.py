"""Trains the U-Net to predict clean latents from noised ones and a caption's conditioning tokens.

One caption in ten is empty, so that guidance has something to steer away from. Besides, attention
is supervised, see `sheepgen.training.unet.attention_supervision`.

Clean latents are predicted, not velocity or noise, because a narrow network cannot pass noise on
exactly: it has few channels to do it with, and normalises them. What it loses is a pattern of cells
on ground that should be plain. See also https://arxiv.org/abs/2511.13720.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from sheepgen.training.muon import muon_and_adamw
from sheepgen.training.trainer import Trainer, TrainerSettings, TrainStep, autocast
from sheepgen.training.unet.attention_supervision import AttentionSupervision
from sheepgen.training.unet.build import TRAIN_TIMESTEPS, build_scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from diffusers import DDIMScheduler, UNet2DConditionModel

    from sheepgen.training.config import DiffusionConfig
    from sheepgen.training.unet.dataset import Examples

__all__ = ["loss_weights", "sample_timesteps", "train_unet"]

SAVE_EVERY = 100

LARGEST_WEIGHT = 10.0
"""Of the loss: what one part of noise in nine of signal counts."""

TIMES_MEAN = -0.5
TIMES_SPREAD = 1.3
"""Of the normal distribution of times' logits, as in https://arxiv.org/abs/2403.03206.

Half of the times lie between 200 and 590, where shapes come out of the noise, a tenth below 100 and
7% above 800: what is to be seen there is soon learned.
"""


def train_unet(
    unet: UNet2DConditionModel,
    scenes: Examples,
    config: DiffusionConfig,
    checkpoint: Path,
    device: torch.device,
) -> Iterator[TrainStep]:
    """Train in place, from the checkpoint if there is one.

    Sample from the checkpoint's averaged weights, not from the network itself.

    Args:
        unet: The network.
        scenes: What it learns from.
        config: The recipe.
        checkpoint: Where training goes on from.
        device: Where to compute.
    """
    unet.to(device)
    scenes = scenes.to(device)
    supervision = AttentionSupervision(unet)
    settings = TrainerSettings(
        stage="unet",
        steps=config.steps,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup_steps,
        decay="linear",
        decay_share=config.decay_share,
        ema_decay=config.ema_decay,
        save_every=SAVE_EVERY,
    )
    optimizers = muon_and_adamw(unet, outer=("conv_in", "conv_out"))
    trainer = Trainer(unet, optimizers, settings, checkpoint)
    scheduler = build_scheduler()
    for step in trainer.remaining_steps():
        rng = torch.Generator(device).manual_seed(config.seed * 1_000_003 + step)
        batch = scenes.sample(config.batch_size, config.empty_caption_rate, rng)
        times = sample_timesteps(config.batch_size, rng)
        noise = torch.randn(batch.latents.shape, generator=rng, device=device)
        noisy = scheduler.add_noise(batch.latents, noise, times)
        supervision.set_target(batch.target_tokens)
        with autocast(device):
            clean = unet(noisy, times, batch.tokens, return_dict=False)[0]
        error = functional.mse_loss(clean.float(), batch.latents, reduction="none")
        loss = (error.mean(dim=(1, 2, 3)) * loss_weights(times, scheduler)).mean()
        yield trainer.update(loss + config.attention_loss_weight * supervision.loss())


def sample_timesteps(count: int, rng: torch.Generator) -> Tensor:
    """Return times to learn from, the middle ones more often, (count,), int64.

    One is from each of as many slices that are equally likely: that is less variance than
    independent times.
    """
    places = torch.arange(count, device=rng.device)
    slices = (places + torch.rand(count, generator=rng, device=rng.device)) / count
    # Not every device has ndtri.
    logits = TIMES_MEAN + TIMES_SPREAD * torch.special.ndtri(slices.cpu()).to(rng.device)
    times = torch.sigmoid(logits)
    # The sigmoid may be rounded up to one.
    return (times * TRAIN_TIMESTEPS).long().clamp(max=TRAIN_TIMESTEPS - 1)


def loss_weights(times: Tensor, scheduler: DDIMScheduler) -> Tensor:
    """Return how much the clean latents' squared error counts at each time, (count,).

    As much as in the velocity's squared error, that is one more than the signal-to-noise ratio, but
    at most ``LARGEST_WEIGHT``: of the least noise there is nothing to be learned.
    """
    as_velocity: Tensor = 1 / (1 - scheduler.alphas_cumprod.to(times.device)[times])
    return as_velocity.clamp(max=LARGEST_WEIGHT)
