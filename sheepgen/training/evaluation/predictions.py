"""Run the classifier: what it recognises in images, and their features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from sheepgen.training.evaluation.attributes import ATTRIBUTES, CONCEPTS, concept_classes
from sheepgen.training.vae import to_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sheepgen.training.evaluation.classifier import Classifier

__all__ = ["Prediction", "embed", "predict"]

BATCH_SIZE = 64

THRESHOLD = 0.5
"""The least mean probability of a concept over 2 by 2 grid cells."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """What the classifier recognises in one image.

    Args:
        concepts: Those of `concept_classes` that reach `THRESHOLD` anywhere.
        attributes: The most likely class of each of `ATTRIBUTES`, by its name.
    """

    concepts: frozenset[str]
    attributes: Mapping[str, str]


@torch.inference_mode()
def predict(classifier: Classifier, images: NDArray[np.uint8]) -> list[Prediction]:
    """Classify images.

    Args:
        classifier: In evaluation mode, on any device.
        images: (images, height, width, 3), of any size.
    """
    predictions: list[Prediction] = []
    for batch in _batches(classifier, images):
        logits = classifier(batch)
        attributes = {
            name: [attribute.classes[index] for index in logits[name].argmax(dim=1).tolist()]
            for name, attribute in ATTRIBUTES.items()
        }
        probabilities = logits[CONCEPTS].softmax(1)[:, :-1]  # the last is "no concept"
        strongest = functional.avg_pool2d(probabilities, 2, 1).amax((2, 3))
        for row, recognised in enumerate((strongest >= THRESHOLD).cpu()):
            predictions.append(
                Prediction(
                    concepts=frozenset(
                        concept_classes()[index] for index in recognised.nonzero()[:, 0].tolist()
                    ),
                    attributes={name: values[row] for name, values in attributes.items()},
                )
            )
    return predictions


@torch.inference_mode()
def embed(classifier: Classifier, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the features of each image, (images, features); arguments as of `predict`."""
    pooled = [classifier.pooled(batch).cpu() for batch in _batches(classifier, images)]
    features: NDArray[np.float32] = torch.cat(pooled).numpy()
    return features


def _batches(classifier: Classifier, images: NDArray[np.uint8]) -> Iterator[Tensor]:
    device = next(classifier.parameters()).device
    for start in range(0, len(images), BATCH_SIZE):
        yield to_tensor(images[start : start + BATCH_SIZE], device)
