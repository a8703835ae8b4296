"""The arithmetic of an evaluation; what the judge sees is measured, not tested."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.training.evaluate import wilson_interval
from sheepgen.training.frechet import frechet_distance


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
