"""How much memory images take on a device, and how a model fits there.

A model's components are its own, those that a request puts in their place, and those of the stages
that it adds. No weight is read and torch is not imported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from sheepgen.models.added.prior import prior_of
from sheepgen.models.added.transformer import with_transformer
from sheepgen.models.added.upscaler import find_upscaler
from sheepgen.models.added.vae import find_vae, vae_checkpoint
from sheepgen.models.component_memory import UNTILED, Work, component_memory, total_bytes
from sheepgen.models.quantization import method_of
from sheepgen.options import OFFLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sheepgen.models.component_memory import ComponentMemory, LoadedWeight
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import Offload

__all__ = ["RESERVE", "MemoryPlan", "can_tile", "choose_offload", "plan_memory", "why_not_offload"]

RESERVE = 512 * 2**20
"""What is left free: libraries need room to work in, and memory comes in pieces."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryPlan:
    """What images of one size take.

    Args:
        components: Those with weights, by name; those of other stages have the stage's name in
            front.
        needed: Most bytes that are on the device at the same time, by how components are kept off
            it.
    """

    components: tuple[ComponentMemory, ...]
    needed: Mapping[Offload, int]


def plan_memory(
    spec: ModelSpec,
    size: tuple[int, int],
    dtype: str,
    *,
    images: int = 1,
    guided: bool = True,
    tiled: bool = False,
    replaced: Mapping[str, Sequence[LoadedWeight]] = MappingProxyType({}),
) -> MemoryPlan:
    """Plan the memory of images that are generated together.

    LoRAs take nothing: they become part of the weights. Text embeddings are a few rows, and are
    not counted.

    Args:
        spec: The model, with its adapters.
        size: Width and height of the images, in pixels; of an upscaler's before it.
        dtype: Precision of the weights: ``fp32``, ``bf16`` or ``fp16``.
        images: How many there are.
        guided: Whether they are guided, if the model runs with and without the prompt then.
        tiled: Whether they are decoded in tiles.
        replaced: Weights of components that are loaded otherwise than the files say.

    Raises:
        ModelError: If a weight file's header is damaged, or what is added does not fit.
        OSError: If a weight file cannot be read.
    """
    passes = 2 if guided and spec.guidance == "two passes" else 1
    work = Work(
        pixels=math.prod(size),
        patches=math.prod(side // spec.size_multiple for side in size),
        tokens=spec.max_tokens,
        images=images * passes,
        tiled=tiled,
    )
    components = tuple(_components(spec, dtype, work, replaced))
    seen = [
        each.weight_bytes + each.working_bytes
        for each in components
        if each.role == "image encoder"
    ]
    whole = total_bytes(components) + max((each.working_bytes for each in components), default=0)
    needed: dict[Offload, int] = {
        "none": whole,
        "model": _largest_stage(components, whole=True),
        "group": _largest_stage(components, whole=False),
    }
    return MemoryPlan(
        components=components,
        needed=MappingProxyType({way: max(bytes_, *seen, 0) for way, bytes_ in needed.items()}),
    )


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


def why_not_offload(spec: ModelSpec) -> str:
    """Return why a model's components cannot be off its device while others work; empty if so."""
    for name, config in spec.checkpoint.configs.items():
        if (method := method_of(config)) is not None:
            return f"the weights of its {name} are quantised by {method} and are not moved"
    if spec.family.own_loop and not spec.family.can_offload():
        return "it is small"
    return ""


def can_tile(spec: ModelSpec) -> bool:
    """Return whether a model has an autoencoder that can decode in tiles."""
    classes = spec.checkpoint.classes
    return any(
        component.role == "autoencoder" and classes.get(name) not in UNTILED
        for name, component in spec.family.components.items()
    )


def _components(
    spec: ModelSpec, dtype: str, work: Work, replaced: Mapping[str, Sequence[LoadedWeight]]
) -> Iterator[ComponentMemory]:
    """Yield what each component takes, the model's own first."""
    adapters = spec.adapters
    checkpoint = with_transformer(spec.checkpoint, adapters.transformer)
    own = component_memory(checkpoint, dtype, work, replaced=replaced)
    yield from (each for each in own if each.name != "vae" or not adapters.vae)
    if adapters.vae:
        vae = vae_checkpoint(find_vae(adapters.vae, checkpoint), checkpoint)
        yield from component_memory(vae, dtype, work)
    if adapters.prior:
        prior = prior_of(adapters.prior, checkpoint).checkpoint
        yield from _of_stage("prior", component_memory(prior, dtype, work))
    if adapters.upscaler:
        upscaler = find_upscaler(adapters.upscaler, checkpoint)
        scale = upscaler.configs["unet"]["sample_size"] // checkpoint.configs["unet"]["sample_size"]
        larger = work._replace(pixels=work.pixels * scale**2)
        yield from _of_stage("upscaler", component_memory(upscaler, dtype, larger))


def _of_stage(stage: str, components: Sequence[ComponentMemory]) -> Iterator[ComponentMemory]:
    return (replace(each, name=f"{stage}_{each.name}") for each in components)


def _largest_stage(components: Sequence[ComponentMemory], *, whole: bool) -> int:
    """Return what is on the device at most if its text encoders and the others take turns.

    Args:
        components: Of the model.
        whole: Whether they are there as a whole, or but for the VAE, which is small, by layers.
    """
    resident = sum(each.weight_bytes for each in components if each.role == "resident")
    weights: dict[str, int] = {}
    working: dict[str, int] = {}
    for each in components:
        if each.role in ("resident", "image encoder"):
            continue
        turn = each.role if each.role == "text encoder" else each.name
        if whole or each.role == "autoencoder":
            weights[turn] = weights.get(turn, 0) + each.weight_bytes
        else:
            weights[turn] = max(weights.get(turn, 0), each.layer_bytes)
        working[turn] = max(working.get(turn, 0), each.working_bytes)
    return resident + max((weights[turn] + working[turn] for turn in weights), default=0)
