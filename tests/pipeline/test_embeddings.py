"""A token stands for trained vectors, in both forms of files, as in diffusers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model, read_prompt
from sheepgen.pipeline.run import generate
from sheepgen.request import GenerationRequest
from tests.tiny import TEXT_WIDTH

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor


def vectors(number: int) -> Tensor:
    return torch.randn(number, TEXT_WIDTH, generator=torch.Generator().manual_seed(9))


def loaded(folder: Path, *paths: Path) -> Any:
    adapters = Adapters(embedding=",".join(map(str, paths)))
    return load_model(str(folder), device="cpu", dtype="fp32", adapters=adapters)


def encoded(model: Any, prompt: str) -> Tensor:
    request = GenerationRequest(prompt=prompt, seed=1, guidance_scale=1)
    states = model.encode([model.spec.resolve(request)]).hidden_states
    assert isinstance(states, torch.Tensor)
    return states


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("form", ["diffusers", "web UI"])
def test_a_prompt_is_encoded_as_diffusers_encodes_it(
    form: str, number: int, tiny_folder: Path, tmp_path: Path
) -> None:
    token = "<toy>" if form == "diffusers" else "fuzzy"
    path = tmp_path / f"{'a' if form == 'diffusers' else token}.safetensors"
    save_file({token if form == "diffusers" else "emb_params": vectors(number)}, path)
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_folder, local_files_only=True)
    pipeline.load_textual_inversion({token: vectors(number)})
    prompt = f"a {token} and"

    states = encoded(loaded(tiny_folder, path), prompt)

    expected, _ = pipeline.encode_prompt(prompt, "cpu", 1, do_classifier_free_guidance=False)
    assert torch.equal(states, expected)
    assert not torch.equal(states, encoded(loaded(tiny_folder), prompt))


def test_capital_letters_do_not_matter(tiny_folder: Path, tmp_path: Path) -> None:
    save_file({"emb_params": vectors(3)}, tmp_path / "Fuzzy.safetensors")
    save_file({"emb_params": vectors(3)}, tmp_path / "fuzzy.safetensors")
    models = [loaded(tiny_folder, tmp_path / f"{name}.safetensors") for name in ("Fuzzy", "fuzzy")]

    states = [encoded(model, f"a {word}") for model in models for word in ("Fuzzy", "fuzzy")]

    assert all(torch.equal(each, states[0]) for each in states)
    assert models[0].read_prompt("a FUZZY").tokens == 2 + 1 + 3


def test_without_its_token_a_prompt_is_encoded_as_before(tiny_folder: Path, tmp_path: Path) -> None:
    save_file({"emb_params": vectors(2)}, tmp_path / "fuzzy.safetensors")

    model = loaded(tiny_folder, tmp_path / "fuzzy.safetensors")

    assert torch.equal(encoded(model, "a red sheep"), encoded(loaded(tiny_folder), "a red sheep"))


def test_a_prompts_length_counts_all_vectors(tiny_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "fuzzy.safetensors"
    save_file({"emb_params": vectors(3)}, path)
    model = loaded(tiny_folder, path)

    reading = model.read_prompt("sheep fuzzy")

    assert reading.tokens == 2 + 1 + 3
    assert read_prompt(model.spec, "sheep fuzzy") == reading
    labels = [label.text for label in model.token_labels("sheep fuzzy")]
    assert labels[1:5] == ["sheep</w>", "fuzzy", "fuzzy_1", "fuzzy_2"]


def test_an_image_of_a_batch_and_its_negative_prompt_know_it(
    tiny_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "fuzzy.safetensors"
    save_file({"emb_params": vectors(1)}, path)
    model = loaded(tiny_folder, path)
    request = GenerationRequest(
        prompt="a sheep", negative_prompt="fuzzy", seed=1, num_inference_steps=2, guidance_scale=4
    )

    image = np.asarray(generate(model, request))

    assert not np.array_equal(image, np.asarray(generate(loaded(tiny_folder), request)))


REFUSED: dict[str, tuple[dict[str, Tensor], str]] = {
    "wide": ({"emb_params": torch.zeros(1, TEXT_WIDTH + 1)}, "9 wide"),
    "deep": ({"emb_params": torch.zeros(1, 1, TEXT_WIDTH)}, "8 wide"),
    "many": ({"emb_params": torch.zeros(76, TEXT_WIDTH)}, "76 to 76 vectors"),
    "none": ({"emb_params": torch.zeros(0, TEXT_WIDTH)}, "0 to 0 vectors"),
    "two": ({"a": torch.zeros(1), "b": torch.zeros(1)}, "not a text embedding"),
    "xl": (
        {"clip_l": torch.zeros(1, TEXT_WIDTH), "clip_g": torch.zeros(1, TEXT_WIDTH)},
        "for 2 text encoders",
    ),
    "blank": ({"a cat": torch.zeros(TEXT_WIDTH)}, "no prompt can have"),
    "ints": ({"emb_params": torch.zeros(1, TEXT_WIDTH, dtype=torch.int8)}, "type I8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_others_are_refused(name: str, tiny_folder: Path, tmp_path: Path) -> None:
    tensors, message = REFUSED[name]
    save_file(tensors, tmp_path / f"{name}.safetensors")

    with pytest.raises(ModelError, match=message):
        loaded(tiny_folder, tmp_path / f"{name}.safetensors")


def test_a_word_of_the_vocabulary_is_no_token(tiny_folder: Path, tmp_path: Path) -> None:
    save_file({"emb_params": vectors(1)}, tmp_path / "sheep.safetensors")

    with pytest.raises(ModelError, match="sheep, is already a word"):
        loaded(tiny_folder, tmp_path / "sheep.safetensors")


def test_a_tokenizer_that_is_used_for_prompts_alone_stays_as_it_is(
    tiny_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "fuzzy.safetensors"
    save_file({"emb_params": vectors(1)}, path)
    spec = find_model(str(tiny_folder))
    before = read_prompt(spec, "fuzzy")

    read_prompt(loaded(tiny_folder, path).spec, "fuzzy")

    assert read_prompt(spec, "fuzzy") == before
