"""LoRAs, VAEs and embeddings in AUTOMATIC1111's parameters, written and read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file
from sd_parsers import ParserManager

from sheepgen.metadata.a1111 import to_parameters
from sheepgen.metadata.a1111_reader import read_parameters
from sheepgen.metadata.image_file import encode_image
from sheepgen.models.resolve import find_model
from sheepgen.request import GenerationRequest
from tests.lora import save_lora
from tests.metadata.test_a1111 import web_ui_pairs
from tests.samples import sample_image, sample_record
from tests.tiny import TEXT_WIDTH

if TYPE_CHECKING:
    from pathlib import Path

INK, DOTS = "ab" * 6, "cd" * 6
ADDED: dict[str, Any] = {
    "lora": f"loras/ink.safetensors:0.8,artist/dots@{'0' * 40}/my dots.safetensors",
    "lora_autov3": f"{INK},{DOTS}",
    "vae": "C:\\vaes\\clear.safetensors",
    "vae_sha256": "12" * 32,
    "embedding": "fuzzy.safetensors",
    "embedding_sha256": "34" * 32,
}


def test_they_are_written_as_the_web_ui_does() -> None:
    first, last = to_parameters(sample_record(prompt="a fox\nin snow", **ADDED)).rsplit("\n", 1)

    assert first == "a fox\nin snow <lora:ink:0.8> <lora:mydots:1>"
    assert "Model: sheepgen, VAE hash: 1212121212, VAE: clear.safetensors, RNG" in last
    assert f'Lora hashes: "ink: {INK}, mydots: {DOTS}", TI hashes: "fuzzy: 343434343434"' in last


@pytest.mark.parametrize(
    "changes",
    [{}, {"lora": "ink:-0.5"}, {"lora": "ink:0.000001", "negative_prompt": "fog"}],
)
@pytest.mark.parametrize(
    "prompt", ["a fox", " a \n\n", "a <lora:ink:0.8>", "a <lora:x:1> <lora:y:1> <lora:z:1>"]
)
def test_prompts_come_back_as_they_were(prompt: str, changes: dict[str, Any]) -> None:
    hashes = {"lora_autov3": INK} if changes else {}
    record = sample_record(prompt=prompt, **ADDED | changes | hashes)

    found = read_parameters(to_parameters(record))

    assert found.settings["prompt"] == prompt
    assert found.settings.get("negative_prompt", "") == record.request.negative_prompt
    number = len(record.request.adapters.loras)
    assert sum(each.startswith("Prompt: <lora:") for each in found.not_mapped) >= number
    assert any(each.startswith("Lora hashes: ") for each in found.not_mapped)
    assert "VAE: clear.safetensors" in found.not_mapped


@pytest.mark.parametrize("hashes", [None, "", INK, f"{INK},{DOTS},{DOTS}", f"{INK},<", "a,b"])
def test_what_has_no_hash_is_left_out(hashes: str | None) -> None:
    text = to_parameters(sample_record(prompt="a fox", **ADDED | {"lora_autov3": hashes}))

    assert "lora" not in text.casefold()
    assert read_parameters(text).settings["prompt"] == "a fox"


@pytest.mark.parametrize("path", ["<a>:b.safetensors", "a,b", " ", "a\nb", '"', "ü/"])
def test_names_cannot_change_the_text(path: str) -> None:
    fields: dict[str, Any] = {"vae": path, "vae_sha256": "12" * 32}
    if "," not in path and path.strip():
        fields |= {"lora": path, "lora_autov3": INK}
    record = sample_record(prompt="a fox", **fields)

    found = read_parameters(to_parameters(record))

    assert found.settings["prompt"] == "a fox"
    assert found.settings["seed"] == record.request.seed


def test_another_parser_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    record = sample_record(prompt="a fox", negative_prompt="fog", **ADDED)
    path.write_bytes(encode_image(sample_image(), record, ".png"))

    info = ParserManager().parse(path)

    assert info is not None
    (sampler,) = info.samplers
    assert [each.value for each in sampler.prompts] == ["a fox <lora:ink:0.8> <lora:mydots:1>"]
    assert [each.value for each in sampler.negative_prompts] == ["fog"]
    assert info.metadata["VAE"] == "clear.safetensors"
    assert info.metadata["VAE hash"] == "12" * 5
    # It does not know quoted values; the web UI does.
    assert web_ui_pairs(to_parameters(record))["Lora hashes"] == f"ink: {INK}, mydots: {DOTS}"


def test_hashes_are_those_of_the_files(tiny_folder: Path, tmp_path: Path) -> None:
    save_lora(tiny_folder, tmp_path / "ink.safetensors", metadata={"a": "b"})
    save_file({"emb_params": torch.ones(1, TEXT_WIDTH)}, tmp_path / "fuzzy.safetensors")
    request = GenerationRequest(
        prompt="a",
        seed=1,
        lora=f"{tmp_path}/ink.safetensors",
        embedding=f"{tmp_path}/fuzzy.safetensors",
    )

    resolved = find_model(str(tiny_folder)).resolve(request)

    content = (tmp_path / "ink.safetensors").read_bytes()
    tensors = content[8 + int.from_bytes(content[:8], "little") :]
    assert resolved.lora_autov3 == hashlib.sha256(tensors).hexdigest()[:12]
    # What is written about it may change, and it is still the same one.
    save_lora(tiny_folder, tmp_path / "ink.safetensors", metadata={"a": "longer"})
    again = find_model(str(tiny_folder)).resolve(request)
    assert again.lora_autov3 == resolved.lora_autov3
    assert again.lora_sha256 != resolved.lora_sha256
