"""Trains the VAE: pictures to latents of 1/8 the side and back.

The loss is L1 + L2/2 + L1 of the differences between neighbours (edges) + L1 of the means of 8 by
8 pixels (colour, which a small network otherwise learns last). A little noise on the latents, and
a small penalty on their square, keep the latent space smooth. There is no group norm, so crops
teach what whole pictures need.

First encoder and decoder learn together. Then the encoder is frozen, its latents are normalised
to mean 0 and variance 1 a channel, and the decoder alone goes on: the U-Net depends on the
encoder only, so the decoder may still improve while the U-Net trains, and after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor, nn
from torch.nn import functional

from sheepgen.training.loop import Checkpoint, TrainStep, autocast, cosine_learning_rate
from sheepgen.training.muon import build_optimizers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from sheepgen.pipeline.preview import PreviewDecoder
    from sheepgen.training.config import AutoencoderConfig

__all__ = [
    "build_autoencoder",
    "encode_pictures",
    "normalise_latents",
    "reconstruction_psnr",
    "to_tensor",
    "train_autoencoder",
    "train_decoder",
    "train_preview_decoder",
]

SAVE_EVERY = 250

PREVIEW_CROP = 16
"""Latents a side that the preview decoder learns from at a time."""


def build_autoencoder(config: AutoencoderConfig) -> AutoencoderTiny:
    """Return an untrained VAE."""
    torch.manual_seed(config.seed)
    widths = (config.width,) * len(config.encoder_blocks)
    return AutoencoderTiny(
        encoder_block_out_channels=widths,
        decoder_block_out_channels=widths,
        num_encoder_blocks=config.encoder_blocks,
        num_decoder_blocks=config.encoder_blocks[::-1],
        latent_channels=config.latent_channels,
        scaling_factor=1.0,
    )


def to_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """Return (batch, height, width, 3) bytes as (batch, 3, height, width) in [-1, 1]."""
    return torch.tensor(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def train_autoencoder(
    vae: AutoencoderTiny,
    pictures: NDArray[np.uint8],
    config: AutoencoderConfig,
    checkpoint_path: Path,
    device: torch.device,
) -> Iterator[TrainStep]:
    """Train encoder and decoder in place, from the checkpoint if there is one."""

    def loss_of(target: Tensor, noise: Tensor) -> Tensor:
        latents = vae.encode(target).latents
        picture = vae.decode(latents + config.latent_noise * noise).sample
        penalty = config.latent_penalty * latents.float().square().mean()
        loss: Tensor = _picture_loss(picture.float(), target) + penalty
        return loss

    phase = _Phase("vae", vae, loss_of, config.steps, checkpoint_path)
    yield from _train(phase, vae, pictures, config, device)


def train_decoder(
    vae: AutoencoderTiny,
    pictures: NDArray[np.uint8],
    config: AutoencoderConfig,
    checkpoint_path: Path,
    device: torch.device,
) -> Iterator[TrainStep]:
    """Train the decoder alone, in place, from the checkpoint if there is one."""

    def loss_of(target: Tensor, noise: Tensor) -> Tensor:
        with torch.no_grad():
            latents = vae.encode(target).latents
        picture = vae.decode(latents + config.latent_noise * noise).sample
        return _picture_loss(picture.float(), target)

    phase = _Phase("decoder", vae.decoder, loss_of, config.decoder_steps, checkpoint_path)
    yield from _train(phase, vae, pictures, config, device)


@dataclass(frozen=True, slots=True)
class _Phase:
    name: str
    trained: nn.Module
    loss_of: Callable[[Tensor, Tensor], Tensor]
    total_steps: int
    checkpoint_path: Path


def _train(
    phase: _Phase,
    vae: AutoencoderTiny,
    pictures: NDArray[np.uint8],
    config: AutoencoderConfig,
    device: torch.device,
) -> Iterator[TrainStep]:
    vae.to(device, memory_format=torch.channels_last).train()
    parameters = list(phase.trained.parameters())
    optimizers = build_optimizers(phase.trained)
    checkpoint = Checkpoint(phase.checkpoint_path, {phase.name: phase.trained, **optimizers})
    done = checkpoint.load()
    side = config.crop // 2 ** (len(config.encoder_blocks) - 1)
    for step in range(done, phase.total_steps):
        rng = np.random.default_rng((config.seed, step))
        target = to_tensor(_random_crops(rng, pictures, config.batch_size, config.crop))
        noise_shape = (config.batch_size, config.latent_channels, side, side)
        noise = torch.from_numpy(rng.standard_normal(noise_shape, np.float32)).to(device)
        with autocast(device):
            loss = phase.loss_of(target.to(device, memory_format=torch.channels_last), noise)
        phase.trained.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = cosine_learning_rate(
                    step, phase.total_steps, config.learning_rate, warmup_steps=100
                )
            optimizer.step()
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == phase.total_steps:
            checkpoint.save(step + 1)
        yield TrainStep(
            phase=phase.name, step=step + 1, total_steps=phase.total_steps, loss=loss.item()
        )
    vae.eval()


def _random_crops(
    rng: np.random.Generator, pictures: NDArray[np.uint8], batch: int, crop: int
) -> NDArray[np.uint8]:
    chosen = rng.integers(len(pictures), size=batch)
    tops, lefts = rng.integers(pictures.shape[1] - crop + 1, size=(2, batch))
    return np.stack(
        [
            pictures[index, top : top + crop, left : left + crop]
            for index, top, left in zip(chosen, tops, lefts, strict=True)
        ]
    )


def _picture_loss(picture: Tensor, target: Tensor) -> Tensor:
    error = picture - target
    edges = error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
    colour = functional.avg_pool2d(error, 8).abs().mean()
    return error.abs().mean() + 0.5 * error.square().mean() + edges + 2 * colour


@torch.inference_mode()
def encode_pictures(
    vae: AutoencoderTiny, pictures: NDArray[np.uint8], device: torch.device, batch: int = 32
) -> Iterator[Tensor]:
    """Yield latents, (batch, channels, height, width), float32 on the CPU."""
    for start in range(0, len(pictures), batch):
        target = to_tensor(pictures[start : start + batch])
        latents = vae.encode(target.to(device, memory_format=torch.channels_last)).latents
        yield latents.float().cpu()


@torch.no_grad()
def normalise_latents(vae: AutoencoderTiny, latents: Tensor) -> None:
    """Fold ``latents``' mean and spread into the VAE: encoded again they have mean 0, variance 1.

    The decoder takes back what the encoder does but for the picture's rim and the soft clamp on
    its input; `train_decoder` mends that.
    """
    mean, std = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    last, first = vae.encoder.layers[-1], vae.decoder.layers[0]
    mean, std = mean.to(last.bias), std.to(last.bias)
    first.bias += first.weight.sum(dim=(2, 3)) @ mean
    first.weight *= std[None, :, None, None]
    last.bias.sub_(mean).div_(std)
    last.weight /= std[:, None, None, None]


@torch.inference_mode()
def reconstruction_psnr(
    vae: AutoencoderTiny, pictures: NDArray[np.uint8], device: torch.device, batch: int = 16
) -> float:
    """Return the mean over pictures of the peak signal-to-noise ratio in dB, pixels in [0, 1]."""
    ratios: list[Tensor] = []
    for start in range(0, len(pictures), batch):
        target = to_tensor(pictures[start : start + batch]).to(device)
        error = (vae.decode(vae.encode(target).latents).sample.clamp(-1, 1) - target) / 2
        ratios.append(-10 * error.square().mean(dim=(1, 2, 3)).log10())
    return torch.cat(ratios).mean().item()


def train_preview_decoder(
    decoder: PreviewDecoder,
    latents: Tensor,
    pictures: NDArray[np.uint8],
    config: AutoencoderConfig,
    batch_size: int = 16,
) -> Iterator[TrainStep]:
    """Train the frames' small decoder on crops of the VAE's own latents, lightly noised."""
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=0.0, weight_decay=0.0)
    decoder.train()
    total = config.preview_steps
    side = min(PREVIEW_CROP, latents.shape[-1])
    scale = pictures.shape[1] // latents.shape[-1]
    for step in range(total):
        rng = np.random.default_rng((config.seed, 1, step))
        chosen = np.sort(rng.integers(len(latents), size=batch_size))
        top, left = rng.integers(latents.shape[-1] - side + 1, size=2)
        seen = latents[chosen, :, top : top + side, left : left + side].float()
        target = pictures[chosen][
            :, top * scale : (top + side) * scale, left * scale : (left + side) * scale
        ]
        noise = torch.from_numpy(rng.standard_normal(seen.shape, np.float32))
        loss = _picture_loss(decoder(seen + config.latent_noise * noise), to_tensor(target))
        for group in optimizer.param_groups:
            group["lr"] = cosine_learning_rate(step, total, config.learning_rate, warmup_steps=50)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        yield TrainStep(phase="preview", step=step + 1, total_steps=total, loss=loss.item())
    decoder.eval()
