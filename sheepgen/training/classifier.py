"""The judge: a small network of its own that answers `QUESTIONS` about a picture.

It is trained on real scenes only, made with another seed than the model's training scenes, and
may see held-out pairs and drawings; nothing of it ever reaches the model. How often it is right on
real scenes is reported beside every figure, as the ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sheepgen.training.autoencoder import to_tensor
from sheepgen.training.loop import Checkpoint, TrainStep, autocast, cosine_learning_rate
from sheepgen.training.questions import QUESTIONS, all_things, things_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sheepgen.training.config import ClassifierConfig
    from sheepgen.training.data.scenes import Scene

__all__ = ["INPUT_SIZE", "Classifier", "Sighting", "embed", "judge_pictures", "train_classifier"]

INPUT_SIZE = 128
"""Pixels a side; pictures of another size are averaged to it."""

THINGS = "things"
"""The head for `all_things`; the others bear their questions' names."""

RARE = -6.0
"""The logit that every thing begins with: one scene in some 500 shows it."""

WARMUP_STEPS = 100
SAVE_EVERY = 500
JUDGED_TOGETHER = 64
UNASKED = -100
"""Marks rows that a question does not fit; PyTorch's own default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """What the judge sees in one picture.

    Args:
        things: Those of `all_things` that are more likely there than not.
        answers: The likeliest answer to each of `QUESTIONS`, by its name.
    """

    things: frozenset[str]
    answers: Mapping[str, str]


class Classifier(nn.Module):
    """Pictures (batch, 3, height, width) in [-1, 1] to logits, (batch, answers) for each head.

    Args:
        widths: Channels of each stage; every stage halves height and width. The first ones cost
            most, by far, and need few.
    """

    def __init__(self, widths: Sequence[int] = (16, 48, 96, 192, 320)) -> None:
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
        # As wide as the tables are long: what was trained for other tables does not load.
        answers = {name: len(question.answers) for name, question in QUESTIONS.items()}
        self.heads = nn.ModuleDict(
            {
                name: nn.Linear(channels * 2, number)
                for name, number in ({THINGS: len(all_things())} | answers).items()
            }
        )
        things = self.heads[THINGS]
        assert isinstance(things, nn.Linear)
        nn.init.constant_(things.bias, RARE)

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Return the logits by head."""
        pooled = self.pooled(pictures)
        return {name: head(pooled) for name, head in self.heads.items()}

    def pooled(self, pictures: Tensor) -> Tensor:
        """Return what the heads see of the whole picture, (batch, features)."""
        features = self.features(functional.adaptive_avg_pool2d(pictures, INPUT_SIZE))
        return torch.cat([features.amax(dim=(2, 3)), features.mean(dim=(2, 3))], dim=1)


def train_classifier(
    classifier: Classifier,
    pictures: NDArray[np.uint8],
    scenes: Sequence[Scene],
    config: ClassifierConfig,
    checkpoint_path: Path,
    device: torch.device,
) -> Iterator[TrainStep]:
    """Train in place, from the checkpoint if there is one.

    Args:
        classifier: The network; when all steps are done, it is ready to judge.
        pictures: (scenes, height, width, 3), may be mapped from disk.
        scenes: What they show.
        config: The recipe.
        checkpoint_path: Where training goes on from.
        device: Where to compute.

    Yields:
        Every step.
    """
    classifier.to(device).train()
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=0.0, weight_decay=0.01)
    checkpoint = Checkpoint(checkpoint_path, {"classifier": classifier, "optimizer": optimizer})
    for step in range(checkpoint.load(), config.steps):
        rng = np.random.default_rng((config.seed, step))
        chosen = np.sort(rng.integers(len(scenes), size=config.batch_size))
        shown = [scenes[index] for index in chosen]
        batch = _augmented(rng, to_tensor(pictures[chosen]), shown).to(device)
        with autocast(device):
            logits = classifier(batch)
        loss = scene_loss(logits, shown)
        for group in optimizer.param_groups:
            group["lr"] = cosine_learning_rate(
                step, config.steps, config.learning_rate, WARMUP_STEPS
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == config.steps:
            checkpoint.save(step + 1)
        yield TrainStep(
            phase="classifier", step=step + 1, total_steps=config.steps, loss=loss.item()
        )
    classifier.eval()


def scene_loss(logits: Mapping[str, Tensor], scenes: Sequence[Scene]) -> Tensor:
    """Return how wrong the answers are, in nats a scene: the sum over all that fits the scene.

    Args:
        logits: (scenes, answers) for each head.
        scenes: What the pictures show.
    """
    number_of = {name: number for number, name in enumerate(all_things())}
    there = torch.zeros(len(scenes), len(number_of))
    for row, scene in enumerate(scenes):
        there[row, [number_of[name] for name in things_of(scene)]] = 1.0
    device = logits[THINGS].device
    loss = functional.binary_cross_entropy_with_logits(
        logits[THINGS].float(), there.to(device), reduction="sum"
    )
    for name, question in QUESTIONS.items():
        answers = (question.right(scene) for scene in scenes)
        right = [
            UNASKED if answer is None else question.answers.index(answer) for answer in answers
        ]
        loss = loss + functional.cross_entropy(
            logits[name].float(),
            torch.tensor(right, device=device),
            ignore_index=UNASKED,
            reduction="sum",
        )
    return loss / len(scenes)


def _augmented(rng: np.random.Generator, pictures: Tensor, scenes: Sequence[Scene]) -> Tensor:
    """Mirror some pictures, and blur or noise all: softness alone must not hide a thing."""
    # A digit's mirror image is another sign.
    mirrored = [bool(rng.integers(2)) and scene.kind != "digits" for scene in scenes]
    pictures[mirrored] = pictures[mirrored].flip(-1)
    blur = int(rng.integers(3))
    if blur:
        pictures = functional.avg_pool2d(pictures, 2 * blur + 1, 1, blur, count_include_pad=False)
    noise = torch.from_numpy(rng.standard_normal(pictures.shape, np.float32))
    return pictures + noise * float(rng.uniform(0, 0.15))


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
            name: [question.answers[number] for number in logits[name].argmax(dim=1).tolist()]
            for name, question in QUESTIONS.items()
        }
        for row, there in enumerate((logits[THINGS] >= 0).cpu()):
            things = frozenset(all_things()[number] for number in there.nonzero()[:, 0].tolist())
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
        yield to_tensor(pictures[start : start + JUDGED_TOGETHER]).to(device)
