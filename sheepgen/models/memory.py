"""How much memory an image takes, as configs and the headers of weight files say it.

Weights are counted to the byte. What a component takes besides while it works is a bound: every
tensor was followed through one pass of the networks' classes at their real sizes, with an attention
that does not write its scores out. No weight is read and torch is not imported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sheepgen.models.components import stored_tensors
from sheepgen.models.quantization import method_of
from sheepgen.models.safetensors import FLOATS
from sheepgen.options import OFFLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import Offload

__all__ = [
    "RESERVE",
    "ComponentMemory",
    "MemoryPlan",
    "Role",
    "can_offload",
    "choose_offload",
    "component_memory",
    "decoder_numbers",
    "plan_memory",
]

Role = Literal["text encoder", "U-Net", "transformer", "autoencoder", "resident"]
"""What a component does; what is resident is small, and always on the device."""

_ITEM_BYTES: Mapping[str, int] = MappingProxyType({"fp32": 4, "bf16": 2, "fp16": 2})

_TEXT_ENCODER_ROWS = 10
"""Times a text encoder holds its widest row of numbers for each token, its layers' outputs among
them: 9.6 in T5-XXL, 8.7 in Qwen2.5-VL."""

_TRANSFORMER_ROWS = 6
"""Times a transformer holds its widest row for each token and patch: 3.5 in FLUX.1, 3.8 in
Qwen-Image, 4.1 in Stable Diffusion 3.5, 4.4 in Chroma, 5.4 in FLUX.2 klein, 5.9 in Z-Image."""

_UNET_MAPS = 16
"""Times a U-Net holds the channels of its first level, at the size of the latents: 15.9 in SDXL."""

_DECODER_MAPS = 6
"""Times a VAE's decoder holds the channels of its last level, at the size of the image."""

_FILM_DECODER_MAPS = 18
"""Likewise of Qwen-Image's, whose convolutions are padded in time: 18.0."""

RESERVE = 512 * 2**20
"""What is left free: libraries need room to work in, and memory comes in pieces."""


class _Weight(NamedTuple):
    """A weight as it is loaded.

    Args:
        layer: That it is of.
        numbers: How many there are in it.
        size: In bytes.
        width: Of the rows that it is multiplied with, if it is a matrix, else 0.
        is_float32: Whether it stays float32.
    """

    layer: str
    numbers: int
    size: int
    width: int
    is_float32: bool


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


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryPlan:
    """What images of one size take.

    Args:
        components: Those with weights, by name.
        needed: Most bytes that are on the device at the same time, by how components are kept off
            it.
    """

    components: tuple[ComponentMemory, ...]
    needed: Mapping[Offload, int]


def plan_memory(
    spec: ModelSpec, size: tuple[int, int], dtype: str, *, images: int = 1, guided: bool = True
) -> MemoryPlan:
    """Plan the memory of images that are generated together.

    Args:
        spec: The model.
        size: Width and height of the images, in pixels.
        dtype: Precision of the weights: ``fp32``, ``bf16`` or ``fp16``.
        images: How many there are.
        guided: Whether they are guided, if the model runs with and without the prompt then.

    Raises:
        ModelError: If a weight file's header is damaged.
        OSError: If a weight file cannot be read.
    """
    passes = 2 if guided and spec.guidance == "two passes" else 1
    components = component_memory(
        spec.checkpoint,
        dtype,
        pixels=math.prod(size),
        patches=math.prod(side // spec.size_multiple for side in size),
        tokens=spec.max_tokens,
        images=images * passes,
    )
    needed: dict[Offload, int] = {
        "none": sum(each.weight_bytes for each in components)
        + max((each.working_bytes for each in components), default=0),
        "model": _largest_stage(components, whole=True),
        "group": _largest_stage(components, whole=False),
    }
    return MemoryPlan(components=components, needed=MappingProxyType(needed))


def choose_offload(
    plan: MemoryPlan, free: int | None, *, among: Sequence[Offload] = OFFLOADS
) -> Offload:
    """Return the fastest way to keep components off a device that fits into its free memory.

    Args:
        plan: Of the images.
        free: Bytes that are free on the device; None if that is not known, which is taken as
            enough.
        among: The ways that there are, the fastest first.

    Returns:
        The last of them if none fits.
    """
    if free is None:
        return among[0]
    return next((each for each in among if plan.needed[each] + RESERVE <= free), among[-1])


def can_offload(spec: ModelSpec) -> bool:
    """Return whether a model's components can be off its device while others work.

    Quantised weights stay where they were loaded to, and diffusers' loops have their own ways.
    """
    configs = spec.checkpoint.configs.values()
    is_quantized = spec.adapters.transformer or any(map(method_of, configs))
    return spec.family.own_loop and spec.family.can_offload() and not is_quantized


def component_memory(
    checkpoint: Checkpoint,
    dtype: str,
    *,
    pixels: int = 0,
    patches: int = 0,
    tokens: int = 0,
    images: int = 1,
) -> tuple[ComponentMemory, ...]:
    """Return what each component of a model takes that has weights.

    Args:
        checkpoint: The model.
        dtype: As for `plan_memory`.
        pixels: Of one image.
        patches: Of one image, as a transformer sees it.
        tokens: Of one prompt.
        images: How many are denoised at once, those without the prompt among them; they are
            decoded one at a time.

    Raises:
        ModelError: If a weight file's header is damaged.
        OSError: If a weight file cannot be read.
    """
    found: list[ComponentMemory] = []
    for name in sorted(checkpoint.configs):
        weights = list(_loaded(checkpoint, name, dtype))
        if not weights:
            continue
        layers: dict[str, int] = {}
        for each in weights:
            layers[each.layer] = layers.get(each.layer, 0) + each.size
        widest = max(each.width for each in weights)
        role, config = _role(checkpoint, name), checkpoint.configs[name]
        is_float32 = all(each.is_float32 for each in weights)
        item_bytes = _ITEM_BYTES["fp32" if is_float32 else dtype]
        numbers = {
            "text encoder": _TEXT_ENCODER_ROWS * tokens * widest,
            "U-Net": _UNET_MAPS * images * _latents(checkpoint, pixels) * _first_channels(config),
            "transformer": _TRANSFORMER_ROWS * images * (patches + tokens) * widest,
            "autoencoder": decoder_numbers(config) * pixels,
            "resident": 0,
        }[role]
        found.append(
            ComponentMemory(
                name=name,
                role=role,
                parameters=sum(each.numbers for each in weights),
                weight_bytes=sum(layers.values()),
                layer_bytes=sum(sorted(layers.values())[-2:]),
                working_bytes=numbers * item_bytes,
            )
        )
    return tuple(found)


def decoder_numbers(config: Mapping[str, Any]) -> int:
    """Return how many numbers a VAE's decoder holds for each pixel.

    Args:
        config: Of the VAE.
    """
    if "base_dim" in config:
        return _FILM_DECODER_MAPS * int(config["base_dim"])
    channels = config.get("decoder_block_out_channels") or config.get("block_out_channels")
    return _DECODER_MAPS * int(channels[0] if channels else 128)


def _loaded(checkpoint: Checkpoint, name: str, dtype: str) -> Iterator[_Weight]:
    component, config = checkpoint.family.components[name], checkpoint.configs[name]
    class_name = checkpoint.classes.get(name, "")
    for key, tensor in stored_tensors(checkpoint, name):
        if component.leaves_out(key):
            continue
        is_float32 = component.keeps_float32(dtype, class_name, config, key)
        item_bytes = _ITEM_BYTES["fp32" if is_float32 else dtype]
        numbers = math.prod(tensor.shape)
        is_loaded_as_stored = tensor.dtype not in FLOATS or method_of(config) is not None
        yield _Weight(
            layer=key.rpartition(".")[0],
            numbers=numbers,
            size=tensor.data_bytes if is_loaded_as_stored else numbers * item_bytes,
            width=tensor.shape[1] if len(tensor.shape) == 2 else 0,
            is_float32=is_float32,
        )


def _role(checkpoint: Checkpoint, name: str) -> Role:
    library = checkpoint.family.components[name].library
    class_name = checkpoint.classes.get(name, "")
    if library == "transformers":
        return "text encoder"
    if library != "diffusers":
        return "resident"
    if class_name.startswith(("Autoencoder", "VQModel")):
        return "autoencoder"
    return "U-Net" if class_name.startswith("UNet") else "transformer"


def _largest_stage(components: Sequence[ComponentMemory], *, whole: bool) -> int:
    """Return what is on the device at most if text encoders, denoiser and VAE take turns.

    Args:
        components: Of the model.
        whole: Whether they are there as a whole, or but for the VAE, which is small, by layers.
    """
    resident = sum(each.weight_bytes for each in components if each.role == "resident")
    weights: dict[Role, int] = {}
    working: dict[Role, int] = {}
    for each in components:
        if whole or each.role == "autoencoder":
            weights[each.role] = weights.get(each.role, 0) + each.weight_bytes
        else:
            weights[each.role] = max(weights.get(each.role, 0), each.layer_bytes)
        working[each.role] = max(working.get(each.role, 0), each.working_bytes)
    return resident + max(
        (weights[role] + working[role] for role in weights if role != "resident"), default=0
    )


def _latents(checkpoint: Checkpoint, pixels: int) -> int:
    """Return how many places the latents of an image have."""
    levels = [
        len(checkpoint.configs[name].get("block_out_channels", ()))
        for name in checkpoint.configs
        if _role(checkpoint, name) == "autoencoder"
    ]
    return pixels // 4 ** (levels[0] - 1) if levels and levels[0] else pixels


def _first_channels(config: Mapping[str, Any]) -> int:
    channels = config.get("block_out_channels") or [320]
    return int(channels[0])
