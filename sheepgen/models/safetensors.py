"""Weight files, checked before they are loaded.

A safetensors file is a header's length (8 bytes, little endian), the header (JSON: where each
tensor's bytes lie) and the bytes
(https://github.com/huggingface/safetensors#format). Its correct size follows from the header, so
that an incomplete download is found without reading gigabytes, and reported with its name and the
number of missing bytes, which the loading libraries do not do.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.json_file import parse_object, read_object
from sheepgen.sanitize import excerpt, plural
from sheepgen.untrusted_file import open_untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "FLOATS",
    "MAX_HEADER",
    "StoredTensor",
    "StoredTensors",
    "StoredWeights",
    "check_safetensors",
    "check_shards",
    "data_start",
    "read_tensors",
]

MAX_HEADER = 5_000_000
"""Largest header that is read, in bytes. Stable Diffusion's U-Net has one of 90 kB; the format
allows 100 MB, which take gigabytes of memory once they are parsed."""

_LENGTH = struct.Struct("<Q")
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04")
"""How files begin that `torch.save` wrote, whatever they are called."""

FLOATS = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
"""Types of weights that are loaded, by the format's names; others are those of quantised ones."""

_BITS: Mapping[str, int] = MappingProxyType(
    {
        **dict.fromkeys(("F64", "I64", "U64"), 64),
        **dict.fromkeys(("F32", "I32", "U32"), 32),
        **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
        **dict.fromkeys(("F8_E4M3", "F8_E5M2", "I8", "U8", "BOOL"), 8),
    }
)
_MOST_DIMENSIONS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredWeights:
    """How much a component's weight files hold; its config must not ask for more."""

    tensors: int
    data_bytes: int

    def __add__(self, other: StoredWeights) -> StoredWeights:
        return StoredWeights(
            tensors=self.tensors + other.tensors, data_bytes=self.data_bytes + other.data_bytes
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTensor:
    """What a header says of one tensor: its type, as in `FLOATS`, its shape, and what it takes."""

    dtype: str
    shape: tuple[int, ...]
    data_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTensors:
    """What one file holds: its tensors by name, and what is written about it."""

    tensors: Mapping[str, StoredTensor]
    metadata: Mapping[str, str]


def check_safetensors(path: Path) -> StoredWeights:
    """Check that a safetensors file is complete: not truncated, not too long, not a placeholder.

    Raises:
        ModelError: If it is not; the message has the file's name and the number of missing bytes.
        OSError: If it cannot be read or is not a regular file.
    """
    header, data_bytes = _read_header(path)
    return StoredWeights(tensors=len(header), data_bytes=data_bytes)


def data_start(path: Path) -> int:
    """Return where the tensors of a file begin that has been checked, in bytes.

    Raises:
        OSError: If it cannot be read or is not a regular file.
    """
    with open_untrusted(path) as file:
        (header_size,) = _LENGTH.unpack(file.read(_LENGTH.size))
    return _LENGTH.size + int(header_size)


def read_tensors(path: Path) -> StoredTensors:
    """Return what a file holds, as its header says it, checked as far as that goes without it.

    Raises:
        ModelError: As `check_safetensors`; also if a tensor is of an unknown type, its shape does
            not fit its bytes, or some bytes are of no tensor or of several.
        OSError: If it cannot be read or is not a regular file.
    """
    header, _ = _read_header(path)
    name = _short(path)
    metadata = header.pop("__metadata__", None)
    tensors = {key: _tensor(key, entry, name) for key, entry in header.items()}
    end = 0
    for first, last in sorted(entry["data_offsets"] for entry in header.values()):
        if first != end:
            raise _damaged(name, "its tensors overlap, or leave bytes between them")
        end = last
    return StoredTensors(
        tensors=tensors,
        metadata={key: value for key, value in metadata.items() if isinstance(value, str)}
        if isinstance(metadata, dict)
        else {},
    )


def _tensor(key: str, entry: object, name: str) -> StoredTensor:
    match entry:
        case {"dtype": str(dtype), "shape": list(sides), "data_offsets": [int(start), int(end)]}:
            is_shape = all(type(side) is int and side >= 0 for side in sides)
        case _:
            raise _damaged(name, f"{excerpt(key)} is not a tensor of a known type")
    if dtype not in _BITS or not is_shape or len(sides) > _MOST_DIMENSIONS:
        raise _damaged(name, f"{excerpt(key)} is not a tensor of a known type")
    data_bytes = math.prod(sides) * _BITS[dtype] // 8
    if not 0 <= start <= end or data_bytes != end - start:
        raise _damaged(name, f"the shape of {excerpt(key)} does not fit its bytes")
    return StoredTensor(dtype=dtype, shape=tuple(sides), data_bytes=data_bytes)


def _read_header(path: Path) -> tuple[dict[str, Any], int]:
    """Return a file's header and how many bytes follow it."""
    name = _short(path)
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
        if header_size > MAX_HEADER and start.startswith(_PICKLES):
            raise ModelError(
                f"{name} is a pickle, whatever it is called, and is not loaded.",
                "Pickles can run code when they are read. Convert it to safetensors where you "
                "trust it.",
            )
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
    tensors = parse_object(header, f"{name}'s header", unique_keys=True)
    data_bytes = _data_size(tensors)
    expected = _LENGTH.size + header_size + data_bytes
    if size < expected:
        raise _truncated(name, expected - size, at_least=False)
    if size > expected:
        raise ModelError(
            f"{name} is {size - expected:,} bytes longer than its header says.",
            "The file is damaged. Download it again.",
        )
    return tensors, data_bytes


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


def _short(path: Path) -> str:
    return excerpt("/".join(filter(None, (path.parent.name, path.name))), 120)


def _damaged(name: str, why: str) -> ModelError:
    return ModelError(
        f"{name} is damaged: {why}.",
        "Download it again; if that does not help, get it from another source.",
    )


def _truncated(name: str, missing: int, *, at_least: bool) -> ModelError:
    number = f"{'at least ' if at_least else ''}{plural(missing, 'byte')}"
    return ModelError(f"{name} is truncated ({number} missing).", "Download it again.")
