"""Where a run starts: in noise alone, or in a picture that noise is added to.

Everything random is taken from an image's own generator in the order in which diffusers' pipelines
take it, so that one seed is one picture here and there: what the VAE samples of the picture, then
the noise; with a mask, what it samples of the picture without the part to repaint comes last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from sheepgen.init_image import load_image
from sheepgen.pipeline.family import Start
from sheepgen.pipeline.noise import image_noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffusers import SchedulerMixin
    from PIL import Image
    from torch import Tensor

    from sheepgen.pipeline.family import Model
    from sheepgen.request import ResolvedRequest

__all__ = ["Begun", "begin", "to_tensor"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """What a run starts from.

    Args:
        start: For the loop.
        noise: Of each image, (1, channels, height, width) of the latents, float32 on the CPU.
        clean: Latents of the picture for each image, on the device; None without one.
        picture: The picture, of the images' size.
        mask: Likewise, 255 where it is repainted and 0 elsewhere.
    """

    start: Start
    noise: Sequence[Tensor]
    clean: Tensor | None = None
    picture: Image.Image | None = None
    mask: Image.Image | None = None


def begin(
    model: Model,
    scheduler: SchedulerMixin,
    requests: Sequence[ResolvedRequest],
    generators: Sequence[torch.Generator],
) -> Begun:
    """Return what a batch starts from.

    Args:
        model: Encodes pictures.
        scheduler: With its timesteps set.
        requests: With one `sheepgen.request.GenerationRequest.batch_key`.
        generators: On the CPU, one for each request.

    Raises:
        UsageError: If a picture is not what it was when the requests were resolved.
    """
    shared = requests[0]
    if shared.image is None:
        noise = _noise(model, requests, generators)
        return Begun(start=Start(latents=_pure_noise(model, scheduler, noise)), noise=noise)
    picture = load_image(shared)
    pixels = to_tensor(picture)  # (1, 3, height, width), -1 to 1
    clean = torch.cat([model.encode_image(pixels, generator) for generator in generators])
    clean = clean.to(model.info.latents_dtype)
    noise = _noise(model, requests, generators)
    first_step = (shared.num_inference_steps - shared.steps_taken) * scheduler.order
    added = torch.cat(noise).to(clean)
    latents = model.process.add_noise(scheduler, clean, added, first_step)
    return Begun(
        start=Start(latents=latents, first_step=first_step),
        noise=noise,
        clean=clean,
        picture=picture,
    )


def _noise(
    model: Model, requests: Sequence[ResolvedRequest], generators: Sequence[torch.Generator]
) -> list[Tensor]:
    return [image_noise(model, *each) for each in zip(requests, generators, strict=True)]


def _pure_noise(model: Model, scheduler: SchedulerMixin, noise: Sequence[Tensor]) -> Tensor:
    latents = torch.cat([*noise]).to(model.device, model.info.latents_dtype)
    return model.process.initial_latents(scheduler, latents)


def to_tensor(picture: Image.Image) -> Tensor:
    """Return the pixels of an RGB picture, (1, 3, height, width), -1 to 1, as diffusers does."""
    # Axes change places without a copy, as there: convolutions round by how pixels are laid out.
    levels = (np.asarray(picture, dtype=np.float32)[None] / 255.0).transpose(0, 3, 1, 2)
    return 2.0 * torch.from_numpy(levels) - 1.0
