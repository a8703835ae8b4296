from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest
from safetensors.torch import load_file

from sheepgen.errors import ModelError
from sheepgen.models.safetensors import MAX_HEADER, check_safetensors, check_shards

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


@pytest.mark.parametrize("eighths", range(8))
def test_a_file_cut_short_says_how_much_is_missing(model_copy: Path, eighths: int) -> None:
    path = model_copy / WEIGHTS
    whole = path.read_bytes()
    (header_size,) = struct.unpack("<Q", whole[:8])
    cut = len(whole) * eighths // 8
    path.write_bytes(whole[:cut])
    missing = {True: 8 - cut, False: len(whole) - cut}[cut < 8]
    if 8 <= cut < 8 + header_size:
        missing = 8 + header_size - cut

    with pytest.raises(
        ModelError, match=f"{WEIGHTS} is truncated \\(.*{missing:,} bytes missing\\)"
    ):
        check_safetensors(path)


@pytest.mark.parametrize(
    ("cut", "said"),
    [(0, "at least 8 bytes"), (4, "at least 4 bytes"), (7, "at least 1 byte missing")],
)
def test_a_file_cut_in_its_first_bytes(model_copy: Path, cut: int, said: str) -> None:
    path = model_copy / WEIGHTS
    path.write_bytes(path.read_bytes()[:cut])

    with pytest.raises(ModelError, match=said):
        check_safetensors(path)


def test_a_file_cut_in_its_header(model_copy: Path) -> None:
    path = model_copy / WEIGHTS
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(ModelError, match=r"at least [\d,]+ bytes missing"):
        check_safetensors(path)


def test_one_missing_byte_is_enough(model_copy: Path) -> None:
    path = model_copy / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(ModelError, match=r"truncated \(1 byte missing\)"):
        check_safetensors(path)


def test_a_file_that_is_too_long(model_copy: Path) -> None:
    path = model_copy / WEIGHTS
    path.write_bytes(path.read_bytes() + b"12345")

    with pytest.raises(ModelError, match="5 bytes longer"):
        check_safetensors(path)


def test_a_whole_file_passes_and_is_counted(model_copy: Path) -> None:
    tensors = load_file(model_copy / WEIGHTS)

    stored = check_safetensors(model_copy / WEIGHTS)

    assert stored.data_bytes == sum(tensor.nbytes for tensor in tensors.values())
    assert len(tensors) <= stored.tensors <= len(tensors) + 1  # what is said about the file


def test_a_huge_header_is_not_parsed(tmp_path: Path) -> None:
    header = b"{" + b" " * MAX_HEADER + b"}"
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)

    with pytest.raises(ModelError, match="its header is larger than 5,000,000 bytes"):
        check_safetensors(path)


def test_a_git_lfs_pointer_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")

    with pytest.raises(ModelError, match="Git LFS pointer") as error:
        check_safetensors(path)

    assert "git lfs pull" in error.value.hint


def test_another_format_under_that_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"PK\x03\x04" + b"zip, as pickles are packed" * 10)

    with pytest.raises(ModelError, match="is a pickle, whatever it is called"):
        check_safetensors(path)


@pytest.mark.parametrize("header", [b"not json", b"[]", b"\xff\xfe", b"[" * 5000])
def test_a_damaged_header_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)

    with pytest.raises(ModelError, match="header is not a JSON object"):
        check_safetensors(path)


def test_tensors_without_a_place_count_for_nothing(tmp_path: Path) -> None:
    tensors = {"a": 1, "b": {"data_offsets": ["0", "9"]}, "__metadata__": {"data_offsets": [0, 9]}}
    header = json.dumps(tensors).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"rest")

    with pytest.raises(ModelError, match="4 bytes longer"):
        check_safetensors(path)


def test_an_index_that_names_its_shards_passes(tmp_path: Path) -> None:
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"weight_map": {"w": "a.safetensors", "v": "b.safetensors"}}))

    check_shards(index, {"a.safetensors", "b.safetensors"})


@pytest.mark.parametrize("elsewhere", ["../../secret.safetensors", "/etc/passwd", "c.safetensors"])
def test_an_index_that_leads_elsewhere_is_refused(tmp_path: Path, elsewhere: str) -> None:
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"weight_map": {"w": "a.safetensors", "v": elsewhere}}))

    with pytest.raises(ModelError, match="not one of its shards"):
        check_shards(index, {"a.safetensors"})


@pytest.mark.parametrize("content", [{}, {"weight_map": []}, {"weight_map": {}}])
def test_an_index_that_leaves_out_a_shard_is_refused(tmp_path: Path, content: object) -> None:
    index = tmp_path / "index.json"
    index.write_text(json.dumps(content))

    with pytest.raises(ModelError, match="does not name all"):
        check_shards(index, {"a.safetensors"})
