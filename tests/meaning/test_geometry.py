from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from sheepgen.meaning.geometry import flat_map, mean_cosine, normalise


def vectors(count: int, width: int = 7) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(count))


def test_a_vector_without_a_direction_stays_zero() -> None:
    unit = normalise(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    assert unit.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]]


def test_the_mean_cosine_is_that_of_all_pairs() -> None:
    unit = normalise(vectors(9))
    rows = unit.numpy().astype(np.float64)
    expected = np.mean([first @ second for first, second in combinations(rows, 2)])
    assert mean_cosine(unit) == pytest.approx(expected, abs=1e-7)


def test_the_map_is_that_of_a_singular_value_decomposition() -> None:
    unit = normalise(vectors(12))
    plane = flat_map(unit)
    rows = unit.numpy().astype(np.float64)
    left, values, _ = np.linalg.svd(rows - rows.mean(0))
    expected = left[:, :2] * values[:2]
    np.testing.assert_allclose(np.abs(plane.points.numpy()), np.abs(expected), atol=1e-9)
    np.testing.assert_allclose(plane.shares, values[:2] ** 2 / np.sum(values**2), atol=1e-9)


def test_the_map_keeps_distances_that_fit_on_it() -> None:
    flat = torch.nn.functional.pad(normalise(vectors(5, 2)), (0, 30))
    points = flat_map(flat).points
    torch.testing.assert_close(torch.cdist(points, points), torch.cdist(flat, flat).double())
    assert sum(flat_map(flat).shares) == pytest.approx(1)


def test_the_map_does_not_depend_on_the_order() -> None:
    unit = normalise(vectors(6))
    points = flat_map(unit).points
    torch.testing.assert_close(flat_map(unit.flip(0)).points.flip(0), points)
    for axis in points.T:
        assert axis[axis.abs().argmax()] > 0


def test_equal_points_are_one() -> None:
    plane = flat_map(normalise(torch.ones(4, 3)))
    assert plane.points.abs().max() < 1e-6
