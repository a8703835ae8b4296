from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from sheepgen.errors import UsageError
from sheepgen.meaning.measure import TextsEncoded, measure_meaning
from sheepgen.meaning.query import MeaningQuery, parse_analogy
from sheepgen.meaning.report import to_dict
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.clip import encode_text
from tests.meaning.asking import WORDS, measured
from tests.tiny import MAX_TOKENS

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel

PROMPTS = ("a sheep", "red sheep", "a deer")


@pytest.fixture(scope="module")
def numbers(tiny_parts: StableDiffusionModel) -> dict[str, np.ndarray]:
    """Return the end token's state of each text, as the whole model's own encoder gives it."""
    with torch.inference_mode():
        outputs = {
            text: encode_text(tiny_parts.tokenizer, tiny_parts.text_encoder, text, limit=MAX_TOKENS)
            for text in (*PROMPTS, *WORDS)
        }
    return {text: each.pooler_output[0].double().numpy() for text, each in outputs.items()}


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


@pytest.mark.parametrize("centred", [True, False])
def test_distances_are_those_computed_by_hand(
    tiny_folder: Path, numbers: dict[str, np.ndarray], *, centred: bool
) -> None:
    found = measured(tiny_folder, *PROMPTS, centred=centred)
    middle = np.mean([numbers[word] for word in WORDS], axis=0) if centred else 0
    moved = {text: vector - middle for text, vector in numbers.items()}
    expected = [[cosine(moved[a], moved[b]) for b in PROMPTS] for a in PROMPTS]
    np.testing.assert_allclose(found.cosines.numpy(), expected, atol=1e-5)
    of_sheep = {word: cosine(moved["a sheep"], moved[word]) for word in WORDS if word != "sheep"}
    nearest = sorted(of_sheep, key=of_sheep.__getitem__, reverse=True)
    assert [near.text for near in found.nearest[0]] == nearest
    for near in found.nearest[0]:
        assert near.cosine == pytest.approx(of_sheep[near.text], abs=1e-5)
    of_words = np.array([numbers[word] / np.linalg.norm(numbers[word]) for word in WORDS])
    products = of_words @ of_words.T
    count = len(WORDS)
    expected_mean = (products.sum() - count) / (count * (count - 1))
    assert found.mean_cosine[0] == pytest.approx(expected_mean, abs=1e-5)
    assert (found.mean_cosine[1] == pytest.approx(expected_mean, abs=1e-5)) is not centred


def test_a_sum_is_that_of_unit_vectors(tiny_folder: Path, numbers: dict[str, np.ndarray]) -> None:
    found = measured(tiny_folder, analogies=(parse_analogy("a deer - red + sheep"),))
    middle = np.mean([numbers[word] for word in WORDS], axis=0)
    unit = {
        text: (vector - middle) / np.linalg.norm(vector - middle)
        for text, vector in numbers.items()
    }
    total = unit["a deer"] - unit["red"] + unit["sheep"]
    others = {word: cosine(total, unit[word]) for word in WORDS}
    (result,) = found.analogies
    left = sorted(others.keys() - {"a deer", "red", "sheep"}, key=others.__getitem__, reverse=True)
    assert [near.text for near in result.nearest] == left
    assert result.nearest[0].cosine == pytest.approx(others[left[0]], abs=1e-5)
    assert result.first_of_all is not None
    assert result.first_of_all.text == max(others, key=others.__getitem__)


def test_progress_ends_with_all_texts(tiny_folder: Path) -> None:
    query = MeaningQuery(prompts=("a sheep",), words=WORDS)
    spec = find_model(str(tiny_folder))
    events = [*measure_meaning(spec, query, device="cpu", dtype="fp32")]
    counted = [each for each in events if isinstance(each, TextsEncoded)]
    assert counted[-1].done == counted[-1].total
    assert [each.done for each in counted] == sorted(each.done for each in counted)


def test_the_embedded_model_says_what_it_does_not_know(parsing_folder: Path) -> None:
    words = ("sheep", "fire truck", "xylophonist")
    found = measured(parsing_folder, "a sheep", "a red fire truck", words=words)
    assert found.unknown_words == ("xylophonist",)
    assert found.readings[0].understood == "a sheep"
    assert found.cosines[0, 1] < 0.9
    with pytest.raises(UsageError, match='Nothing in "a xylophonist" is known to'):
        measured(parsing_folder, "a xylophonist", words=words)
    with pytest.raises(UsageError, match="knows fewer than two of the words"):
        measured(parsing_folder, "a sheep", words=("sheep", "xylophonist"))


def test_a_text_that_is_too_long_is_read_in_part(tiny_folder: Path) -> None:
    found = measured(tiny_folder, "sheep " * 30)
    assert len(found.readings[0].truncated) == 16
    assert found.space.limit == MAX_TOKENS


def test_the_map_has_prompts_words_and_sums(tiny_folder: Path) -> None:
    found = measured(tiny_folder, "a sheep", analogies=(parse_analogy("shed - red"),), nearest=1)
    kinds = {point.text: point.kind for point in found.map}
    assert kinds["a sheep"] == kinds["shed"] == "prompt"
    assert kinds["shed - red"] == "sum"
    assert "word" in kinds.values()
    assert 0 < sum(found.map_shares) <= 1 + 1e-9


def test_the_numbers_are_plain_json(tiny_folder: Path) -> None:
    found = measured(tiny_folder, *PROMPTS, analogies=(parse_analogy("a deer - red"),))
    data = json.loads(json.dumps(to_dict(found), allow_nan=False))
    assert data["prompts"] == list(PROMPTS)
    assert [row[at] for at, row in enumerate(data["distances"])] == [pytest.approx(0, abs=1e-5)] * 3
    assert data["space"]["encoder"] == "text_encoder"
    assert data["space"]["pooling"] == "the end token"
    assert data["check"]["summary"]
    assert data["map"]["method"] == "PCA"
