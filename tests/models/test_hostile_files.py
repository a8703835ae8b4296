"""Files of weights that are damaged or meant to harm, whatever they are given as.

What is wrong with the content of one kind alone is tested with that kind: single files in
`tests.models.test_single_file`, LoRAs in `tests.pipeline.test_lora`, VAEs and embeddings beside it.
"""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError
from sheepgen.execution.checks import check_adapters
from sheepgen.models.resolve import find_model
from sheepgen.models.safetensors import MAX_HEADER
from sheepgen.pipeline.loading import load_model
from sheepgen.request import GenerationRequest
from tests.lora import LAYERS, save_lora
from tests.original import save_original_model, save_single_file
from tests.tiny import TEXT_WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("lora", "vae", "embedding", "model")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> dict[str, Path]:
    """Return a good file of each kind."""
    folder = tmp_path_factory.mktemp("good")
    whole = save_original_model(folder / "whole")
    save_lora(tiny_folder, folder / "lora.safetensors")
    save_file({"emb_params": torch.ones(2, TEXT_WIDTH)}, folder / "embedding.safetensors")
    return {
        "lora": folder / "lora.safetensors",
        "vae": tiny_folder / "vae" / "diffusion_pytorch_model.safetensors",
        "embedding": folder / "embedding.safetensors",
        "model": save_single_file(whole, folder / "model.safetensors"),
    }


def use(kind: str, path: Path, model: Path) -> None:
    """Do what is done with a file before anything is generated."""
    if kind == "model":
        find_model(str(path))
        return
    spec = find_model(str(model))
    named: dict[str, Any] = {kind: str(path)}
    request = GenerationRequest(prompt="a", seed=1, **named)
    check_adapters(spec, [spec.resolve(request)])


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header and the tensors of a file."""
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def joined(header: object, tensors: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


def edited(data: bytes, **changes: Any) -> bytes:
    """Change what the header says of its first tensor."""
    header, tensors = parts(data)
    first = next(name for name in header if name != "__metadata__")
    header[first] |= changes
    return joined(header, tensors)


def shifted(data: bytes, by: int) -> bytes:
    """Move all tensors but the first."""
    header, tensors = parts(data)
    header.pop("__metadata__", None)
    _, *others = sorted(header.values(), key=lambda entry: entry["data_offsets"])
    for entry in others:
        entry["data_offsets"] = [end + by for end in entry["data_offsets"]]
    return joined(header, tensors + bytes(max(by, 0)))


def named_twice(data: bytes) -> bytes:
    """Give the header's first tensor a second entry, of another shape."""
    header, tensors = parts(data)
    name = next(name for name in header if name != "__metadata__")
    text = json.dumps(header)
    twin = json.dumps({name: {**header[name], "shape": [1]}})
    return joined(f"{twin[:-1]}, {text[1:]}".encode(), tensors)


def archive(data: bytes) -> bytes:
    path = Path("archive")
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data.pkl", pickle.dumps([1] * 99))
        file.writestr("more", data)
    return path.read_bytes()


CONTENTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "truncated"),
    "only a length": (lambda data: data[:8], "truncated"),
    "cut in the header": (lambda data: data[:40], "truncated"),
    "cut in the tensors": (lambda data: data[:-1], r"truncated \(1 byte missing\)"),
    "too long": (lambda data: data + b"\0", "1 bytes longer"),
    "a text": (lambda _: b"<html>not found</html>", "not a safetensors file"),
    "a pointer of Git LFS": (
        lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "Git LFS",
    ),
    "a pickle": (lambda _: pickle.dumps({"a": [1] * 99}), "is a pickle"),
    "an archive of pickles": (archive, "is a pickle"),
    "a huge header": (
        lambda data: struct.pack("<Q", MAX_HEADER + 1) + bytes(MAX_HEADER + 1) + data,
        "not a safetensors file",
    ),
    "a header without end": (lambda data: b"\xff" * 8 + data, "not a safetensors file"),
    "a header that is no JSON": (lambda _: joined(b"{,}", b""), "not a JSON"),
    "a header that is a list": (lambda _: joined([], b""), "not a JSON object"),
    "a deep header": (lambda _: joined(b"[" * 100_000, b""), "not a JSON"),
    "an entry that is no object": (
        lambda data: joined({"a": 1, **parts(data)[0]}, parts(data)[1]),
        "not a tensor of a known type",
    ),
    "an unknown type": (lambda data: edited(data, dtype="F4"), "not a tensor of a known type"),
    "another type": (lambda data: edited(data, dtype="F64"), "does not fit its bytes"),
    "no type": (lambda data: edited(data, dtype=None), "not a tensor of a known type"),
    "a negative side": (lambda data: edited(data, shape=[-2, -2]), "not a tensor of a known"),
    "a huge side": (lambda data: edited(data, shape=[2**62, 4]), "does not fit its bytes"),
    "sides of text": (lambda data: edited(data, shape=["2"]), "not a tensor of a known type"),
    "many sides": (lambda data: edited(data, shape=[1] * 99), "not a tensor of a known type"),
    "negative offsets": (
        lambda data: edited(data, data_offsets=[-8, 0]),
        "does not fit its bytes|longer",
    ),
    "offsets backwards": (
        lambda data: edited(data, data_offsets=[8, 0]),
        "does not fit its bytes|longer",
    ),
    "three offsets": (
        lambda data: edited(data, data_offsets=[0, 0, 0]),
        "not a tensor of a|longer",
    ),
    "offsets beyond the file": (
        lambda data: edited(data, data_offsets=[2**62, 2**62 + 8]),
        "truncated|does not fit its bytes",
    ),
    "bytes of two tensors": (lambda data: shifted(data, -1), "overlap|longer"),
    "bytes of no tensor": (lambda data: shifted(data, 4), "leave bytes between"),
    "a tensor that is named twice": (named_twice, "the same key twice"),
}


BETWEEN_TENSORS = ("bytes of two tensors", "bytes of no tensor")
"""What cannot be wrong with an embedding, which is one tensor."""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind)
        for name in CONTENTS
        for kind in KINDS
        if not (kind == "embedding" and name in BETWEEN_TENSORS)
    ],
)
def test_a_file_is_refused_by_its_header(
    name: str,
    kind: str,
    models: dict[str, Path],
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    change, message = CONTENTS[name]
    path = tmp_path / "file.safetensors"
    path.write_bytes(change(models[kind].read_bytes()))

    with pytest.raises(ModelError, match=message):
        use(kind, path, tiny_folder)


def folder_of_fifo(path: Path) -> None:
    path.mkdir()
    os.mkfifo(path / "a.safetensors")


PLACES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a FIFO": (os.mkfifo, "does not exist|not regular|cannot be read"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "does not exist"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "does not exist"),
    "a link to a device": (
        lambda path: path.symlink_to("/dev/zero"),
        "does not exist|cannot be read",
    ),
    "a folder": (lambda path: path.mkdir(), "has 0 files|cannot be read|no model_index"),
    "a folder of a FIFO": (
        folder_of_fifo,
        "cannot be read|no model_index|has something that is not",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PLACES)
def test_what_is_no_file_is_not_waited_for(
    name: str, kind: str, tiny_folder: Path, tmp_path: Path
) -> None:
    make, message = PLACES[name]
    path = tmp_path / "file.safetensors"
    make(path)

    with pytest.raises(ModelError, match=message):
        use(kind, path, tiny_folder)


@pytest.mark.parametrize("kind", KINDS)
def test_the_good_file_and_a_link_to_it_are_used(
    kind: str, models: dict[str, Path], tiny_folder: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link.safetensors"
    link.symlink_to(models[kind])

    for path in (models[kind], link):
        use(kind, path, tiny_folder)


NUMBERS = {"nan": float("nan"), "infinity": float("inf")}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("place", ["alpha", "metadata", "weights"])
def test_a_lora_that_is_not_finite_is_refused(
    place: str, name: str, tiny_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    value = NUMBERS[name]
    more = {}
    if place == "weights":
        more = {"unet.mid_block.resnets.0.conv1.lora_A.weight": torch.full((2, 16, 3, 3), value)}
    save_lora(
        tiny_folder,
        path,
        style="diffusers",
        layers=LAYERS[:1],
        alpha=value if place == "alpha" else None,
        metadata={"lora_adapter_metadata": json.dumps({"unet.lora_alpha": value})}
        if place == "metadata"
        else None,
        more={
            **more,
            **{name.replace("lora_A", "lora_B"): torch.ones(16, 2, 1, 1) for name in more},
        },
    )

    with pytest.raises(ModelError, match=r"not finite|is not a number"):
        load_model(str(tiny_folder), device="cpu", adapters=Adapters(lora=str(path)))


@pytest.mark.parametrize("alpha", ["1" + "0" * 400, "true", '"8"', "[]", "1e999"])
def test_an_alpha_that_is_no_number_is_an_error(
    alpha: str, tiny_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.safetensors"
    metadata = {"lora_adapter_metadata": f'{{"unet.lora_alpha": {alpha}}}'}
    save_lora(
        tiny_folder, path, style="diffusers", layers=LAYERS[:1], alpha=None, metadata=metadata
    )

    with pytest.raises(ModelError, match="alpha"):
        load_model(str(tiny_folder), device="cpu", adapters=Adapters(lora=str(path)))
