"""What the judge sees in pictures: its answers, and its features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from sheepgen.training.evaluation.attributes import ATTRIBUTES, concept_classes
from sheepgen.training.evaluation.classifier import THINGS
from sheepgen.training.vae import to_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sheepgen.training.evaluation.classifier import Classifier

__all__ = ["Sighting", "embed", "judge_pictures"]

JUDGED_TOGETHER = 64

SURE = 0.5
"""How likely a thing must be at four neighbouring places on average to be seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """What the judge sees in one picture.

    Args:
        things: Those of `concept_classes` that are likely there at four neighbouring places.
        answers: The likeliest answer to each of `ATTRIBUTES`, by its name.
    """

    things: frozenset[str]
    answers: Mapping[str, str]


@torch.inference_mode()
def judge_pictures(classifier: Classifier, pictures: NDArray[np.uint8]) -> list[Sighting]:
    """Say what is seen in each picture.

    Args:
        classifier: Trained, wherever it is.
        pictures: (pictures, height, width, 3), of any size.
    """
    sightings: list[Sighting] = []
    for batch in _batches(classifier, pictures):
        logits = classifier(batch)
        answers = {
            name: [attribute.classes[number] for number in logits[name].argmax(dim=1).tolist()]
            for name, attribute in ATTRIBUTES.items()
        }
        likely = functional.avg_pool2d(logits[THINGS].softmax(1)[:, :-1], 2, 1).amax((2, 3))
        for row, there in enumerate((likely >= SURE).cpu()):
            things = frozenset(
                concept_classes()[number] for number in there.nonzero()[:, 0].tolist()
            )
            own_answers = {name: column[row] for name, column in answers.items()}
            sightings.append(Sighting(things=things, answers=own_answers))
    return sightings


@torch.inference_mode()
def embed(classifier: Classifier, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return each picture's features, (pictures, features); arguments as of `judge_pictures`."""
    pooled = [classifier.pooled(batch).cpu() for batch in _batches(classifier, pictures)]
    features: NDArray[np.float32] = torch.cat(pooled).numpy()
    return features


def _batches(classifier: Classifier, pictures: NDArray[np.uint8]) -> Iterator[Tensor]:
    device = next(classifier.parameters()).device
    for start in range(0, len(pictures), JUDGED_TOGETHER):
        yield to_tensor(pictures[start : start + JUDGED_TOGETHER], device)
