"""The VAE: pictures to latents of 1/8 the side and back.

Its encoder is not trained: a latent holds the principal components of the 8 by 8 pixels that it
stands for. Twelve of them alone, without a trained decoder, give held-out scenes back at 28.8 dB.
And they are linear: whoever tells them a little wrong draws a soft picture, not a ragged one. A
U-Net that had learned a trained encoder's latents for 9,800 steps drew better ones of this kind
after 200 more. See https://arxiv.org/abs/2502.14831 for what a smooth latent space is worth.

The decoder is trained, on crops, with a little noise on the latents. It knows what drawings look
like, and draws edges sharper than the components say. The loss is L1 + L2/2 + L1 of the differences
between neighbours (edges) + L1 of the means of 8 by 8 pixels (colour, which a small network
otherwise learns last). There is no group norm, so crops teach what whole pictures need. The U-Net
depends on the encoder only, so the decoder may still improve while the U-Net trains, and after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor, nn
from torch.nn import functional

from sheepgen.training.muon import muon_and_adamw
from sheepgen.training.trainer import Trainer, TrainerSettings, TrainStep, autocast

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from sheepgen.embedded.preview_decoder import PreviewDecoder
    from sheepgen.training.config import AutoencoderConfig

__all__ = [
    "build_autoencoder",
    "encode_pictures",
    "fit_encoder",
    "reconstruction_psnr",
    "to_tensor",
    "train_decoder",
    "train_preview_decoder",
    "whitened_pca",
]

SAVE_EVERY = 250

WHITENING_EXPONENT = 0.5
"""How far the components are brought to one spread; see `whitened_pca`.

As they are, patches' mean colours hold 94% of the variance, and edges would only be told apart when
nearly all noise is gone. Made equal, edges would drown what they are the edges of.
"""

SCALING_FACTOR = 4.0
"""Latents as the U-Net sees them over the VAE's own, which its decoder squashes to ±3."""

PREVIEW_CROP = 16
"""Latents a side that the preview decoder learns from at a time."""


def build_autoencoder(config: AutoencoderConfig) -> AutoencoderTiny:
    """Return an untrained VAE whose encoder, without blocks, is linear."""
    torch.manual_seed(config.seed)
    levels = len(config.decoder_blocks)
    return AutoencoderTiny(
        # As wide as what the last halving sees: all numbers of a quarter of a patch.
        encoder_block_out_channels=(3 * 4 ** (levels - 2),) * levels,
        decoder_block_out_channels=(config.width,) * levels,
        num_encoder_blocks=(0,) * levels,
        num_decoder_blocks=config.decoder_blocks,
        latent_channels=config.latent_channels,
        scaling_factor=SCALING_FACTOR,
    )


@torch.no_grad()
def fit_encoder(vae: AutoencoderTiny, pictures: NDArray[np.uint8]) -> None:
    """Let the encoder give the principal components of patches of pictures, partly whitened.

    As the U-Net sees them, they have mean 0 and a mean square of 1 over all channels.
    """
    first, *halvings, last_halving, last = vae.encoder.layers
    for layer in vae.encoder.layers:
        nn.init.zeros_(layer.weight)
    # Every number of a patch goes to a channel of its own, ...
    nn.init.dirac_(first.weight)
    nn.init.zeros_(first.bias)
    for halving in halvings:
        for channel in range(halving.out_channels // 4):
            for place in range(4):
                row, column = divmod(place, 2)
                halving.weight[4 * channel + place, channel, 1 + row, 1 + column] = 1.0
    unfolded = vae.encoder.layers[:-2]((to_tensor(pictures) + 1) / 2)
    patches = functional.pixel_unshuffle(unfolded, 2).movedim(1, -1).flatten(0, 2)
    # ... and from there to the components.
    mean, directions = whitened_pca(patches, last.out_channels, WHITENING_EXPONENT)
    directions = directions / vae.config.scaling_factor
    patch_weights = directions.T.unflatten(1, (last_halving.in_channels, 2, 2))
    last_halving.weight[: last.out_channels, :, 1:, 1:] = patch_weights
    nn.init.dirac_(last.weight)
    last.bias.copy_(-mean @ directions)


def whitened_pca(vectors: Tensor, count: int, exponent: float) -> tuple[Tensor, Tensor]:
    """Fit principal components that are partly whitened, with unit variance on average.

    Args:
        vectors: What they are fitted on, (vectors, width).
        count: Components, at most ``width`` and at most one fewer than vectors.
        exponent: 0 leaves the components' spreads as they are, 1 makes them equal.

    Returns:
        What to subtract, (width,), and what to multiply by then, (width, components).

    Raises:
        ValueError: If no component is asked for, or the vectors are all alike.
    """
    count = min(count, len(vectors) - 1)
    mean = vectors.mean(0)
    _, singular, directions = torch.linalg.svd(vectors - mean, full_matrices=False)
    if count < 1 or not singular[0] > 0:
        raise ValueError(f"{len(vectors)} vectors have no {count} components")
    directions = directions[:count].T
    spread = ((vectors - mean) @ directions).std(0)
    # Components that vary less than a hundredth of the first are hardly more than rounding.
    whitening = spread.clamp(min=0.01 * spread[0]) ** -exponent
    scale = whitening / (spread * whitening).square().mean().sqrt()
    return mean, directions * scale


def to_tensor(pictures: NDArray[np.uint8], device: torch.device | None = None) -> Tensor:
    """Return (batch, height, width, 3) bytes as (batch, 3, height, width) in [-1, 1].

    Args:
        pictures: The bytes.
        device: Where to, and where numbers are made of them; the CPU if None.
    """
    return torch.tensor(pictures, device=device).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def train_decoder(
    vae: AutoencoderTiny,
    pictures: NDArray[np.uint8],
    config: AutoencoderConfig,
    checkpoint: Path,
    device: torch.device,
) -> Iterator[TrainStep]:
    """Train the decoder in place, from the checkpoint if there is one."""
    vae.to(device, memory_format=torch.channels_last)
    settings = TrainerSettings(
        stage="vae",
        steps=config.steps,
        learning_rate=config.learning_rate,
        warmup_steps=100,
        save_every=SAVE_EVERY,
    )
    trainer = Trainer(vae.decoder, muon_and_adamw(vae.decoder), settings, checkpoint)
    side = config.crop // 2 ** (len(config.decoder_blocks) - 1)
    for step in trainer.remaining_steps():
        rng = np.random.default_rng((config.seed, step))
        crops = to_tensor(_random_crops(rng, pictures, config.batch_size, config.crop))
        target = crops.to(device, memory_format=torch.channels_last)
        noise_shape = (config.batch_size, config.latent_channels, side, side)
        noise = torch.from_numpy(rng.standard_normal(noise_shape, np.float32)).to(device)
        with autocast(device):
            with torch.no_grad():
                latents = vae.encode(target).latents
            noise *= config.latent_noise / vae.config.scaling_factor
            loss = _picture_loss(vae.decode(latents + noise).sample.float(), target)
        yield trainer.update(loss)
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
    """Yield latents as the U-Net sees them.

    They are (batch, channels, height, width), float32, on the CPU.
    """
    for start in range(0, len(pictures), batch):
        target = to_tensor(pictures[start : start + batch], device)
        latents = vae.encode(target.to(memory_format=torch.channels_last)).latents
        yield latents.float().cpu() * vae.config.scaling_factor


@torch.inference_mode()
def reconstruction_psnr(
    vae: AutoencoderTiny, pictures: NDArray[np.uint8], device: torch.device, batch: int = 16
) -> float:
    """Return the mean over pictures of the peak signal-to-noise ratio in dB, pixels in [0, 1]."""
    ratios: list[Tensor] = []
    for start in range(0, len(pictures), batch):
        target = to_tensor(pictures[start : start + batch], device)
        error = (vae.decode(vae.encode(target).latents).sample.clamp(-1, 1) - target) / 2
        ratios.append(-10 * error.square().mean(dim=(1, 2, 3)).log10())
    return torch.cat(ratios).mean().item()


def train_preview_decoder(
    decoder: PreviewDecoder,
    latents: Tensor,
    pictures: NDArray[np.uint8],
    config: AutoencoderConfig,
    checkpoint: Path,
    batch_size: int = 16,
) -> Iterator[TrainStep]:
    """Train the small decoder of step frames on crops of the VAE's own latents, lightly noised."""
    settings = TrainerSettings(
        stage="preview",
        steps=config.preview_steps,
        learning_rate=config.learning_rate,
        warmup_steps=50,
        max_grad_norm=None,
        save_every=SAVE_EVERY,
    )
    adamw = torch.optim.AdamW(decoder.parameters(), weight_decay=0.0)
    trainer = Trainer(decoder, {"adamw": adamw}, settings, checkpoint)
    side = min(PREVIEW_CROP, latents.shape[-1])
    scale = pictures.shape[1] // latents.shape[-1]
    for step in trainer.remaining_steps():
        rng = np.random.default_rng((config.seed, 1, step))
        chosen = np.sort(rng.integers(len(latents), size=batch_size))
        top, left = rng.integers(latents.shape[-1] - side + 1, size=2)
        seen = latents[chosen, :, top : top + side, left : left + side].float()
        target = pictures[chosen][
            :, top * scale : (top + side) * scale, left * scale : (left + side) * scale
        ]
        noise = torch.from_numpy(rng.standard_normal(seen.shape, np.float32))
        loss = _picture_loss(decoder(seen + config.latent_noise * noise), to_tensor(target))
        yield trainer.update(loss)
    decoder.eval()
