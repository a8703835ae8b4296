"""The names of transformers' layers in their makers' code, and the weights of files that have them.

Where a layer there does the work of several in diffusers (queries, keys and values, say), the rows
of its weight are theirs, one after another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

from sheepgen.pipeline.original_blocks import ORIGINAL_BLOCKS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import Any

    from torch import Tensor

    from sheepgen.pipeline.original_blocks import Block

__all__ = ["SHIFT_FIRST", "convert_transformer", "original_layers"]

SHIFT_FIRST = ("norm_out.linear", "norm1_context.linear")
"""How the names of layers end that give a shift and then a scale there, and in diffusers a scale
and then a shift, if they give nothing else."""

_CONVERTED_HERE = (
    "Lumina2Transformer2DModel",
    "PixArtTransformer2DModel",
    "SanaTransformer2DModel",
)
"""Classes for which diffusers has no converter, or one for some sizes or versions alone."""

_NOT_IN_DIFFUSERS = {"norm_final.weight", "pos_embed", "y_embedder.y_embedding"}
"""Weights of those that nothing reads, or that are computed."""


def original_layers(class_name: str, layers: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return the layers of a network by their names in its makers' code.

    Args:
        class_name: Of diffusers.
        layers: Names of the layers that there are, and of norms and tables, if they are asked for.

    Returns:
        For each name the layers whose weights it has, in their order; nothing for a network whose
        names in diffusers are the makers'.
    """
    known = {*layers}
    return {
        start + original: names
        for block in ORIGINAL_BLOCKS.get(class_name, ())
        for start, own in _beginnings(block, layers)
        for original, ends in block.layers.items()
        if {*(names := tuple(own + end for end in ends))} <= known
    }


def convert_transformer(
    weights: Mapping[str, Tensor],
    class_name: str,
    own: Mapping[str, Tensor],
    config: Mapping[str, Any],
) -> dict[str, Tensor]:
    """Return weights that are named as in their makers' code, as diffusers names them.

    Args:
        weights: Of one file.
        class_name: Of diffusers.
        own: Weights of that class, for their shapes.
        config: What it was built from.
    """
    if class_name not in _CONVERTED_HERE:
        convert = SINGLE_FILE_LOADABLE_CLASSES[class_name]["checkpoint_mapping_fn"]
        by_diffusers: dict[str, Tensor] = convert(checkpoint=dict(weights), config=config)
        return by_diffusers
    known = original_layers(class_name, {_layer(name) for name in own})
    converted: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if name in _NOT_IN_DIFFUSERS:
            continue
        kind = name.removeprefix(_layer(name))
        names = [layer + kind for layer in known.get(_layer(name), (_layer(name),))]
        if len(names) == 1 or not {*names} <= own.keys():
            converted[names[0]] = weight
        else:
            rows = torch.split(weight, [len(own[each]) for each in names])
            converted |= dict(zip(names, rows, strict=True))
    return converted


def _layer(name: str) -> str:
    """Return the layer that a weight is of, or its own name."""
    return name.removesuffix(".weight").removesuffix(".bias")


def _beginnings(block: Block, layers: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield how names begin in each block, in the makers' code and in diffusers."""
    if not block.name:
        yield "", ""
        return
    numbers = {
        layer.removeprefix(f"{block.name}.").partition(".")[0]
        for layer in layers
        if layer.startswith(f"{block.name}.")
    }
    yield from (
        (f"{block.original}.{number}.", f"{block.name}.{number}.") for number in sorted(numbers)
    )
