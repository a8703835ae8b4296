"""The classifier that evaluates generated images: a small network for `CONCEPTS` and `ATTRIBUTES`.

It recognises concepts in each cell of a 16 by 16 grid, because the training scenes' layout is
known: one scene gives 256 labels. It is trained on real scenes only, which are sampled with another
seed than the model's and may contain held-out pairs and icons; nothing of it reaches the model.
Its own accuracy on real scenes is reported beside every score, as the upper bound.

The installed weights make everybody's scores comparable; training others takes about an hour.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load, save_file
from torch import Tensor, nn
from torch.nn import functional

from sheepgen.training.data.segmentation import UNCLEAR
from sheepgen.training.evaluation.attributes import ATTRIBUTES, CONCEPTS, concept_classes
from sheepgen.training.muon import muon_and_adamw
from sheepgen.training.trainer import Trainer, TrainerSettings, TrainStep, autocast
from sheepgen.training.unet.attention_supervision import NOTHING
from sheepgen.training.vae import to_tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sheepgen.training.config import ClassifierConfig
    from sheepgen.training.data.scene import Scene

__all__ = [
    "INPUT_SIZE",
    "Classifier",
    "classification_loss",
    "load_installed_classifier",
    "save_classifier",
    "train_classifier",
]

INPUT_SIZE = 128
"""Pixels per side; images of another size are averaged to it."""

STRIDED_STAGES = 3
"""Stages that halve height and width."""

MIN_COVERAGE = 0.6
"""The share of a grid cell that a concept must fill to be its label; below it is ignored."""

MIN_BACKGROUND = 0.9
"""The share of a grid cell that must be background for the label "no concept"."""

CONCEPTS_WEIGHT = 8.0
"""Weight of the loss over all grid cells, where that of an attribute is 1."""

WARMUP_STEPS = 100
SAVE_EVERY = 500

IGNORED = -100
"""The label of what a scene does not define; PyTorch's own default."""


class Classifier(nn.Module):
    """Maps images (batch, 3, height, width) in [-1, 1] to logits for each head.

    Those of `CONCEPTS` are (batch, concepts + 1, rows, columns), the last one for "no concept",
    for each cell of a 16 by 16 grid, a quarter as wide as the smallest concept; those of an
    attribute (batch, classes).

    Args:
        widths: Channels of each stage; the first `STRIDED_STAGES` halve height and width.
    """

    def __init__(self, widths: Sequence[int] = (16, 48, 96, 192, 256)) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for stage, width in enumerate(widths):
            stride = 2 if stage < STRIDED_STAGES else 1
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
        self.heads[CONCEPTS] = nn.Conv2d(channels, len(concept_classes()) + 1, 1)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the logits by head."""
        features = self._features(images)
        pooled = _pooled(features)
        return {
            name: head(features if name == CONCEPTS else pooled)
            for name, head in self.heads.items()
        }

    def pooled(self, images: Tensor) -> Tensor:
        """Return the features of whole images, (batch, features)."""
        return _pooled(self._features(images))

    def _features(self, images: Tensor) -> Tensor:
        features: Tensor = self.features(functional.adaptive_avg_pool2d(images, INPUT_SIZE))
        return features


def _pooled(features: Tensor) -> Tensor:
    return torch.cat([features.amax(dim=(2, 3)), features.mean(dim=(2, 3))], dim=1)


def save_classifier(classifier: Classifier, path: Path) -> None:
    """Write the weights as float16, the form in which they are installed."""
    weights = classifier.state_dict()
    save_file(
        {
            name: (weight.half() if weight.is_floating_point() else weight).contiguous()
            for name, weight in weights.items()
        },
        path,
    )


def load_installed_classifier() -> Classifier:
    """Return the classifier that is installed with the tool, in evaluation mode.

    Raises:
        RuntimeError: If it was trained for other classes than ``classes.tsv`` lists.
    """
    classifier = Classifier()
    weights = (resources.files("sheepgen") / "assets" / "judge.safetensors").read_bytes()
    classifier.load_state_dict(load(weights))
    return classifier.to(torch.float32).eval()


def train_classifier(
    classifier: Classifier,
    images: NDArray[np.uint8],
    scenes: Sequence[Scene],
    class_maps: Tensor,
    config: ClassifierConfig,
    checkpoint: Path,
    device: torch.device,
) -> Iterator[TrainStep]:
    """Train in place, resuming from the checkpoint if there is one.

    Args:
        classifier: The network; in evaluation mode after the last step.
        images: (scenes, height, width, 3), may be mapped from disk.
        scenes: What they show.
        class_maps: And where; see `sheepgen.training.data.segmentation.class_maps`.
        config: The recipe.
        checkpoint: Where training resumes from.
        device: Where to compute.

    Yields:
        Every step.
    """
    classifier.to(device)
    settings = TrainerSettings(
        stage="classifier",
        steps=config.steps,
        learning_rate=config.learning_rate,
        warmup_steps=WARMUP_STEPS,
        max_grad_norm=None,
        save_every=SAVE_EVERY,
    )
    optimizers = muon_and_adamw(classifier, outer=("features.0.", "heads."))
    trainer = Trainer(classifier, optimizers, settings, checkpoint)
    for step in trainer.remaining_steps():
        rng = np.random.default_rng((config.seed, step))
        chosen = np.sort(rng.integers(len(scenes), size=config.batch_size))
        batch_scenes = [scenes[index] for index in chosen]
        batch, labels = augment(
            rng, to_tensor(images[chosen], device), class_maps[chosen].to(device), batch_scenes
        )
        with autocast(device):
            logits = classifier(batch)
        yield trainer.update(classification_loss(logits, labels, batch_scenes))
    classifier.eval()


def classification_loss(
    logits: Mapping[str, Tensor], class_maps: Tensor, scenes: Sequence[Scene]
) -> Tensor:
    """Return the cross-entropy in nats per scene, summed over the heads that it has labels for.

    Args:
        logits: For each head, as `Classifier` returns them.
        class_maps: (scenes, rows, columns), finer than the grid of the logits; see
            `sheepgen.training.data.segmentation.class_maps`.
        scenes: What the images show.
    """
    concepts = logits[CONCEPTS].float()
    loss = CONCEPTS_WEIGHT * functional.cross_entropy(
        concepts, grid_labels(class_maps, concepts.shape[-1]), ignore_index=IGNORED
    )
    for name, attribute in ATTRIBUTES.items():
        labels = [attribute.label(scene) for scene in scenes]
        target = [IGNORED if label is None else label for label in labels]
        loss = loss + functional.cross_entropy(
            logits[name].float(),
            torch.tensor(target, device=concepts.device),
            ignore_index=IGNORED,
            reduction="sum",
        ) / len(scenes)
    return loss


def grid_labels(class_maps: Tensor, side: int) -> Tensor:
    """Return the labels of a grid, (scenes, side, side): `IGNORED` in cells that are not clear.

    Args:
        class_maps: (scenes, rows, columns), a multiple of ``side`` each.
        side: Cells per side.
    """
    factor = class_maps.shape[-1] // side
    blocks = class_maps.long().unflatten(2, (side, factor)).unflatten(1, (side, factor))
    cells = blocks.transpose(2, 3).flatten(3)
    majority = cells.mode(dim=-1).values
    share = (cells == majority[..., None]).float().mean(-1)
    empty = majority == NOTHING
    clear = (share >= torch.where(empty, MIN_BACKGROUND, MIN_COVERAGE)) & (majority != UNCLEAR)
    labels = torch.where(empty, len(concept_classes()), majority)
    return torch.where(clear, labels, IGNORED)


def augment(
    rng: np.random.Generator, images: Tensor, class_maps: Tensor, scenes: Sequence[Scene]
) -> tuple[Tensor, Tensor]:
    """Mirror some images, and add blur and noise to all: softness alone must not hide a concept."""
    # A digit's mirror image is another sign.
    mirrored = [bool(rng.integers(2)) and scene.kind != "digits" for scene in scenes]
    class_maps = class_maps.clone()
    images[mirrored], class_maps[mirrored] = (
        images[mirrored].flip(-1),
        class_maps[mirrored].flip(-1),
    )
    blur = int(rng.integers(3))
    if blur:
        images = functional.avg_pool2d(images, 2 * blur + 1, 1, blur, count_include_pad=False)
    noise = torch.randn(
        images.shape,
        generator=torch.Generator(images.device).manual_seed(int(rng.integers(1 << 32))),
        device=images.device,
    )
    return images + noise * float(rng.uniform(0, 0.15)), class_maps
