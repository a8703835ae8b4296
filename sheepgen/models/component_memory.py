"""What the components of a model take of a device's memory, as configs and headers of files say it.

Weights are counted to the byte. What a component takes besides while it works is a bound: every
tensor was followed through one pass of the networks' classes at their real sizes, with an attention
that does not write its scores out. No weight is read and torch is not imported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from sheepgen.models.components import stored_tensors
from sheepgen.models.quantization import QUANTIZATION, method_of
from sheepgen.models.safetensors import FLOATS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.family import Role

__all__ = [
    "ITEM_BYTES",
    "TILE_SIDE",
    "UNTILED",
    "ComponentMemory",
    "LoadedWeight",
    "Work",
    "component_memory",
    "decoder_numbers",
    "total_bytes",
]

ITEM_BYTES: Mapping[str, int] = MappingProxyType({"fp32": 4, "bf16": 2, "fp16": 2})
"""Of a number, by the precision."""

_TEXT_ENCODER_ROWS = 10
"""Times a text encoder holds its widest row of numbers for each token, its layers' outputs among
them: 9.6 in T5-XXL, 8.7 in Qwen2.5-VL."""

_TRANSFORMER_ROWS = 6
"""Times a transformer holds its widest row for each token and patch: 3.5 in FLUX.1, 3.8 in
Qwen-Image, 4.1 in Stable Diffusion 3.5, 4.4 in Chroma, 5.4 in FLUX.2 klein, 5.9 in Z-Image."""

_UNET_MAPS = 16
"""Times a U-Net holds the channels of its first level, at the size of the latents: 15.9 in SDXL."""

_CASCADE_MAPS = 19
"""Times a network of a cascade holds the channels of its first level for each place: 17.9 in both
decoders, 18.3 in Stable Cascade's prior and 18.0 in Wuerstchen's."""

_CASCADE_SIDE = 42
"""Pixels that a place of a cascade's prior is wide: 42.67, and less where sides are rounded up."""

_DECODER_MAPS = 6
"""Times a VAE's decoder holds the channels of its last level, at the size of the image."""

_SPATIAL_DECODER_MAPS = 11
"""Likewise of Kandinsky's, which sees the latents at every level: 10.0."""

_PAELLA_DECODER_MAPS = 3
"""Likewise of the decoders of cascades: 2.8."""

_FILM_DECODER_MAPS = 18
"""Likewise of Qwen-Image's, whose convolutions are padded in time: 18.0."""

_EMBEDDINGS_OF_A_PRIOR = 4
"""That a prior sees beside the prompt's tokens: of the whole prompt, the time, the noisy picture,
and one that stands for the answer."""

TILE_SIDE = 512
"""Longest side of a tile, in pixels. VAEs say as theirs the size that they were trained at, which
for the newer ones is 1024, and so they would save nothing."""

_MOST_LEVELS = 16

UNTILED = ("PaellaVQModel", "VQModel")
"""Classes of autoencoders that cannot decode in tiles."""

_COLOURS = 3

_GGUF_NUMBER_BYTES = 8
"""Taken at most for each number of the weight that is being turned into numbers again."""


class LoadedWeight(NamedTuple):
    """A weight as it is loaded.

    Args:
        layer: That it is of.
        numbers: How many there are in it.
        size: In bytes.
        width: Of the rows that it is multiplied with, if it is a matrix, else 0.
        is_float32: Whether it stays float32.
        unpacked_bytes: What it takes besides while it is used, if it is kept in fewer bits than are
            computed with.
    """

    layer: str
    numbers: int
    size: int
    width: int
    is_float32: bool
    unpacked_bytes: int = 0


class Work(NamedTuple):
    """What components work on at once.

    Args:
        pixels: Of one image.
        patches: Of one image, as a transformer sees it.
        tokens: Of one prompt.
        images: How many are denoised, those without the prompt among them; they are decoded one at
            a time.
        tiled: Whether they are decoded in tiles.
    """

    pixels: int = 0
    patches: int = 0
    tokens: int = 0
    images: int = 1
    tiled: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ComponentMemory:
    """What one component takes.

    Args:
        name: As in ``unet``.
        role: What it does.
        parameters: Numbers that are loaded.
        weight_bytes: What they take at the precision that they are loaded at.
        layer_bytes: What its two largest layers take: one that works, and one that comes next.
        working_bytes: What it takes besides its weights while it works.
    """

    name: str
    role: Role
    parameters: int
    weight_bytes: int
    layer_bytes: int
    working_bytes: int


def component_memory(
    checkpoint: Checkpoint,
    dtype: str,
    work: Work = Work(),  # noqa: B008 - it is immutable
    *,
    replaced: Mapping[str, Sequence[LoadedWeight]] = MappingProxyType({}),
) -> tuple[ComponentMemory, ...]:
    """Return what each component of a model takes that has weights.

    Args:
        checkpoint: The model.
        dtype: Precision of the weights: ``fp32``, ``bf16`` or ``fp16``.
        work: What they work on.
        replaced: Weights of components that are loaded otherwise than the files say.

    Raises:
        ModelError: If a weight file's header is damaged.
        OSError: If a weight file cannot be read.
    """
    found: list[ComponentMemory] = []
    for name in sorted(checkpoint.configs):
        weights = replaced.get(name) or list(_loaded(checkpoint, name, dtype))
        if weights:
            found.append(_component(checkpoint, name, dtype, weights, work))
    return tuple(found)


def total_bytes(components: Sequence[ComponentMemory]) -> int:
    """Return what the weights of components take together once the model is loaded."""
    return sum(each.weight_bytes for each in components if each.role != "image encoder")


def decoder_numbers(config: Mapping[str, Any]) -> int:
    """Return how many numbers a VAE's decoder holds for each pixel.

    Args:
        config: Of the VAE.
    """
    if "base_dim" in config:
        return _FILM_DECODER_MAPS * int(config["base_dim"])
    if "levels" in config:
        return _PAELLA_DECODER_MAPS * (_number(config, "embed_dim") >> _levels(config) - 1)
    channels = config.get("decoder_block_out_channels") or config.get("block_out_channels")
    maps = _SPATIAL_DECODER_MAPS if config.get("norm_type") == "spatial" else _DECODER_MAPS
    return maps * int(channels[0] if channels else 128)


def _component(
    checkpoint: Checkpoint, name: str, dtype: str, weights: Sequence[LoadedWeight], work: Work
) -> ComponentMemory:
    layers: dict[str, int] = {}
    for each in weights:
        layers[each.layer] = layers.get(each.layer, 0) + each.size
    widest = max(each.width for each in weights)
    role, config = checkpoint.family.components[name].role, checkpoint.configs[name]
    assert role is not None, "it has weights"
    images, latents, channels = work.images, _latents(checkpoint, work), _first_channels(config)
    of_prior = 2 * images  # of a negative prompt, too
    patches = latents // _number(config, "patch_size") ** 2 if role == "cascade decoder" else 0
    numbers = {
        "text encoder": _TEXT_ENCODER_ROWS * work.tokens * widest,
        "image encoder": 0,
        "prior": _TRANSFORMER_ROWS * of_prior * (_EMBEDDINGS_OF_A_PRIOR + work.tokens) * widest,
        "cascade prior": of_prior * _cascade_prior(config, work),
        "cascade decoder": _CASCADE_MAPS * images * patches * channels,
        "U-Net": _UNET_MAPS * images * latents * channels,
        "transformer": _TRANSFORMER_ROWS * images * (work.patches + work.tokens) * widest,
        "autoencoder": _decoded(checkpoint, name, work),
        "resident": 0,
    }[role]
    is_float32 = all(each.is_float32 for each in weights)
    return ComponentMemory(
        name=name,
        role=role,
        parameters=sum(each.numbers for each in weights),
        weight_bytes=sum(layers.values()),
        layer_bytes=sum(sorted(layers.values())[-2:]),
        working_bytes=numbers * ITEM_BYTES["fp32" if is_float32 else dtype]
        + max(each.unpacked_bytes for each in weights),
    )


def _loaded(checkpoint: Checkpoint, name: str, dtype: str) -> Iterator[LoadedWeight]:
    component, config = checkpoint.family.components[name], checkpoint.configs[name]
    class_name = checkpoint.classes.get(name, "")
    file = checkpoint.transformer if name == "transformer" else None
    is_gguf, is_quantised = file is not None and file.is_gguf, method_of(config) is not None
    for key, tensor in stored_tensors(checkpoint, name):
        if component.leaves_out(key):
            continue
        is_float32 = component.keeps_float32(dtype, class_name, config, key) and not is_gguf
        item_bytes = ITEM_BYTES["fp32" if is_float32 else dtype]
        numbers, width = math.prod(tensor.shape), 0
        is_weight = key.endswith(".weight")
        if len(tensor.shape) == 2:
            width = tensor.shape[1]
        elif is_quantised and len(tensor.shape) == 1:
            width = tensor.shape[0]  # matrices have lost their shape
        if is_gguf:
            # What is multiplied with stays as it is; all else is turned into numbers.
            is_packed = tensor.dtype not in FLOATS - {"BF16"} and is_weight and width > 0
        else:
            is_packed = tensor.dtype not in FLOATS or (
                is_quantised and not key.endswith((".weight", ".bias"))
            )
        if is_quantised and tensor.dtype == "U8" and _is_4_bit(config):
            numbers *= 2
        unpacked = 0
        if is_packed and is_weight:
            unpacked = numbers * (_GGUF_NUMBER_BYTES if is_gguf else item_bytes)
        yield LoadedWeight(
            layer=key.rpartition(".")[0],
            numbers=numbers,
            size=tensor.data_bytes if is_packed else numbers * item_bytes,
            width=width,
            is_float32=is_float32,
            unpacked_bytes=unpacked,
        )


def _decoded(checkpoint: Checkpoint, name: str, work: Work) -> int:
    """Return how many numbers are held while an image is decoded."""
    numbers = decoder_numbers(checkpoint.configs[name])
    class_name = checkpoint.classes.get(name, "")
    if not work.tiled or class_name in ("AutoencoderTiny", *UNTILED) or work.pixels <= TILE_SIDE**2:
        return numbers * work.pixels
    return numbers * TILE_SIDE**2 + 2 * _COLOURS * work.pixels  # the tiles, and the image of them


def _is_4_bit(config: Mapping[str, Any]) -> bool:
    return bool(config[QUANTIZATION].get("load_in_4bit"))


def _latents(checkpoint: Checkpoint, work: Work) -> int:
    """Return how many places the latents of an image have, or its pixels if it has none."""
    for name, component in checkpoint.family.components.items():
        config = checkpoint.configs.get(name)
        if component.role == "autoencoder" and config is not None:
            if "levels" in config:
                return work.pixels >> 2 * _levels(config)
            if blocks := config.get("block_out_channels"):
                return work.pixels >> 2 * (len(blocks) - 1)
    return work.pixels


def _cascade_prior(config: Mapping[str, Any], work: Work) -> int:
    """Return how many numbers a cascade's prior holds for one image."""
    places = work.pixels // _CASCADE_SIDE**2
    numbers = _CASCADE_MAPS * (places + work.tokens) * _first_channels(config)
    if "nhead" in config:  # Wuerstchen's writes its scores out, before and after the softmax
        numbers += 2 * _number(config, "nhead") * places * (places + work.tokens)
    return numbers


def _first_channels(config: Mapping[str, Any]) -> int:
    channels = config.get("block_out_channels") or config.get("c_hidden")
    return int(channels[0]) if channels else _number(config, "c", 320)


def _levels(config: Mapping[str, Any]) -> int:
    return min(_number(config, "levels"), _MOST_LEVELS)


def _number(config: Mapping[str, Any], name: str, default: int = 1) -> int:
    """Return a setting, or the default for what is refused when the network is built."""
    value = config.get(name)
    return value if isinstance(value, int) and value > 0 else default
