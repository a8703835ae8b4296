"""Trains the U-Net to predict clean latents from noised ones and a caption's states.

It works on cached latents, and on states as a text encoder without error would give them; one
caption in ten is empty, so that guidance has something to steer away from. Besides, attention is
told where to look, see `sheepgen.training.unet.attention_supervision`.

Clean latents are predicted, not velocity or noise, because a narrow network cannot pass noise on
exactly: it has few channels to do it with, and normalises them. What it loses is a pattern of cells
on ground that should be plain. See also https://arxiv.org/abs/2511.13720.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from sheepgen.training.muon import build_optimizers
from sheepgen.training.trainer import Checkpoint, TrainStep, autocast
from sheepgen.training.unet.attention_supervision import Lookups

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sheepgen.training.config import DiffusionConfig
    from sheepgen.training.unet.dataset import Examples

__all__ = ["build_scheduler", "build_unet", "draw_times", "train_unet", "widened"]

SAVE_EVERY = 200

TRAIN_TIMESTEPS = 1_000

LARGEST_WEIGHT = 10.0
"""Of the loss: what one part of noise in nine of signal counts."""

TIMES_MEAN = -0.5
TIMES_SPREAD = 1.3
"""Of the normal distribution of times' logits, as in https://arxiv.org/abs/2403.03206.

Half of the times lie between 200 and 590, where shapes come out of the noise, a tenth below 100 and
7% above 800: what is to be seen there is soon learned.
"""


def build_unet(
    config: DiffusionConfig, *, latent_channels: int, sample_size: int, state_width: int
) -> UNet2DConditionModel:
    """Return an untrained U-Net.

    Its finest attention is diffusers' simple kind, with one head, and so is the middle's: there a
    whole transformer costs more than it gains.
    """
    torch.manual_seed(config.seed)
    levels = range(len(config.channels))
    # Of blocks of the simple kind the numbers of a head, of the others the number of heads, see
    # diffusers' issue 2011. On the way up the finest block is given the last level's.
    simple = {0, len(config.channels) - 1}
    kinds = {0: "SimpleCrossAttn", config.attention_level: "CrossAttn"}
    return UNet2DConditionModel(
        sample_size=sample_size,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=config.channels,
        layers_per_block=config.layers_per_block,
        down_block_types=tuple(f"{kinds.get(level, '')}DownBlock2D" for level in levels),
        up_block_types=tuple(f"{kinds.get(level, '')}UpBlock2D" for level in reversed(levels)),
        only_cross_attention=tuple(level == 0 for level in levels),
        encoder_hid_dim=state_width,
        encoder_hid_dim_type="text_proj",
        cross_attention_dim=config.text_width,
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        mid_block_only_cross_attention=True,
        attention_head_dim=tuple(
            config.channels[0] if level in simple else max(1, width // config.head_dim)
            for level, width in enumerate(config.channels)
        ),
        norm_num_groups=config.norm_groups,
        time_embedding_dim=config.embedding_size,
        resnet_time_scale_shift="scale_shift",
    )


def widened(unet: UNet2DConditionModel, state_width: int) -> UNet2DConditionModel:
    """Return the same U-Net for states that have further numbers, which it does not look at."""
    wider: UNet2DConditionModel = UNet2DConditionModel.from_config(
        {**unet.config, "encoder_hid_dim": state_width}
    )
    weights = unet.state_dict()
    projection = weights["encoder_hid_proj.weight"]
    weights["encoder_hid_proj.weight"] = functional.pad(
        projection, (0, state_width - projection.shape[1])
    )
    wider.load_state_dict(weights)
    return wider


def build_scheduler() -> DDIMScheduler:
    """Return the noise schedule that the U-Net is trained on."""
    return DDIMScheduler(
        num_train_timesteps=TRAIN_TIMESTEPS,
        beta_schedule="linear",
        beta_start=0.0001,
        beta_end=0.02,
        prediction_type="sample",
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def train_unet(
    unet: UNet2DConditionModel,
    scenes: Examples,
    config: DiffusionConfig,
    checkpoint_path: Path,
    device: torch.device,
) -> Iterator[tuple[TrainStep, UNet2DConditionModel]]:
    """Train in place, from the checkpoint if there is one.

    Args:
        unet: The network.
        scenes: What it is to draw.
        config: The recipe.
        checkpoint_path: Where training goes on from.
        device: Where to compute.

    Yields:
        Every step and the network with averaged weights, which is the one to sample from.
    """
    unet.to(device).train()
    scenes = scenes.to(device)
    average = AveragedModel(unet, multi_avg_fn=_ema(config.ema_decay)).requires_grad_(False)
    lookups = Lookups(unet)
    optimizers = build_optimizers(unet, outer=("conv_in", "conv_out"))
    parts = {"unet": unet, "average": average, **optimizers}
    checkpoint = Checkpoint(checkpoint_path, parts)
    done = checkpoint.load()
    scheduler = build_scheduler()
    for step in range(done, config.steps):
        rng = torch.Generator(device).manual_seed(config.seed * 1_000_003 + step)
        batch = scenes.draw(config.batch_size, config.empty_caption_rate, rng)
        times = draw_times(config.batch_size, rng)
        noise = torch.randn(batch.latents.shape, generator=rng, device=device)
        noisy = scheduler.add_noise(batch.latents, noise, times)
        lookups.expect(batch.slots_shown)
        with autocast(device):
            clean = unet(noisy, times, batch.states, return_dict=False)[0]
        error = functional.mse_loss(clean.float(), batch.latents, reduction="none")
        loss = (error.mean(dim=(1, 2, 3)) * loss_weights(times, scheduler)).mean()
        misled = lookups.loss()
        unet.zero_grad()
        (loss + config.lookup_weight * misled).backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, config)
            optimizer.step()
        average.update_parameters(unet)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == config.steps:
            checkpoint.save(step + 1)
        report = TrainStep(phase="unet", step=step + 1, total_steps=config.steps, loss=loss.item())
        yield report, average.module


def draw_times(count: int, rng: torch.Generator) -> Tensor:
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


def learning_rate(step: int, config: DiffusionConfig) -> float:
    """Return the rate at ``step``: warm-up, plateau, linear decay over the last share."""
    decay_steps = max(1, round(config.steps * config.decay_share))
    rising = (step + 1) / config.warmup_steps
    falling = (config.steps - step) / decay_steps
    return config.learning_rate * min(1.0, rising, falling)


def _ema(decay: float):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """Return an exponential average whose memory grows with the number of steps."""

    def average(averaged: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        weight = min(decay, (1 + float(count)) / (10 + float(count)))
        torch._foreach_lerp_(averaged, current, 1 - weight)

    return average
