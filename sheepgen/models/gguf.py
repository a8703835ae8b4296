"""GGUF files, checked before they are loaded (https://github.com/ggml-org/ggml, ``docs/gguf.md``).

A header says what is written about the file and where each tensor's bytes lie; it is read here as
`sheepgen.models.safetensors` reads the other format's. A quantised tensor is stored in blocks of as
many numbers, each of as many bytes, as its type has.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from sheepgen.errors import ModelError
from sheepgen.models.safetensors import MAX_HEADER, StoredTensor, StoredTensors
from sheepgen.sanitize import excerpt, plural
from sheepgen.untrusted_file import open_untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["GGUF_SUFFIX", "GGUF_TYPES", "GgufType", "read_gguf"]

GGUF_SUFFIX = ".gguf"

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_TENSORS = 20_000
_MOST_FIELDS = 1_000
_MOST_DIMENSIONS = 4
_MOST_CHARACTERS = 300
"""Of a tensor's name."""

_ALIGNMENT = "general.alignment"
_USUAL_ALIGNMENT, _MAX_ALIGNMENT = 32, 2**16


class GgufType(NamedTuple):
    """A type of numbers: its name, and how many there are in a block of how many bytes."""

    name: str
    numbers: int
    size: int


GGUF_TYPES: Mapping[int, GgufType] = MappingProxyType(
    {
        0: GgufType("F32", 1, 4),
        1: GgufType("F16", 1, 2),
        2: GgufType("Q4_0", 32, 18),
        3: GgufType("Q4_1", 32, 20),
        6: GgufType("Q5_0", 32, 22),
        7: GgufType("Q5_1", 32, 24),
        8: GgufType("Q8_0", 32, 34),
        10: GgufType("Q2_K", 256, 84),
        11: GgufType("Q3_K", 256, 110),
        12: GgufType("Q4_K", 256, 144),
        13: GgufType("Q5_K", 256, 176),
        14: GgufType("Q6_K", 256, 210),
        20: GgufType("IQ4_NL", 32, 18),
        23: GgufType("IQ4_XS", 256, 136),
        30: GgufType("BF16", 1, 2),
    }
)
"""The types that diffusers reads, by their number in the format
(``SUPPORTED_GGUF_QUANT_TYPES`` in its ``quantizers/gguf/utils.py``)."""

_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of what is written about a file, by the number of its type."""

_UINT32, _STRING, _LIST = 4, 8, 9


@dataclass(slots=True)
class _Header:
    """The beginning of a file, read from left to right.

    Args:
        content: Its bytes.
        name: What the file is called in messages.
        place: How many bytes have been read.
    """

    content: bytes
    name: str
    place: int = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        end = self.place + size
        if end > len(self.content):
            if len(self.content) == MAX_HEADER:
                raise _damaged(self.name, f"its header is larger than {MAX_HEADER:,} bytes")
            missing = plural(end - len(self.content), "byte")
            raise ModelError(
                f"{self.name} is truncated (at least {missing} missing).", "Download it again."
            )
        taken, self.place = self.content[self.place : end], end
        return taken

    def uint32(self) -> int:
        """Return the next number of four bytes."""
        return int.from_bytes(self.take(4), "little")

    def uint64(self) -> int:
        """Return the next number of eight bytes."""
        return int.from_bytes(self.take(8), "little")

    def text(self) -> str:
        """Return the next text, whose length comes before it."""
        try:
            return self.take(self.uint64()).decode()
        except UnicodeDecodeError as error:
            raise _damaged(self.name, "a name in it is not UTF-8") from error

    def skip_value(self, kind: int) -> None:
        """Pass over what is written about the file."""
        if kind == _STRING:
            self.text()
        elif kind in _SCALARS:
            self.take(_SCALARS[kind])
        elif kind == _LIST:
            item, length = self.uint32(), self.uint64()
            if item in _SCALARS:
                self.take(_SCALARS[item] * length)
            elif item == _STRING and length <= MAX_HEADER:
                for _ in range(length):
                    self.text()
            else:
                raise _damaged(self.name, "a list in it is of an unknown type")
        else:
            raise _damaged(self.name, "something in it is of an unknown type")


def read_gguf(path: Path) -> StoredTensors:
    """Return what a GGUF file holds, as its header says it, checked as far as that goes without it.

    Shapes are in torch's order. What is written about the file is passed over.

    Raises:
        ModelError: If it is not a GGUF file of a known version, is truncated or damaged, a tensor
            is of a type that is not loaded, or some bytes are of several tensors.
        OSError: If it cannot be read or is not a regular file.
    """
    name = excerpt("/".join(filter(None, (path.parent.name, path.name))), 120)
    size = path.stat().st_size
    with open_untrusted(path) as file:
        header = _Header(file.read(MAX_HEADER), name)
    if header.content[: len(_MAGIC)] != _MAGIC:
        raise ModelError(f"{name} is not a GGUF file.", "Download it again.")
    header.take(len(_MAGIC))
    if (version := header.uint32()) not in _VERSIONS:
        raise ModelError(
            f"{name} is a GGUF file of version {version}, which is not supported.",
            f"Supported: {', '.join(map(str, _VERSIONS))}, with the lowest byte first.",
        )
    tensor_count, field_count = header.uint64(), header.uint64()
    if tensor_count > _MOST_TENSORS or field_count > _MOST_FIELDS:
        raise _damaged(name, f"it has {tensor_count:,} tensors and {field_count:,} fields")
    alignment = _read_fields(header, field_count)
    tensors, end = _read_tensors(header, tensor_count, alignment)
    missing = -(-header.place // alignment) * alignment + end - size
    if missing > 0:
        raise ModelError(
            f"{name} is truncated ({plural(missing, 'byte')} missing).", "Download it again."
        )
    return StoredTensors(tensors=tensors, metadata={})


def _read_fields(header: _Header, count: int) -> int:
    """Pass over what is written about a file; return to how many bytes tensors are aligned."""
    alignment, names = _USUAL_ALIGNMENT, set()
    for _ in range(count):
        name, kind = header.text(), header.uint32()
        if name in names:
            raise _damaged(header.name, f"it has {excerpt(name)} twice")
        names.add(name)
        if name != _ALIGNMENT:
            header.skip_value(kind)
            continue
        alignment = header.uint32()
        is_power_of_two = alignment.bit_count() == 1
        if kind != _UINT32 or not is_power_of_two or alignment > _MAX_ALIGNMENT:
            raise _damaged(header.name, f"its {_ALIGNMENT} is impossible")
    return alignment


def _read_tensors(
    header: _Header, count: int, alignment: int
) -> tuple[dict[str, StoredTensor], int]:
    """Return the tensors, and where the last one ends, counted from where the first may begin."""
    tensors: dict[str, StoredTensor] = {}
    places: list[tuple[int, int]] = []
    for _ in range(count):
        name, dimensions = header.text(), header.uint32()
        if name in tensors or len(name) > _MOST_CHARACTERS or dimensions > _MOST_DIMENSIONS:
            raise _damaged(header.name, f"{excerpt(name)} is not a tensor, or is there twice")
        sides = struct.unpack(f"<{dimensions}Q", header.take(8 * dimensions))
        kind, start = header.uint32(), header.uint64()
        if (known := GGUF_TYPES.get(kind)) is None:
            names = ", ".join(each.name for each in GGUF_TYPES.values())
            raise ModelError(
                f"{header.name} has weights of type {kind}, which are not supported: "
                f"{excerpt(name)}.",
                f"Supported: {names}.",
            )
        # Blocks do not go over the end of a row, which is the first side here.
        whole = bool(sides) and sides[0] > 0 and sides[0] % known.numbers == 0
        if start % alignment or not (whole or (not sides and known.numbers == 1)):
            raise _damaged(header.name, f"the shape or place of {excerpt(name)} is impossible")
        data_bytes = math.prod(sides) // known.numbers * known.size
        shape = tuple(reversed(sides))
        tensors[name] = StoredTensor(dtype=known.name, shape=shape, data_bytes=data_bytes)
        places.append((start, start + data_bytes))
    last = 0
    for start, end in sorted(places):
        if start < last:
            raise _damaged(header.name, "its tensors overlap")
        last = end
    return tensors, last


def _damaged(name: str, why: str) -> ModelError:
    return ModelError(
        f"{name} is damaged: {why}.",
        "Download it again; if that does not help, get it from another source.",
    )
