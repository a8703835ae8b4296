"""The judge: a small network of its own that says which things a picture shows.

It is trained on real scenes only, made with another seed than the model's training scenes, and
may see held-out pairs; nothing of it ever reaches the model. Its own accuracy on real held-out
scenes is reported beside every figure, as the ceiling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sheepgen.training.autoencoder import to_tensor
from sheepgen.training.concepts import CONCEPTS
from sheepgen.training.loop import Checkpoint, TrainStep, cosine_learning_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sheepgen.training.config import ClassifierConfig
    from sheepgen.training.scenes import Scene

__all__ = ["LABELS", "Classifier", "embed", "found", "scene_labels", "train_classifier"]

LABELS: tuple[str, ...] = (*CONCEPTS, *(f"digit {digit}" for digit in range(10)))
INPUT_SIZE = 64
SAVE_EVERY = 500


class Classifier(nn.Module):
    """Pictures (batch, 3, height, width) in [-1, 1] to one logit a label, (batch, labels)."""

    def __init__(self, widths: Sequence[int] = (32, 64, 128, 192)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in widths:
            layers += [
                nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            channels = width
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels * 2, len(LABELS))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.head(self.pooled(pictures))
        return logits

    def pooled(self, pictures: Tensor) -> Tensor:
        """Return what the head sees of the whole picture, (batch, features)."""
        features = self.features(functional.adaptive_avg_pool2d(pictures, INPUT_SIZE))
        return torch.cat([features.amax(dim=(2, 3)), features.mean(dim=(2, 3))], dim=1)


def scene_labels(scene: Scene) -> tuple[str, ...]:
    """Return what a scene shows, in the classifier's labels."""
    if scene.kind == "digit":
        return (f"digit {scene.subject}",)
    return (scene.subject, scene.other) if scene.other else (scene.subject,)


def train_classifier(
    classifier: Classifier,
    pictures: NDArray[np.uint8],
    scenes: Sequence[Scene],
    config: ClassifierConfig,
    checkpoint_path: Path,
) -> Iterator[TrainStep]:
    """Train in place, from the checkpoint if there is one; yields every step."""
    targets = torch.zeros(len(scenes), len(LABELS))
    for row, scene in enumerate(scenes):
        for label in scene_labels(scene):
            targets[row, LABELS.index(label)] = 1.0
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=0.0, weight_decay=0.01)
    checkpoint = Checkpoint(checkpoint_path, {"classifier": classifier, "optimizer": optimizer})
    done = checkpoint.load()
    classifier.train()
    for step in range(done, config.steps):
        rng = np.random.default_rng((config.seed, step))
        chosen = np.sort(rng.integers(len(scenes), size=config.batch_size))
        batch = _augment(rng, to_tensor(pictures[chosen]))
        loss = functional.binary_cross_entropy_with_logits(classifier(batch), targets[chosen]) * 10
        for group in optimizer.param_groups:
            group["lr"] = cosine_learning_rate(step, config.steps, config.learning_rate, 100)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == config.steps:
            checkpoint.save(step + 1)
        yield TrainStep(
            phase="classifier", step=step + 1, total_steps=config.steps, loss=loss.item()
        )
    classifier.eval()


def _augment(rng: np.random.Generator, pictures: Tensor) -> Tensor:
    """Blur or noise the batch, so that softness alone does not hide a thing."""
    blur = int(rng.integers(3))
    if blur:
        pictures = functional.avg_pool2d(pictures, 2 * blur + 1, 1, blur, count_include_pad=False)
    noise = torch.from_numpy(rng.standard_normal(pictures.shape, np.float32))
    return pictures + noise * float(rng.uniform(0, 0.15))


def found(classifier: Classifier, pictures: NDArray[np.uint8]) -> list[set[str]]:
    """Return for each picture the labels whose probability is at least one half."""
    logits = _in_batches(classifier, pictures)
    return [{LABELS[k] for k in row.nonzero()[:, 0].tolist()} for row in logits >= 0]


def embed(classifier: Classifier, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return each picture's features, (pictures, features)."""
    features: NDArray[np.float32] = _in_batches(classifier.pooled, pictures).numpy()
    return features


@torch.inference_mode()
def _in_batches(
    network: Callable[[Tensor], Tensor], pictures: NDArray[np.uint8], batch: int = 64
) -> Tensor:
    starts = range(0, len(pictures), batch)
    return torch.cat([network(to_tensor(pictures[start : start + batch])) for start in starts])
