"""The header of a GGUF file: what is whole is read, and what is not is said, without a library."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.errors import ModelError
from sheepgen.models.gguf import GGUF_TYPES, read_gguf
from sheepgen.models.safetensors import MAX_HEADER, StoredTensor
from tests.gguf_file import (
    ARCHITECTURE,
    GgufTensor,
    field,
    gguf_bytes,
    save_gguf,
    text,
)

if TYPE_CHECKING:
    from pathlib import Path

TENSORS = {
    "a.weight": GgufTensor(8, (3, 64), bytes(3 * 2 * 34)),
    "a.bias": GgufTensor(0, (3,), bytes(12)),
}


def write(folder: Path, content: bytes) -> Path:
    (folder / "a.gguf").write_bytes(content)
    return folder / "a.gguf"


def test_names_types_and_shapes_are_read(tmp_path: Path) -> None:
    assert read_gguf(write(tmp_path, gguf_bytes(TENSORS))).tensors == {
        "a.weight": StoredTensor(dtype="Q8_0", shape=(3, 64), data_bytes=204),
        "a.bias": StoredTensor(dtype="F32", shape=(3,), data_bytes=12),
    }


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K"])
def test_the_package_reads_the_same(tmp_path: Path, kind: str) -> None:
    gguf = pytest.importorskip("gguf")
    path = save_gguf(tmp_path / "a.gguf", {"w": torch.rand(4, 256), "b": torch.rand(4)}, kind)
    theirs = {
        tensor.name: (tensor.tensor_type.name, tuple(reversed(tensor.shape.tolist())))
        for tensor in gguf.GGUFReader(path).tensors
    }
    ours = {name: (each.dtype, each.shape) for name, each in read_gguf(path).tensors.items()}
    assert ours == theirs


def test_the_table_of_types_is_the_packages() -> None:
    gguf = pytest.importorskip("gguf")
    for number, (name, numbers, size) in GGUF_TYPES.items():
        kind = gguf.GGMLQuantizationType(number)
        assert (kind.name, gguf.GGML_QUANT_SIZES[kind]) == (name, (numbers, size))


def test_what_is_written_about_it_is_passed_over(tmp_path: Path) -> None:
    fields = (
        ARCHITECTURE,
        field("a", 4, struct.pack("<I", 1)),
        field("b", 9, struct.pack("<IQ", 8, 2) + text("x") + text("ü")),
        field("c", 9, struct.pack("<IQ", 5, 3) + bytes(12)),
        field("general.alignment", 4, struct.pack("<I", 64)),
        field("d", 12, bytes(8)),
    )
    path = write(tmp_path, gguf_bytes(TENSORS, fields=fields, alignment=64))
    assert len(read_gguf(path).tensors) == 2


@pytest.mark.parametrize("cut", [1, 4, 11, 23, 40, 60, 100, 150, 250])
def test_a_file_cut_short_says_so(tmp_path: Path, cut: int) -> None:
    whole = gguf_bytes(TENSORS)
    with pytest.raises(ModelError, match=r"is truncated \(.*bytes? missing\)|not a GGUF file"):
        read_gguf(write(tmp_path, whole[:cut]))


def test_the_last_bytes_are_counted(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"a.gguf is truncated \(1 byte missing\)"):
        read_gguf(write(tmp_path, gguf_bytes(TENSORS)[:-1]))


ONE = {"a": GgufTensor(0, (1,), bytes(4))}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04" + bytes(99), "is not a GGUF file"),
        (gguf_bytes(ONE, version=1), "version 1, which is not supported"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(99), "version 50331648"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0), "9,223,372,036,854,775,808 tensors"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**40), "1,099,511,627,776 fields"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**63), "is truncated"),
        (gguf_bytes(ONE, fields=(ARCHITECTURE, ARCHITECTURE)), "general.architecture twice"),
        (gguf_bytes(ONE, fields=(field("a", 99, b""),)), "of an unknown type"),
        (gguf_bytes(ONE, fields=(field("a", 9, struct.pack("<IQ", 9, 1)),)), "list in it is of"),
        (gguf_bytes(ONE, fields=(field("a", 9, struct.pack("<IQ", 8, 2**60)),)), "list in it"),
        (gguf_bytes(ONE, fields=(field("a", 9, struct.pack("<IQ", 4, 2**60)),)), "is truncated"),
        (
            gguf_bytes(ONE, fields=(field("general.alignment", 4, struct.pack("<I", 48)),)),
            "alignment is impossible",
        ),
        (
            gguf_bytes(ONE, fields=(field("general.alignment", 4, bytes(4)),)),
            "alignment is impossible",
        ),
        (
            gguf_bytes(ONE, fields=(field("general.alignment", 5, struct.pack("<I", 32)),)),
            "alignment is impossible",
        ),
        (gguf_bytes({"a": GgufTensor(16, (256,), bytes(66))}), "weights of type 16"),
        (gguf_bytes({"a": GgufTensor(8, (33,), bytes(68))}), "shape or place of a"),
        (gguf_bytes({"a": GgufTensor(0, (0,), b"")}), "shape or place of a"),
        (gguf_bytes({"a": GgufTensor(0, (1,) * 5, bytes(4))}), "a is not a tensor"),
        (gguf_bytes({"a" * 301: ONE["a"]}), "is not a tensor"),
        (gguf_bytes({"a": GgufTensor(0, (2**40, 2**40), bytes(4))}), "is truncated"),
        (gguf_bytes({**ONE, "b": ONE["a"]}, offsets={"b": 0}), "its tensors overlap"),
        (gguf_bytes(ONE, offsets={"a": 2}), "shape or place of a"),
        (gguf_bytes(ONE, offsets={"a": 2**63}), "is truncated"),
        (gguf_bytes(ONE, fields=(field("a", 8, text("b" * MAX_HEADER)),)), "larger than 5,000,000"),
        (gguf_bytes(ONE, fields=(struct.pack("<Q", 1) + b"\xff" + bytes(9),)), "not UTF-8"),
    ],
)
def test_impossible_headers(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_gguf(write(tmp_path, content))


def test_two_tensors_of_one_name(tmp_path: Path) -> None:
    content = gguf_bytes({"a": ONE["a"], "b": ONE["a"]}).replace(text("b"), text("a"))
    with pytest.raises(ModelError, match="is there twice"):
        read_gguf(write(tmp_path, content))


@given(st.integers(0, 250), st.binary(min_size=1, max_size=9))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, noise: bytes
) -> None:
    whole = gguf_bytes(TENSORS)
    path = write(tmp_path_factory.mktemp("g"), whole[:place] + noise + whole[place + len(noise) :])
    with suppress(ModelError):
        assert read_gguf(path).tensors
