"""Each text encoder against its own class, called with one text and padded as its family does."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.errors import ModelError, UsageError
from sheepgen.meaning.loading import load_vectors
from sheepgen.meaning.scene_vectors import SceneVectors
from sheepgen.meaning.spaces import find_space, unread_components
from sheepgen.meaning.token_vectors import TokenVectors
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.clip import encode_text
from sheepgen.pipeline.qwen import THINKING
from tests.tiny import MAX_TOKENS
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_lumina2 import save_tiny_lumina2
from tests.tiny_xl import save_tiny_xl
from tests.tiny_z_image import save_tiny_z_image

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from sheepgen.meaning.text_vectors import Vectors

TEXTS = ("sheep", "a red sheep", "deer", "a reed", "goats")
CPU = torch.device("cpu")


def load(folder: Path, encoder: str = "") -> Vectors:
    spec = find_model(str(folder))
    return load_vectors(spec, find_space(spec, encoder), CPU, torch.float32)


def encoded(vectors: Vectors, *texts: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for some in vectors.encode(texts):
        found |= {texts[at]: row for at, row in zip(some.texts, some.vectors, strict=True)}
    return found


def tokens_of(folder: Path, encoder: str = "") -> TokenVectors:
    vectors = load(folder, encoder)
    assert isinstance(vectors, TokenVectors)
    return vectors


def check(vectors: TokenVectors, expected: dict[str, Tensor]) -> None:
    found = encoded(vectors, *TEXTS)
    assert found.keys() == expected.keys()
    for text, vector in expected.items():
        torch.testing.assert_close(found[text], vector, rtol=1e-5, atol=1e-6)


def test_clip_is_its_padded_summary(tiny_folder: Path) -> None:
    vectors = tokens_of(tiny_folder)
    outputs = {
        text: encode_text(vectors.tokenizer, vectors.model, text, limit=MAX_TOKENS)
        for text in TEXTS
    }
    check(vectors, {text: each.pooler_output[0] for text, each in outputs.items()})


def test_clip_with_a_projection_is_what_the_network_is_given(tmp_path: Path) -> None:
    vectors = tokens_of(save_tiny_xl(tmp_path / "xl"))
    assert vectors.component == "text_encoder_2"
    outputs = {
        text: encode_text(vectors.tokenizer, vectors.model, text, limit=MAX_TOKENS)
        for text in TEXTS
    }
    check(vectors, {text: each.text_embeds[0] for text, each in outputs.items()})


@torch.inference_mode()
def test_t5_is_the_mean_over_the_words_tokens(tmp_path: Path) -> None:
    vectors = tokens_of(save_tiny_flux1(tmp_path / "flux"), "text_encoder_2")
    expected = {}
    for text in TEXTS:
        padded = vectors.tokenizer(
            text, padding="max_length", max_length=20, truncation=True, return_tensors="pt"
        )
        states = vectors.model(padded.input_ids, attention_mask=padded.attention_mask)[0][0]
        expected[text] = states[: int(padded.attention_mask.sum()) - 1].mean(0)
    check(vectors, expected)


@torch.inference_mode()
def test_qwen_is_the_mean_over_the_words_tokens_in_a_turn(tmp_path: Path) -> None:
    vectors = tokens_of(save_tiny_z_image(tmp_path / "z"))
    before = len(vectors.tokenizer(THINKING.before).input_ids)
    expected = {}
    for text in TEXTS:
        words = len(vectors.tokenizer(text).input_ids)
        whole = f"{THINKING.before}{text}{THINKING.after}"
        ids = vectors.tokenizer(whole, return_tensors="pt").input_ids
        states = vectors.model(input_ids=ids, output_hidden_states=True).hidden_states[-2][0]
        expected[text] = states[before : before + words].mean(0)
    check(vectors, expected)


@torch.inference_mode()
def test_gemma_is_the_mean_over_the_words_tokens(tmp_path: Path) -> None:
    vectors = tokens_of(save_tiny_lumina2(tmp_path / "lumina"))
    expected = {}
    for text in TEXTS:
        ids = vectors.tokenizer(text, return_tensors="pt").input_ids
        states = vectors.model(input_ids=ids, output_hidden_states=True).hidden_states[-2][0]
        expected[text] = states[1:].mean(0)
    check(vectors, expected)


@torch.inference_mode()
def test_scenes_multiply_as_all_their_tokens_do(parsing_folder: Path) -> None:
    vectors = load(parsing_folder)
    assert isinstance(vectors, SceneVectors)
    texts = ("a sheep", "a fire truck", "a red fire truck on a beach")
    found = torch.stack([*encoded(vectors, *texts).values()])
    encoder, reader = vectors.reader.text_encoder, vectors.reader
    tokens = []
    for text in texts:
        labels = reader.labels(text)
        assert labels is not None
        whole = encoder.encode(labels, reader.drawings.choose(labels, 0))[0]
        whole[:, encoder.layout.position] = 0
        tokens.append(whole.flatten())
    expected = torch.stack(tokens)
    torch.testing.assert_close(found @ found.T, expected @ expected.T, rtol=1e-5, atol=1e-3)


def test_a_text_that_says_nothing_has_no_vector(parsing_folder: Path) -> None:
    vectors = load(parsing_folder)
    assert [*encoded(vectors, "a sheep", "xylophonist", "sheep")] == ["a sheep", "sheep"]


def test_a_text_without_tokens_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(UsageError, match="has no tokens in this model"):
        encoded(load(tiny_folder), "sheep", " ")


def test_numbers_that_are_not_finite_are_refused(tiny_folder: Path) -> None:
    vectors = tokens_of(tiny_folder)
    with torch.no_grad():
        vectors.model.get_input_embeddings().weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        encoded(vectors, "sheep")


def test_the_other_weights_need_not_be_there(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    for part in ("unet", "vae"):
        (folder / part / "diffusion_pytorch_model.safetensors").unlink()
    spec = find_model(str(folder), replaced=unread_components())
    vectors = load_vectors(spec, find_space(spec), CPU, torch.float32)
    whole = encoded(load(tiny_folder), "a sheep")
    assert torch.equal(encoded(vectors, "a sheep")["a sheep"], whole["a sheep"])
