"""GGUF files written by hand, without the package that reads them.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

NUMBERS = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 8, "Q4_K": 12, "BF16": 30}
BLOCKS = {"Q4_0": 32, "Q8_0": 32, "Q4_K": 256}


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """A tensor as it is stored: the number of its type, its shape as torch has it, its bytes."""

    kind: int
    shape: tuple[int, ...]
    data: bytes


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def field(name: str, kind: int, value: bytes) -> bytes:
    """Return what is written about a file: a name, the number of a type, and a value of it."""
    return text(name) + struct.pack("<I", kind) + value


ARCHITECTURE = field("general.architecture", 8, text("flux"))


def gguf_bytes(
    tensors: Mapping[str, GgufTensor],
    *,
    fields: tuple[bytes, ...] = (ARCHITECTURE,),
    version: int = 3,
    alignment: int = 32,
    offsets: Mapping[str, int] | None = None,
) -> bytes:
    """Return a file.

    Args:
        tensors: By name, in their order.
        fields: What is written about it.
        version: Of the format.
        alignment: To how many bytes tensors are aligned.
        offsets: Where tensors begin, if it is to be elsewhere than they are.
    """
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(fields)) + b"".join(fields)
    data = b""
    for name, tensor in tensors.items():
        data += bytes(-len(data) % alignment)
        offset = (offsets or {}).get(name, len(data))
        sides = struct.pack(f"<{len(tensor.shape)}Q", *reversed(tensor.shape))
        header += text(name) + struct.pack("<I", len(tensor.shape)) + sides
        header += struct.pack("<IQ", tensor.kind, offset)
        data += tensor.data
    return header + bytes(-len(header) % alignment) + data


def stored(weight: Tensor, kind: str, rng: np.random.Generator) -> GgufTensor:
    """Return a weight as a file of a kind has it; as F32 if it does not fit."""
    rows = weight.detach().float().numpy()
    if rows.shape[-1] % BLOCKS.get(kind, 1):
        kind = "F32"
    return GgufTensor(NUMBERS[kind], tuple(weight.shape), _encoded(rows, kind, rng))


def _is_product(name: str, weight: Tensor) -> bool:
    return name.endswith(".weight") and weight.ndim == 2


def _encoded(rows: np.ndarray, kind: str, rng: np.random.Generator) -> bytes:
    if kind == "F32":
        return rows.astype("<f4").tobytes()
    if kind == "F16":
        return rows.astype("<f2").tobytes()
    if kind == "BF16":
        return torch.from_numpy(rows).bfloat16().view(torch.uint16).numpy().tobytes()
    blocks = rows.reshape(-1, BLOCKS[kind])
    if kind == "Q8_0":  # a scale, and a whole number from -127 to 127 for each
        scale = (np.abs(blocks).max(axis=1, keepdims=True) / 127).astype("<f2")
        whole = np.round(blocks / np.maximum(scale.astype("f4"), 1e-8)).clip(-127, 127)
        return np.hstack([scale.view("u1"), whole.astype("i1").view("u1")]).tobytes()
    if kind == "Q4_0":  # a scale, and half a byte for each: the first half of a block lowest
        scale = (np.abs(blocks).max(axis=1, keepdims=True) / 7).astype("<f2")
        whole = np.round(blocks / np.maximum(scale.astype("f4"), 1e-8)).clip(-8, 7) + 8
        low, high = np.split(whole.astype("u1"), 2, axis=1)
        return np.hstack([scale.view("u1"), low | high << 4]).tobytes()
    # Q4_K: two small numbers of 16 bits, and any bytes.
    scales = np.full((len(blocks), 2), 1e-3, dtype="<f2").view("u1")
    return np.hstack([scales, rng.integers(0, 256, (len(blocks), 140), dtype="u1")]).tobytes()


def save_gguf(
    path: Path, weights: Mapping[str, Tensor], kind: str, *, all_alike: bool = False
) -> Path:
    """Write weights as a file and return its path.

    Args:
        path: Where it goes.
        weights: By name.
        kind: Of those that are multiplied with; others are F32.
        all_alike: Whether others are of that kind, too.
    """
    rng = np.random.default_rng(0)
    tensors = {
        name: stored(weight, kind if all_alike or _is_product(name, weight) else "F32", rng)
        for name, weight in weights.items()
    }
    path.write_bytes(gguf_bytes(tensors))
    return path
