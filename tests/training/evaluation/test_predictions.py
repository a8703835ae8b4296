"""What the judge sees: things that are likely at enough places, in pictures of any size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sheepgen.training.evaluation.attributes import ATTRIBUTES, concept_classes
from sheepgen.training.evaluation.classifier import Classifier
from sheepgen.training.evaluation.predictions import embed, judge_pictures

SIDE = 8
"""Places a side."""


class Sure(Classifier):
    """Sees in every picture what it is told to, so surely, at so many places."""

    def __init__(self, sights: dict[str, Tensor]) -> None:
        """Take how likely each thing is at each place, (rows, columns)."""
        super().__init__((8,))
        likely = torch.zeros(len(concept_classes()) + 1, SIDE, SIDE)
        for name, places in sights.items():
            likely[concept_classes().index(name)] = places
        likely[-1] = 1 - likely.sum(0)
        self.things = likely.clamp(min=1e-9).log()

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Return the logits by head."""
        answers = {name: torch.zeros(len(pictures), 1) for name in ATTRIBUTES}
        return answers | {"things": self.things.expand(len(pictures), -1, -1, -1)}


def sight(*where: tuple[int, int], likely: float) -> Tensor:
    """Return how likely a thing is at each place: so much where it is, by row and column."""
    found = torch.zeros(SIDE, SIDE)
    for row, column in where:
        found[row, column] = likely
    return found


def sighted(sights: dict[str, Tensor]) -> frozenset[str]:
    """Return what is seen in a picture in which there are these sights."""
    (sighting,) = judge_pictures(Sure(sights), np.zeros((1, 8, 8, 3), np.uint8))
    return sighting.things


SQUARE = ((3, 4), (3, 5), (4, 4), (4, 5))


def test_a_thing_is_seen_where_it_is_likely_at_four_neighbouring_places() -> None:
    assert sighted({"cat": sight(*SQUARE, likely=0.6)}) == {"cat"}
    assert sighted({"cat": sight(*SQUARE, likely=0.4)}) == set()
    # It is their mean that counts.
    assert sighted({"cat": sight(*SQUARE[:3], likely=0.9)}) == {"cat"}
    assert sighted({"cat": sight(*SQUARE[:2], likely=0.9)}) == set()


def test_a_thing_is_not_seen_at_single_places_however_many() -> None:
    everywhere = [(row, column) for row in range(0, 8, 2) for column in range(0, 8, 2)]
    assert sighted({"cat": sight(*everywhere, likely=0.99)}) == set()


def test_several_things_are_seen_in_one_picture_and_none_where_there_is_none() -> None:
    corners = (((0, 0), (0, 1), (1, 0), (1, 1)), ((6, 6), (6, 7), (7, 6), (7, 7)))
    names = ("cat", "digit 4")
    sights = {name: sight(*corner, likely=0.8) for name, corner in zip(names, corners, strict=True)}
    assert sighted(sights) == {*names}
    assert sighted({}) == set()


@pytest.mark.parametrize("side", [128, 256, 512])
def test_pictures_of_any_size_are_judged(side: int) -> None:
    coarse = np.random.default_rng(0).integers(256, size=(3, 64, 64, 3), dtype=np.uint8)
    pictures = coarse.repeat(side // 64, axis=1).repeat(side // 64, axis=2)
    network = Classifier((8, 8, 8)).eval()
    features = embed(network, pictures)
    assert features.shape == (3, 16)
    # Every side shows the same blocks; averaged to the input's size they are the same picture.
    at_input_size = embed(network, coarse.repeat(2, axis=1).repeat(2, axis=2))
    np.testing.assert_allclose(features, at_input_size, rtol=1e-4, atol=1e-5)
    assert len(judge_pictures(network, pictures)) == 3
