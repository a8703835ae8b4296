"""The arithmetic of an evaluation; what the judge sees is measured, not tested."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import generate, stream_batch
from sheepgen.request import GenerationRequest
from sheepgen.training.data.scene import Scene
from sheepgen.training.evaluation import evaluate
from sheepgen.training.evaluation import generate as draw
from sheepgen.training.evaluation.classifier import Classifier
from sheepgen.training.evaluation.evaluate import Judge, score_model
from sheepgen.training.evaluation.frechet import frechet_distance
from sheepgen.training.evaluation.generate import draw_prompts
from sheepgen.training.evaluation.predictions import Sighting, embed
from sheepgen.training.evaluation.prompts import Prompt
from sheepgen.training.evaluation.score import is_found, is_right, wilson_interval
from tests.training.data.fakes import Blocks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

TWO_RED_CATS = Prompt(
    group="cats",
    text="two red cats",
    scene=Scene(kind="several", subject="cat", count=2, colour="red", style="noto"),
    asked={"count": "2", "colour": "red"},
)
CAT = replace(TWO_RED_CATS, text="a cat", scene=Scene(kind="single", subject="cat", style="noto"),
              asked={})  # fmt: skip


def seen(*things: str, count: str = "2", colour: str = "red") -> Sighting:
    return Sighting(things=frozenset(things), answers={"count": count, "colour": colour})


@pytest.mark.parametrize(
    ("prompt", "sighting", "found", "right"),
    [
        (TWO_RED_CATS, seen("cat"), True, True),
        (TWO_RED_CATS, seen("cat", "dog"), True, True),
        (TWO_RED_CATS, seen("cat", count="3"), True, False),
        (TWO_RED_CATS, seen("cat", colour=""), True, False),
        (TWO_RED_CATS, seen("dog"), False, False),
        (TWO_RED_CATS, seen(), False, False),
        (CAT, seen("cat", count="4"), True, True),
        (CAT, seen("dog"), False, False),
    ],
)
def test_what_is_found_and_what_is_right(
    prompt: Prompt, sighting: Sighting, found: bool, right: bool
) -> None:
    assert is_found(prompt, sighting) is found
    assert is_right(prompt, sighting) is right


def judge(size: int = 32) -> Judge:
    torch.manual_seed(0)
    features = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
    classifier = Classifier((4, 4)).eval()
    return Judge(classifier=classifier, drawings=Blocks(), size=size, real_features=features)


def test_a_score_counts_right_found_and_what_real_scenes_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = [seen("cat"), seen("cat", count="1"), seen("dog"), seen("cat", "dog")]
    real = [seen("cat"), seen("cat"), seen("cat"), seen("cat", colour="blue")]
    looks, pictures_seen = iter((drawn, real)), []

    def look(_: Classifier, pictures: NDArray[np.uint8]) -> list[Sighting]:
        pictures_seen.append(pictures)
        return next(looks)

    monkeypatch.setattr(evaluate, "judge_pictures", look)
    white = Image.new("RGB", (48, 48), "white")
    score = judge().score("cats", [TWO_RED_CATS] * 4, [white] * 4)
    assert score.to_dict() == {
        "group": "cats",
        "pictures": 4,
        "right": 50.0,
        "interval": wilson_interval(2, 4),
        "found": 75.0,
        "ceiling": 75.0,
        "by_chance": 0.0,
    }
    assert [batch.shape for batch in pictures_seen] == [(4, 48, 48, 3), (4, 32, 32, 3)]
    # Real scenes of one prompt differ.
    assert len(np.unique(pictures_seen[1], axis=0)) == 4


def test_by_chance_is_how_often_another_prompts_things_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cats, dogs = (
        TWO_RED_CATS,
        replace(TWO_RED_CATS, scene=replace(TWO_RED_CATS.scene, subject="dog")),
    )
    drawn = [seen("cat"), seen("cat", "dog"), seen("cat"), seen("dog")]
    monkeypatch.setattr(evaluate, "judge_pictures", lambda *_: drawn)
    white = [Image.new("RGB", (32, 32), "white")] * 4
    # Where cats are drawn dogs are looked for, and the other way round; cats are no other's.
    assert judge().score("pets", [cats, cats, dogs, dogs], white).by_chance == 50.0
    assert judge().score("cats", [cats] * 4, white).by_chance == 0.0


def test_the_distance_is_that_of_the_judges_features() -> None:
    noise = np.random.default_rng(1).integers(256, size=(6, 32, 32, 3), dtype=np.uint8)
    own = judge()
    expected = frechet_distance(own.real_features, embed(own.classifier, noise))
    assert own.distance([Image.fromarray(picture) for picture in noise]) == expected


@pytest.mark.parametrize(
    ("width", "batches"), [(None, [5]), (128, [4, 1]), (256, [2, 2, 1]), (512, [1] * 5)]
)
def test_prompts_are_drawn_together_as_far_as_they_are_small(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, width: int | None, batches: list[int]
) -> None:
    monkeypatch.setattr(draw, "MOST_PIXELS", 4 * 128 * 32)
    parts = load_model(find_model(str(tiny_folder)), device="cpu", dtype="fp32")
    sizes = []

    def noted(parts: object, requests: Sequence[GenerationRequest], **named: object) -> object:
        sizes.append(len(requests))
        return stream_batch(parts, requests, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(draw, "stream_batch", noted)
    settings = GenerationRequest(prompt="any", seed=0, num_inference_steps=1, width=width)
    prompts, seeds = ("a sheep", "red", "a", "b", "c"), (7,)
    pictures = [*draw_prompts(parts, settings, prompts, seeds)]
    assert sizes == batches
    alone = generate(parts, replace(settings, prompt="red", seed=7))
    assert pictures[1].size == alone.size == (width or 32, 32)
    difference = np.abs(np.asarray(pictures[1], int) - np.asarray(alone, int))
    assert difference.max() <= 1


def test_every_group_is_drawn_with_all_seeds_in_order(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = {"cats": [TWO_RED_CATS, CAT], "cat": [CAT]}
    monkeypatch.setattr(
        evaluate, "prompt_groups", lambda names: {name: groups[name] for name in names or groups}
    )
    parts = load_model(find_model(str(tiny_folder)), device="cpu", dtype="fp32")
    settings = GenerationRequest(prompt="any", seed=0, num_inference_steps=1)
    (first, both), (second, _) = score_model(parts, settings, judge(), 3)
    assert (first.group, first.pictures, second.pictures) == ("cats", 6, 3)
    last_cat = generate(parts, replace(settings, prompt="a cat", seed=2))
    assert np.abs(np.asarray(both[5], int) - np.asarray(last_cat, int)).max() <= 1
    ((only, pictures),) = score_model(parts, settings, judge(), groups=["cat"])
    assert (only.group, len(pictures)) == ("cat", 2)


@pytest.mark.parametrize(
    ("hits", "of", "interval"),
    [
        (0, 10, (0.0, 27.8)),  # figures of Newcombe (1998) and of statsmodels
        (5, 10, (23.7, 76.3)),
        (10, 10, (72.2, 100.0)),
        (81, 263, (25.5, 36.6)),
    ],
)
def test_wilson_intervals_are_those_of_the_books(
    hits: int, of: int, interval: tuple[float, float]
) -> None:
    assert wilson_interval(hits, of) == interval


@given(st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_an_interval_holds_its_share(counted: tuple[int, int]) -> None:
    hits, of = counted
    low, high = wilson_interval(hits, of)
    assert 0 <= low <= 100 * hits / of + 0.05
    assert 100 * hits / of - 0.05 <= high <= 100
    assert low < high


def test_the_distance_of_two_known_distributions() -> None:
    rng = np.random.default_rng(0)
    same = rng.normal(size=(400, 5))
    assert frechet_distance(same, same) == pytest.approx(0, abs=1e-8)
    assert frechet_distance(same, same + 2) == pytest.approx(5 * 2**2)
    # Twice as wide: the trace of (1 - 2)^2 times the covariance.
    wider = frechet_distance(same, same * 2 - same.mean(axis=0))
    assert wider == pytest.approx(np.trace(np.cov(same, rowvar=False)))


def test_fewer_pictures_than_features_have_a_distance_too() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.normal(size=(6, 20)), rng.normal(size=(50, 20))
    assert 0 < frechet_distance(few, many) < 200
    # Two pictures spread along one line only; only along it do the others match them.
    two = np.zeros((2, 20))
    two[:, 0] = -3, 3
    along = many - many.mean(axis=0)
    along[:, 1:] = 0
    expected = (np.sqrt(18) - along[:, 0].std(ddof=1)) ** 2
    assert frechet_distance(two, along) == pytest.approx(expected)
    assert frechet_distance(two, two + 5) == pytest.approx(20 * 5**2)
