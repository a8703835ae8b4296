"""Where a pass starts: in noise alone, or in a picture that noise is added to.

Everything random is taken from an image's own generator in the order in which diffusers' pipelines
take it, so that one seed is one picture here and there: what the VAE samples of the picture, then
the noise; with a mask, what it samples of the picture without the part to repaint comes last. A
second pass continues with the generator where the first left it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from sheepgen.init_image import load_image, load_mask
from sheepgen.pipeline.denoise import Start
from sheepgen.pipeline.inpainting import Inpainting, MaskedImage
from sheepgen.pipeline.noise import image_noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffusers import SchedulerMixin
    from torch import Tensor

    from sheepgen.pipeline.family import Model, Stage
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["Begun", "begin", "begin_in_noise", "to_tensor"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """What a pass starts from.

    Args:
        start: For the loop.
        noise: Of each image, (1, channels, height, width) of the latents, float32 on the CPU.
        clean: Latents of the picture for each image, on the device; None without one.
        picture: Of which a part is repainted, of the images' size.
        mask: Likewise, 255 where it is repainted and 0 elsewhere.
        masked: What of it a network sees that was trained for inpainting.
    """

    start: Start
    noise: Sequence[Tensor]
    clean: Tensor | None = None
    picture: Image.Image | None = None
    mask: Image.Image | None = None
    masked: MaskedImage | None = None

    def paste(self, image: Image.Image) -> Image.Image:
        """Return a decoded image with what is not repainted as it is in the picture."""
        if self.picture is None or self.mask is None:
            return image
        return Image.composite(image, self.picture, self.mask)


def begin(
    model: Model,
    scheduler: SchedulerMixin,
    requests: Sequence[ResolvedRequest],
    generators: Sequence[torch.Generator],
    *,
    first_step: int,
    before: Sequence[Image.Image] | None = None,
) -> Begun:
    """Return what a pass of a batch starts from.

    Args:
        model: Encodes pictures.
        scheduler: With its timesteps set.
        requests: Of the pass's size, with one `sheepgen.request.GenerationRequest.batch_key`.
        generators: On the CPU, one for each request.
        first_step: Index of the first timestep; above 0 only if it starts from a picture.
        before: What the pass before this one made of each request; None if this is the first.

    Raises:
        UsageError: If a picture is not what it was when the requests were resolved.
    """
    shared = requests[0]
    if before is not None:
        size = shared.width, shared.height
        pictures = [picture.resize(size, Image.Resampling.LANCZOS) for picture in before]
    elif shared.image is None:
        return begin_in_noise(model, scheduler, requests, generators)
    elif shared.mask is None:
        pictures = [load_image(shared)] * len(requests)
    else:
        return _begin_repainting(model, scheduler, requests, generators, first_step)
    clean = _encode(model, [to_tensor(picture) for picture in pictures], generators)
    noise = _noise(model, requests, generators)
    latents = model.process.add_noise(scheduler, clean, torch.cat(noise).to(clean), first_step)
    return Begun(start=Start(latents=latents, first_step=first_step), noise=noise, clean=clean)


def begin_in_noise(
    network: Stage,
    scheduler: SchedulerMixin,
    requests: Sequence[ResolvedRequest],
    generators: Sequence[torch.Generator],
) -> Begun:
    """Do what `begin` does if a pass starts from no picture."""
    noise = _noise(network, requests, generators)
    return Begun(start=Start(latents=_pure_noise(network, scheduler, noise)), noise=noise)


def _begin_repainting(
    model: Model,
    scheduler: SchedulerMixin,
    requests: Sequence[ResolvedRequest],
    generators: Sequence[torch.Generator],
    first_step: int,
) -> Begun:
    """Do what `begin` does if the requests have a mask."""
    shared, sees_mask = requests[0], model.info.sees_mask
    picture, mask = load_image(shared), load_mask(shared)
    pixels = to_tensor(picture)  # (1, 3, height, width), -1 to 1
    repainted = _mask_tensor(mask)  # (1, 1, height, width), 0 or 1
    clean: Tensor | None = None
    if shared.strength != 1 or not sees_mask:
        # Laid out anew as diffusers does here alone; sums round by the layout.
        clean = _encode(model, [pixels] * len(requests), generators).contiguous()
    noise = _noise(model, requests, generators)
    if shared.strength == 1:
        latents = _pure_noise(model, scheduler, noise)
    else:
        assert clean is not None
        latents = model.process.add_noise(scheduler, clean, torch.cat(noise).to(clean), first_step)
    # A network that does not see it goes on without, but schedulers draw their noise after it.
    rest = _encode(model, [pixels * (repainted < 0.5)] * len(requests), generators)
    small = interpolate(repainted, size=latents.shape[-2:]).to(rest)  # (1, 1, ...), as latents
    masked, inpainting = None, None
    if sees_mask:
        masked = MaskedImage(mask=small.repeat(len(requests), 1, 1, 1), latents=rest)
    else:
        assert clean is not None
        inpainting = Inpainting(mask=small, clean=clean, noise=torch.cat(noise).to(clean))
    return Begun(
        start=Start(latents=latents, first_step=first_step, inpainting=inpainting),
        noise=noise,
        clean=clean,
        picture=picture,
        mask=mask,
        masked=masked,
    )


def _encode(
    model: Model, pixels: Sequence[Tensor], generators: Sequence[torch.Generator]
) -> Tensor:
    """Return latents of one picture for each image, (images, channels, height, width)."""
    encoded = [model.encode_image(*each) for each in zip(pixels, generators, strict=True)]
    return torch.cat(encoded).to(model.info.latents_dtype)


def _noise(
    network: Stage, requests: Sequence[ResolvedRequest], generators: Sequence[torch.Generator]
) -> list[Tensor]:
    return [image_noise(network, *each) for each in zip(requests, generators, strict=True)]


def _pure_noise(network: Stage, scheduler: SchedulerMixin, noise: Sequence[Tensor]) -> Tensor:
    latents = torch.cat([*noise]).to(network.device, network.info.latents_dtype)
    return network.process.initial_latents(scheduler, latents)


def to_tensor(picture: Image.Image) -> Tensor:
    """Return the pixels of an RGB picture, (1, 3, height, width), -1 to 1, as diffusers does."""
    # Axes change places without a copy, as there: convolutions round by how pixels are laid out.
    levels = (np.asarray(picture, dtype=np.float32)[None] / 255.0).transpose(0, 3, 1, 2)
    return 2.0 * torch.from_numpy(levels) - 1.0


def _mask_tensor(mask: Image.Image) -> Tensor:
    """Return a mask as numbers, 1 where it is repainted and 0 elsewhere, (1, 1, height, width)."""
    levels = np.asarray(mask, dtype=np.float32)[None, ..., None] / 255.0
    return torch.from_numpy(levels.transpose(0, 3, 1, 2))
