"""Final latents become an image: as a whole, or in tiles where there is not the memory for that.

Tiles overlap and are blended, and their pixels are not quite those of the whole. So an image's
record says whether it was decoded in tiles.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from diffusers import AutoencoderKL, AutoencoderKLFlux2

from sheepgen.errors import ran_out_of_memory
from sheepgen.models.component_memory import TILE_SIDE, decoder_numbers
from sheepgen.models.memory import RESERVE
from sheepgen.pipeline.device import free_memory
from sheepgen.pipeline.frames import decode_pixels
from sheepgen.pipeline.offload import components_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from sheepgen.pipeline.family import LoadedModel
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["DecodedImage", "ImageDecoder", "first_tiled", "in_tiles"]

_T = TypeVar("_T")


class DecodedImage(NamedTuple):
    """An image.

    Args:
        pixels: (1, 3, height, width), 0 to 1, float32, on the CPU.
        tiled: Whether they were decoded in tiles.
    """

    pixels: Tensor
    tiled: bool


def first_tiled(passes: Sequence[DecodedImage]) -> int:
    """Return the first pass whose image was decoded in tiles, from 1; 0 if none was."""
    return next((number for number, each in enumerate(passes, start=1) if each.tiled), 0)


class ImageDecoder:
    """Decodes the images of a run.

    Args:
        model: Loaded.
        tiled_from: The first pass, from 1, whose image is decoded in tiles, as all after it are; 0
            for none. With None they are if there is not enough memory to decode them whole, or
            that turns out when it is tried.
    """

    def __init__(self, model: LoadedModel, tiled_from: int | None) -> None:
        self._model = model
        self._tiled_from = tiled_from
        self._is_short = False

    def decode(self, latents: Tensor, request: ResolvedRequest, number: int) -> DecodedImage:
        """Decode one image.

        Args:
            latents: Of the image, (1, channels, height, width).
            request: Of the pass's size.
            number: Of the pass, from 1.

        Raises:
            NonFiniteError: If they are not finite.
        """
        return DecodedImage(
            *self.call(partial(decode_pixels, self._model, latents), request, number)
        )

    def call(
        self, decode: Callable[[], _T], request: ResolvedRequest, number: int = 1
    ) -> tuple[_T, bool]:
        """Call what decodes one image, and return what it returns and whether that was in tiles.

        Args:
            decode: Called again, with the VAE in tiles, if it runs out of memory.
            request: Of the pass's size.
            number: Of the pass, from 1.
        """
        vae = _tiling_vae(self._model)
        if vae is None or max(request.width, request.height) <= _tile(vae):
            return decode(), False
        if self._tiled_from is not None:
            tiled = 0 < self._tiled_from <= number
        else:
            tiled = self._is_short or self._lacks_memory(vae, request)
        if not tiled:
            try:
                return decode(), False
            except Exception as error:
                if self._tiled_from is not None or not ran_out_of_memory(error):
                    raise
            self._is_short = True
        # After the handler, whose error would keep what was computed so far.
        with in_tiles(self._model, tiled=True):
            return decode(), True

    def _lacks_memory(self, vae: Any, request: ResolvedRequest) -> bool:  # noqa: ANN401 - of several classes
        """Return whether memory is too little to decode an image whole, as far as is known."""
        if self._model.placement is not None:
            self._model.placement.bring(())
        needed = decoder_numbers(vae.config) * request.width * request.height * vae.dtype.itemsize
        free = free_memory(self._model.device)
        return free is not None and needed + RESERVE > free


@contextmanager
def in_tiles(model: LoadedModel, *, tiled: bool) -> Iterator[None]:
    """Let a model decode in tiles that overlap; without ``tiled`` nothing changes.

    Args:
        model: Its VAE must be able to.
        tiled: Whether it does.
    """
    vae = _tiling_vae(model) if tiled else None
    if vae is None:
        yield
        return
    if isinstance(vae, AutoencoderKL | AutoencoderKLFlux2):
        vae.tile_sample_min_size = _tile(vae)
        levels = len(vae.config.block_out_channels)
        vae.tile_latent_min_size = vae.tile_sample_min_size // 2 ** (levels - 1)
    vae.enable_tiling()
    try:
        yield
    finally:
        vae.disable_tiling()


def _tiling_vae(model: LoadedModel) -> Any:  # noqa: ANN401 - of several classes
    """Return the model's VAE, or None if it has none that can decode in tiles."""
    networks = components_of(model).values()
    return next((network for network in networks if hasattr(network, "use_tiling")), None)


def _tile(vae: Any) -> int:  # noqa: ANN401 - as above
    """Return the longest side of a tile, in pixels."""
    if isinstance(vae, AutoencoderKL | AutoencoderKLFlux2):
        size = vae.config.sample_size
        return min(TILE_SIDE, *map(int, size if isinstance(size, list | tuple) else [size]))
    own = getattr(vae, "tile_sample_min_height", None) or getattr(vae, "tile_sample_min_size", None)
    return int(own or TILE_SIDE)
