"""Weight files, checked before they are loaded.

A safetensors file is a header's length (8 bytes, little endian), the header (JSON: where each
tensor's bytes lie) and the bytes
(https://github.com/huggingface/safetensors#format). Its correct size follows from the header, so
that an incomplete download is found without reading gigabytes, and reported with its name and the
number of missing bytes, which the loading libraries do not do.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.configs import parse_object, read_object
from sheepgen.sanitize import excerpt, plural
from sheepgen.untrusted_file import open_untrusted

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_HEADER", "StoredWeights", "check_safetensors", "check_shards"]

MAX_HEADER = 5_000_000
"""Largest header that is read, in bytes. Stable Diffusion's U-Net has one of 90 kB; the format
allows 100 MB, which take gigabytes of memory once they are parsed."""

_LENGTH = struct.Struct("<Q")
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredWeights:
    """How much a component's weight files hold; its config must not ask for more."""

    tensors: int
    data_bytes: int

    def __add__(self, other: StoredWeights) -> StoredWeights:
        return StoredWeights(
            tensors=self.tensors + other.tensors, data_bytes=self.data_bytes + other.data_bytes
        )


def check_safetensors(path: Path) -> StoredWeights:
    """Check that a safetensors file is complete: not truncated, not too long, not a placeholder.

    Raises:
        ModelError: If it is not; the message has the file's name and the number of missing bytes.
        OSError: If it cannot be read or is not a regular file.
    """
    name = excerpt(f"{path.parent.name}/{path.name}", 120)
    size = path.stat().st_size
    with open_untrusted(path) as file:
        start = file.read(len(_LFS_POINTER))
        if start == _LFS_POINTER:
            raise ModelError(
                f"{name} is a Git LFS pointer, not the weights themselves.",
                "Run `git lfs pull` in the model's folder.",
            )
        if len(start) < _LENGTH.size:
            raise _truncated(name, _LENGTH.size - size, at_least=True)
        (header_size,) = _LENGTH.unpack_from(start)
        if header_size > MAX_HEADER:
            raise ModelError(
                f"{name} is not a safetensors file, or its header is larger than "
                f"{MAX_HEADER:,} bytes.",
                "Download it again, or convert the model.",
            )
        file.seek(_LENGTH.size)
        header = file.read(header_size)
    if len(header) < header_size:
        raise _truncated(name, header_size - len(header), at_least=True)
    tensors = parse_object(header, f"{name}'s header")
    data_bytes = _data_size(tensors)
    expected = _LENGTH.size + header_size + data_bytes
    if size < expected:
        raise _truncated(name, expected - size, at_least=False)
    if size > expected:
        raise ModelError(
            f"{name} is {size - expected:,} bytes longer than its header says.",
            "The file is damaged. Download it again.",
        )
    return StoredWeights(tensors=len(tensors), data_bytes=data_bytes)


def check_shards(index: Path, shards: set[str]) -> None:
    """Check that a shard index points the libraries to these files and to no others.

    Args:
        index: A ``*.safetensors.index.json``.
        shards: Names of the shards beside it.

    Raises:
        ModelError: If it names anything else, which could be outside the folder.
    """
    weight_map = read_object(index).get("weight_map")
    named = set(map(str, weight_map.values())) if isinstance(weight_map, dict) else set()
    if others := sorted(named - shards):
        raise ModelError(
            f"{excerpt(index.name)} points to a file that is not one of its shards: "
            f"{excerpt(others[0])}.",
            "The model is damaged or not trustworthy: get it from another source.",
        )
    if named != shards:
        raise ModelError(
            f"{excerpt(index.name)} does not name all shards in its folder.",
            "The model is damaged. Download it again.",
        )


def _data_size(header: dict[str, Any]) -> int:
    ends = [
        tensor["data_offsets"][1]
        for name, tensor in header.items()
        if name != "__metadata__" and _has_offsets(tensor)
    ]
    return max(ends, default=0)


def _has_offsets(tensor: object) -> bool:
    offsets = tensor.get("data_offsets") if isinstance(tensor, dict) else None
    return (
        isinstance(offsets, list) and len(offsets) == 2 and all(type(end) is int for end in offsets)
    )


def _truncated(name: str, missing: int, *, at_least: bool) -> ModelError:
    number = f"{'at least ' if at_least else ''}{plural(missing, 'byte')}"
    return ModelError(f"{name} is truncated ({number} missing).", "Download it again.")
