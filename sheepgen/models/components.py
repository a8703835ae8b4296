"""What a model's weight files hold, component by component, as their headers say it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.models.files import list_files, weight_files
from sheepgen.models.gguf import GGUF_SUFFIX, read_gguf
from sheepgen.models.safetensors import read_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.safetensors import StoredTensor

__all__ = ["ComponentWeights", "component_weights", "stored_tensors"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ComponentWeights:
    """One component of a model.

    Args:
        name: Its name, as in ``unet``.
        class_name: As the model names it; empty if it does not.
        files: Those with its weights, within the model's folder; empty if it has none.
        parameters: How many numbers its weights are.
        size: What they take in the files, in bytes.
        dtypes: Their types, by the names of the safetensors format, those of most weights first.
    """

    name: str
    class_name: str
    files: tuple[str, ...]
    parameters: int
    size: int
    dtypes: tuple[str, ...]


def component_weights(checkpoint: Checkpoint) -> tuple[ComponentWeights, ...]:
    """Return what each component of a model holds; only headers are read.

    Raises:
        ModelError: If a header is damaged.
        OSError: If a file cannot be read.
    """
    return tuple(_read(checkpoint, name) for name in sorted(checkpoint.configs))


def _read(checkpoint: Checkpoint, name: str) -> ComponentWeights:
    files = _files(checkpoint, name)
    tensors = [tensor for _, tensor in stored_tensors(checkpoint, name)]
    numbers: dict[str, int] = {}
    for tensor in tensors:
        numbers[tensor.dtype] = numbers.get(tensor.dtype, 0) + math.prod(tensor.shape)
    config = checkpoint.configs[name]
    return ComponentWeights(
        name=name,
        class_name=checkpoint.classes.get(name) or str(config.get("_class_name", "")),
        files=files,
        parameters=sum(numbers.values()),
        size=sum(tensor.data_bytes for tensor in tensors),
        dtypes=tuple(sorted(numbers, key=lambda dtype: -numbers[dtype])),
    )


def _files(checkpoint: Checkpoint, name: str) -> tuple[str, ...]:
    if checkpoint.prefixes:
        return checkpoint.weights if name in checkpoint.prefixes else ()
    component = checkpoint.family.components[name]
    if component.weights is None:
        return ()
    if component.optional:  # it does not count for the model's hash
        found = weight_files(name, component, list_files(checkpoint.folder))
        return tuple(file for file in found if file.endswith(".safetensors"))
    return checkpoint.weights_of(name)


def stored_tensors(checkpoint: Checkpoint, name: str) -> Iterator[tuple[str, StoredTensor]]:
    """Yield what the files hold of a component, by the names of the weights; only headers are read.

    Raises:
        ModelError: If a header is damaged.
        OSError: If a file cannot be read.
    """
    prefix = checkpoint.prefixes.get(name, "")
    paths = [checkpoint.folder / file for file in _files(checkpoint, name)]
    if name == "transformer" and (replaced := checkpoint.transformer) is not None:
        paths, prefix = [replaced.path], replaced.prefix
    for path in paths:
        read = read_gguf if path.suffix.lower() == GGUF_SUFFIX else read_tensors
        for key, tensor in read(path).tensors.items():
            if key.startswith(prefix):
                yield key.removeprefix(prefix), tensor
