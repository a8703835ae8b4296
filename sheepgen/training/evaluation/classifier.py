"""The judge: a small network of its own that answers `ATTRIBUTES` about a picture.

It says place by place which thing is there, as of its training scenes is known: from one scene it
learns at 256 places. It is trained on real scenes only, made with another seed than the model's
training scenes, and may see held-out pairs and drawings; nothing of it ever reaches the model. How
often it is right on real scenes is reported beside every figure, as the ceiling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sheepgen.training.data.segmentation import UNCLEAR
from sheepgen.training.evaluation.attributes import ATTRIBUTES, concept_classes
from sheepgen.training.muon import build_optimizers
from sheepgen.training.trainer import Checkpoint, TrainStep, autocast, cosine_learning_rate
from sheepgen.training.unet.attention_supervision import NOTHING
from sheepgen.training.vae import to_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sheepgen.training.config import ClassifierConfig
    from sheepgen.training.data.scene import Scene

__all__ = ["INPUT_SIZE", "THINGS", "Classifier", "train_classifier"]

INPUT_SIZE = 128
"""Pixels a side; pictures of another size are averaged to it."""

THINGS = "things"
"""The head for `concept_classes`, and none; the others bear their questions' names."""

HALVINGS = 3
"""Stages that halve height and width."""

CLEAR_SHARE = 0.6
"""How much of a place a thing must fill to be what is there; what is filled less is not asked."""

PLAIN_SHARE = 0.9
"""How much of a place must be backdrop for nothing to be there."""

PLACES_WEIGHT = 8.0
"""How much all places together count, where a question about the whole picture counts 1."""

WARMUP_STEPS = 100
SAVE_EVERY = 500

UNASKED = -100
"""Marks rows that a question does not fit; PyTorch's own default."""


class Classifier(nn.Module):
    """Pictures (batch, 3, height, width) in [-1, 1] to logits for each head.

    Those for things are (batch, things and one for none, rows, columns), of each of 16 by 16
    places, a quarter as wide as the smallest thing; the others (batch, answers).

    Args:
        widths: Channels of each stage; the first `HALVINGS` halve height and width.
    """

    def __init__(self, widths: Sequence[int] = (16, 48, 96, 192, 256)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for stage, width in enumerate(widths):
            stride = 2 if stage < HALVINGS else 1
            layers += [
                nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            channels = width
        self.features = nn.Sequential(*layers)
        # As wide as ``classes.tsv`` is long: weights of other classes do not load.
        self.heads = nn.ModuleDict(
            {
                name: nn.Linear(channels * 2, len(attribute.classes))
                for name, attribute in ATTRIBUTES.items()
            }
        )
        self.heads[THINGS] = nn.Conv2d(channels, len(concept_classes()) + 1, 1)

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Return the logits by head."""
        features = self._features(pictures)
        pooled = _pooled(features)
        return {
            name: head(features if name == THINGS else pooled) for name, head in self.heads.items()
        }

    def pooled(self, pictures: Tensor) -> Tensor:
        """Return what the heads see of the whole picture, (batch, features)."""
        return _pooled(self._features(pictures))

    def _features(self, pictures: Tensor) -> Tensor:
        features: Tensor = self.features(functional.adaptive_avg_pool2d(pictures, INPUT_SIZE))
        return features


def _pooled(features: Tensor) -> Tensor:
    return torch.cat([features.amax(dim=(2, 3)), features.mean(dim=(2, 3))], dim=1)


def train_classifier(
    classifier: Classifier,
    pictures: NDArray[np.uint8],
    scenes: Sequence[Scene],
    shown: Tensor,
    config: ClassifierConfig,
    checkpoint_path: Path,
    device: torch.device,
) -> Iterator[TrainStep]:
    """Train in place, from the checkpoint if there is one.

    Args:
        classifier: The network; when all steps are done, it is ready to judge.
        pictures: (scenes, height, width, 3), may be mapped from disk.
        scenes: What they show.
        shown: And where; see `sheepgen.training.data.segmentation.class_maps`.
        config: The recipe.
        checkpoint_path: Where training goes on from.
        device: Where to compute.

    Yields:
        Every step.
    """
    classifier.to(device).train()
    optimizers = build_optimizers(classifier, outer=("features.0.", "heads."))
    checkpoint = Checkpoint(checkpoint_path, {"classifier": classifier, **optimizers})
    for step in range(checkpoint.load(), config.steps):
        rng = np.random.default_rng((config.seed, step))
        chosen = np.sort(rng.integers(len(scenes), size=config.batch_size))
        asked = [scenes[index] for index in chosen]
        seen, there = to_tensor(pictures[chosen], device), shown[chosen].to(device)
        batch, there = _augmented(rng, seen, there, asked)
        with autocast(device):
            logits = classifier(batch)
        loss = scene_loss(logits, there, asked)
        classifier.zero_grad()
        loss.backward()
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = cosine_learning_rate(
                    step, config.steps, config.learning_rate, WARMUP_STEPS
                )
            optimizer.step()
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == config.steps:
            checkpoint.save(step + 1)
        yield TrainStep(
            phase="classifier", step=step + 1, total_steps=config.steps, loss=loss.item()
        )
    classifier.eval()


def scene_loss(logits: Mapping[str, Tensor], shown: Tensor, scenes: Sequence[Scene]) -> Tensor:
    """Return how wrong the answers are, in nats a scene: the sum over all that fits the scene.

    Args:
        logits: For each head, as `Classifier` gives them.
        shown: (scenes, rows, columns), more finely; see
            `sheepgen.training.data.segmentation.class_maps`.
        scenes: What the pictures show.
    """
    of_places = logits[THINGS].float()
    loss = PLACES_WEIGHT * functional.cross_entropy(
        of_places, _clear_things(shown, of_places.shape[-1]), ignore_index=UNASKED
    )
    for name, attribute in ATTRIBUTES.items():
        labels = [attribute.label(scene) for scene in scenes]
        target = [UNASKED if label is None else label for label in labels]
        loss = loss + functional.cross_entropy(
            logits[name].float(),
            torch.tensor(target, device=of_places.device),
            ignore_index=UNASKED,
            reduction="sum",
        ) / len(scenes)
    return loss


def _clear_things(shown: Tensor, side: int) -> Tensor:
    """Return what is there at ``side`` by ``side`` places, `UNASKED` where that is not clear."""
    fineness = shown.shape[-1] // side
    split = shown.long().unflatten(2, (side, fineness)).unflatten(1, (side, fineness))
    places = split.transpose(2, 3).flatten(3)
    most = places.mode(dim=-1).values
    share = (places == most[..., None]).float().mean(-1)
    nothing = most == NOTHING
    clear = (share >= torch.where(nothing, PLAIN_SHARE, CLEAR_SHARE)) & (most != UNCLEAR)
    known = torch.where(nothing, len(concept_classes()), most)
    return torch.where(clear, known, UNASKED)


def _augmented(
    rng: np.random.Generator, pictures: Tensor, shown: Tensor, scenes: Sequence[Scene]
) -> tuple[Tensor, Tensor]:
    """Mirror some pictures, and blur or noise all: softness alone must not hide a thing."""
    # A digit's mirror image is another sign.
    mirrored = [bool(rng.integers(2)) and scene.kind != "digits" for scene in scenes]
    shown = shown.clone()
    pictures[mirrored], shown[mirrored] = pictures[mirrored].flip(-1), shown[mirrored].flip(-1)
    blur = int(rng.integers(3))
    if blur:
        pictures = functional.avg_pool2d(pictures, 2 * blur + 1, 1, blur, count_include_pad=False)
    noise = torch.randn(
        pictures.shape,
        generator=torch.Generator(pictures.device).manual_seed(int(rng.integers(1 << 32))),
        device=pictures.device,
    )
    return pictures + noise * float(rng.uniform(0, 0.15)), shown
