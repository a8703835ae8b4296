"""The arithmetic of an evaluation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.training.data.scene import Scene
from sheepgen.training.evaluation.metrics import (
    false_positive_rate,
    frechet_distance,
    has_concepts,
    is_exact_match,
    score_predictions,
    wilson_interval,
)
from sheepgen.training.evaluation.predictions import Prediction
from sheepgen.training.evaluation.prompts import Prompt

TWO_RED_CATS = Prompt(
    group="cats",
    text="two red cats",
    scene=Scene(kind="several", subject="cat", count=2, colour="red", style="noto"),
    attributes={"count": "2", "colour": "red"},
)
CAT = replace(TWO_RED_CATS, text="a cat", scene=Scene(kind="single", subject="cat", style="noto"),
              attributes={})  # fmt: skip


def seen(*concepts: str, count: str = "2", colour: str = "red") -> Prediction:
    return Prediction(concepts=frozenset(concepts), attributes={"count": count, "colour": colour})


@pytest.mark.parametrize(
    ("prompt", "prediction", "recalled", "exact"),
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
def test_what_has_concepts_and_what_is_exact_match(
    prompt: Prompt, prediction: Prediction, recalled: bool, exact: bool
) -> None:
    assert has_concepts(prompt, prediction) is recalled
    assert is_exact_match(prompt, prediction) is exact


def test_a_score_counts_matches_recall_and_what_real_scenes_reach() -> None:
    generated = [seen("cat"), seen("cat", count="1"), seen("dog"), seen("cat", "dog")]
    real = [seen("cat"), seen("cat"), seen("cat"), seen("cat", colour="blue")]
    assert score_predictions("cats", [TWO_RED_CATS] * 4, generated, real).to_dict() == {
        "group": "cats",
        "images": 4,
        "exact_match": 50.0,
        "exact_match_interval": wilson_interval(2, 4),
        "recall": 75.0,
        "false_positive_rate": 0.0,
        "upper_bound": 75.0,
    }


def test_false_positives_are_the_concepts_of_another_prompt() -> None:
    cats, dogs = (
        TWO_RED_CATS,
        replace(TWO_RED_CATS, scene=replace(TWO_RED_CATS.scene, subject="dog")),
    )
    predictions = [seen("cat"), seen("cat", "dog"), seen("cat"), seen("dog")]
    # For prompts of cats dogs are looked for, and the other way round; cats are not another's.
    assert false_positive_rate([cats, cats, dogs, dogs], predictions) == 0.5
    assert false_positive_rate([cats] * 4, predictions) == 0.0


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
