"""Generating and scoring groups of prompts; how good the classifier is is measured, not tested."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from sheepgen.errors import UsageError
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import generate, stream_batch
from sheepgen.request import GenerationRequest
from sheepgen.training.data.scene import Scene
from sheepgen.training.evaluation import evaluate
from sheepgen.training.evaluation.classifier import Classifier
from sheepgen.training.evaluation.evaluate import (
    Evaluator,
    evaluate_model,
    generate_images,
    save_sheet,
    sheet_paths,
)
from sheepgen.training.evaluation.metrics import frechet_distance
from sheepgen.training.evaluation.predictions import Prediction, embed
from sheepgen.training.evaluation.prompts import Prompt
from tests.training.data.fakes import Blocks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

TWO_RED_CATS = Prompt(
    group="cats",
    text="two red cats",
    scene=Scene(kind="several", subject="cat", count=2, colour="red", style="noto"),
    attributes={"count": "2", "colour": "red"},
)
CAT = replace(
    TWO_RED_CATS,
    text="a cat",
    scene=Scene(kind="single", subject="cat", style="noto"),
    attributes={},
)


def evaluator() -> Evaluator:
    torch.manual_seed(0)
    features = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
    classifier = Classifier((4, 4)).eval()
    return Evaluator(classifier=classifier, icons=Blocks(), image_size=32, real_features=features)


def test_generated_images_and_real_scenes_are_classified(monkeypatch: pytest.MonkeyPatch) -> None:
    cat = Prediction(concepts=frozenset({"cat"}), attributes={"count": "2", "colour": "red"})
    dog = replace(cat, concepts=frozenset({"dog"}))
    predictions, batches = iter(([cat, dog, dog, dog], [cat, cat, cat, dog])), []

    def predict(_: Classifier, images: NDArray[np.uint8]) -> list[Prediction]:
        batches.append(images)
        return next(predictions)

    monkeypatch.setattr(evaluate, "predict", predict)
    white = Image.new("RGB", (48, 48), "white")
    result = evaluator().evaluate("cats", [TWO_RED_CATS] * 4, [white] * 4)
    assert (result.score.exact_match, result.score.upper_bound) == (25.0, 75.0)
    assert [batch.shape for batch in batches] == [(4, 48, 48, 3), (4, 32, 32, 3)]
    # Real scenes of one prompt differ.
    assert len(np.unique(batches[1], axis=0)) == 4


def test_the_distance_is_that_of_all_features() -> None:
    noise = np.random.default_rng(1).integers(256, size=(6, 32, 32, 3), dtype=np.uint8)
    images = [Image.fromarray(image) for image in noise]
    own = evaluator()
    results = [own.evaluate("cats", [CAT] * 3, part) for part in (images[:3], images[3:])]
    expected = frechet_distance(own.real_features, embed(own.classifier, noise))
    assert own.distance(results) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("width", "batches"), [(None, [5]), (128, [4, 1]), (256, [2, 2, 1]), (512, [1] * 5)]
)
def test_small_images_are_generated_in_batches(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, width: int | None, batches: list[int]
) -> None:
    monkeypatch.setattr(evaluate, "MAX_BATCH_PIXELS", 4 * 128 * 32)
    parts = load_model(find_model(str(tiny_folder)), device="cpu", dtype="fp32")
    sizes = []

    def noted(parts: object, requests: Sequence[GenerationRequest], **named: object) -> object:
        sizes.append(len(requests))
        return stream_batch(parts, requests, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluate, "stream_batch", noted)
    settings = GenerationRequest(prompt="any", seed=0, num_inference_steps=1, width=width)
    prompts, seeds = ("a sheep", "red", "a", "b", "c"), (7,)
    images = [*generate_images(parts, settings, prompts, seeds)]
    assert sizes == batches
    alone = generate(parts, replace(settings, prompt="red", seed=7))
    assert images[1].size == alone.size == (width or 32, 32)
    difference = np.abs(np.asarray(images[1], int) - np.asarray(alone, int))
    assert difference.max() <= 1


def test_every_prompt_is_generated_with_all_seeds_in_order(tiny_folder: Path) -> None:
    model = load_model(find_model(str(tiny_folder)), device="cpu", dtype="fp32")
    settings = GenerationRequest(prompt="any", seed=0, num_inference_steps=1)
    groups = {"cats": [TWO_RED_CATS, CAT], "cat": [CAT]}
    first, second = evaluate_model(model, settings, evaluator(), groups, 3)
    assert (first.score.group, first.score.images, second.score.images) == ("cats", 6, 3)
    assert first.features.shape == (6, 8)
    last_cat = generate(model, replace(settings, prompt="a cat", seed=2))
    assert np.abs(np.asarray(first.images[5], int) - np.asarray(last_cat, int)).max() <= 1


def test_sheets_replace_files_only_on_request(tmp_path: Path) -> None:
    (tmp_path / "on-top.png").write_text("mine")
    with pytest.raises(UsageError, match=r"on-top\.png already exists"):
        sheet_paths(tmp_path, ["on top"])
    paths = sheet_paths(tmp_path, ["on top", "colours"], overwrite=True)
    assert [*paths.values()] == [tmp_path / "on-top.png", tmp_path / "colours.png"]
    save_sheet([Image.new("RGB", (8, 8))] * 17, paths["on top"])
    with Image.open(paths["on top"]) as sheet:
        assert sheet.size == (16 * 8, 2 * 8)
