"""Concepts are recognised where they are likely in enough cells, in images of any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sheepgen.training.evaluation.attributes import ATTRIBUTES, concept_classes
from sheepgen.training.evaluation.classifier import Classifier
from sheepgen.training.evaluation.predictions import embed, predict

SIDE = 8
"""Grid cells per side."""


class Fixed(Classifier):
    """Returns the same probabilities for every image."""

    def __init__(self, probabilities: dict[str, Tensor]) -> None:
        """Take the probability of each concept in each cell, (rows, columns)."""
        super().__init__((8,))
        grid = torch.zeros(len(concept_classes()) + 1, SIDE, SIDE)
        for name, cells in probabilities.items():
            grid[concept_classes().index(name)] = cells
        grid[-1] = 1 - grid.sum(0)
        self.concepts = grid.clamp(min=1e-9).log()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the logits by head."""
        attributes = {name: torch.zeros(len(images), 1) for name in ATTRIBUTES}
        return attributes | {"things": self.concepts.expand(len(images), -1, -1, -1)}


def cells(*where: tuple[int, int], likely: float) -> Tensor:
    """Return probabilities of a concept: ``likely`` in the given cells, by row and column."""
    found = torch.zeros(SIDE, SIDE)
    for row, column in where:
        found[row, column] = likely
    return found


def recognised(probabilities: dict[str, Tensor]) -> frozenset[str]:
    """Return the concepts that are recognised for these probabilities."""
    (prediction,) = predict(Fixed(probabilities), np.zeros((1, 8, 8, 3), np.uint8))
    return prediction.concepts


SQUARE = ((3, 4), (3, 5), (4, 4), (4, 5))


def test_a_concept_is_recognised_where_it_is_likely_in_four_neighbouring_cells() -> None:
    assert recognised({"cat": cells(*SQUARE, likely=0.6)}) == {"cat"}
    assert recognised({"cat": cells(*SQUARE, likely=0.4)}) == set()
    # It is their mean that counts.
    assert recognised({"cat": cells(*SQUARE[:3], likely=0.9)}) == {"cat"}
    assert recognised({"cat": cells(*SQUARE[:2], likely=0.9)}) == set()


def test_a_concept_is_not_recognised_in_single_cells_however_many() -> None:
    everywhere = [(row, column) for row in range(0, 8, 2) for column in range(0, 8, 2)]
    assert recognised({"cat": cells(*everywhere, likely=0.99)}) == set()


def test_several_concepts_are_recognised_in_one_image_or_none() -> None:
    corners = (((0, 0), (0, 1), (1, 0), (1, 1)), ((6, 6), (6, 7), (7, 6), (7, 7)))
    names = ("cat", "digit 4")
    probabilities = {
        name: cells(*corner, likely=0.8) for name, corner in zip(names, corners, strict=True)
    }
    assert recognised(probabilities) == {*names}
    assert recognised({}) == set()


@pytest.mark.parametrize("side", [128, 256, 512])
def test_images_of_any_size_are_classified(side: int) -> None:
    coarse = np.random.default_rng(0).integers(256, size=(3, 64, 64, 3), dtype=np.uint8)
    images = coarse.repeat(side // 64, axis=1).repeat(side // 64, axis=2)
    network = Classifier((8, 8, 8)).eval()
    features = embed(network, images)
    assert features.shape == (3, 16)
    # Every side shows the same blocks; averaged to the input's size they are the same picture.
    at_input_size = embed(network, coarse.repeat(2, axis=1).repeat(2, axis=2))
    np.testing.assert_allclose(features, at_input_size, rtol=1e-4, atol=1e-5)
    assert len(predict(network, images)) == 3
