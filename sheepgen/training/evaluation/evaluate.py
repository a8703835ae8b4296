"""Evaluate a model: generate images for fixed prompts, and score them with the classifier."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sheepgen.errors import UsageError
from sheepgen.events import RunFinished
from sheepgen.pipeline.run import stream_batch
from sheepgen.sanitize import excerpt
from sheepgen.training.assets import fetch_icons, paint_held_out_scenes
from sheepgen.training.atomic_write import atomic_write
from sheepgen.training.data.rendering import paint_scene
from sheepgen.training.evaluation.metrics import Score, frechet_distance, score_predictions
from sheepgen.training.evaluation.predictions import embed, predict
from sheepgen.training.image_grid import make_grid
from sheepgen.training.networks import load_classifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL.Image import Image

    from sheepgen.pipeline.family import LoadedModel
    from sheepgen.request import GenerationRequest
    from sheepgen.training.config import TrainingConfig, Workspace
    from sheepgen.training.data.icons import IconStore
    from sheepgen.training.evaluation.classifier import Classifier
    from sheepgen.training.evaluation.prompts import Prompt

__all__ = [
    "Evaluator",
    "GroupResult",
    "build_evaluator",
    "evaluate_model",
    "generate_images",
    "save_sheet",
    "sheet_paths",
]

MAX_BATCH_SIZE = 8
MAX_BATCH_PIXELS = 8 * 256 * 256
"""Larger images are generated in smaller batches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupResult:
    """The result for one group of prompts.

    Args:
        score: How well the images match.
        images: In the order of the prompts, all seeds of a prompt in sequence.
        features: The classifier's, (images, features).
    """

    score: Score
    images: list[Image]
    features: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluator:
    """The classifier, and the real scenes that images are compared with.

    Args:
        classifier: Trained on real scenes of its own.
        icons: What the real scenes of the upper bound are composed of.
        image_size: Their side in pixels.
        real_features: Of held-out scenes, (scenes, features).
    """

    classifier: Classifier
    icons: IconStore
    image_size: int
    real_features: NDArray[np.float32]

    def evaluate(
        self, group: str, prompts: Sequence[Prompt], images: Sequence[Image]
    ) -> GroupResult:
        """Score the images of one group.

        Args:
            group: Its name.
            prompts: One per image.
            images: All of one size.
        """
        # Another layout for each, so that a prompt's several scenes differ.
        scenes = [replace(prompt.scene, layout_seed=seed) for seed, prompt in enumerate(prompts)]
        real = _stack([paint_scene(scene, self.icons, self.image_size) for scene in scenes])
        generated = _stack(images)
        score = score_predictions(
            group, prompts, predict(self.classifier, generated), predict(self.classifier, real)
        )
        return GroupResult(
            score=score, images=[*images], features=embed(self.classifier, generated)
        )

    def distance(self, results: Sequence[GroupResult]) -> float | None:
        """Return the Fréchet distance of all generated images from held-out scenes.

        A single image has no covariance, so the answer is None.
        """
        features = np.concatenate([result.features for result in results])
        return frechet_distance(self.real_features, features) if len(features) > 1 else None


def build_evaluator(config: TrainingConfig, workspace: Workspace) -> Evaluator:
    """Return the evaluator of a recipe; held-out scenes are painted if they do not exist."""
    icons, classifier = fetch_icons(workspace), load_classifier(config, workspace)
    scenes = paint_held_out_scenes(config, workspace, icons)
    return Evaluator(
        classifier=classifier,
        icons=icons,
        image_size=config.data.image_size,
        real_features=embed(classifier, scenes.pictures),
    )


def evaluate_model(
    model: LoadedModel,
    settings: GenerationRequest,
    evaluator: Evaluator,
    groups: Mapping[str, Sequence[Prompt]],
    seeds_per_prompt: int = 2,
) -> Iterator[GroupResult]:
    """Generate images for prompts with seeds 0 and up, and score them group by group.

    Args:
        model: Loaded.
        settings: Steps, guidance and everything else but prompt and seed.
        evaluator: The classifier and its real scenes.
        groups: The prompts of each group.
        seeds_per_prompt: Images per prompt.

    Yields:
        The result of each group.
    """
    for group, prompts in groups.items():
        texts = [prompt.text for prompt in prompts]
        images = [*generate_images(model, settings, texts, range(seeds_per_prompt))]
        repeated = [prompt for prompt in prompts for _ in range(seeds_per_prompt)]
        yield evaluator.evaluate(group, repeated, images)


def generate_images(
    model: LoadedModel, settings: GenerationRequest, prompts: Iterable[str], seeds: Sequence[int]
) -> Iterator[Image]:
    """Generate an image for every prompt and seed, in batches.

    Args:
        model: Loaded.
        settings: Steps, guidance and everything else but prompt and seed.
        prompts: The texts.
        seeds: Of each prompt's images.

    Yields:
        The images, all seeds of a prompt in sequence.
    """
    settings = model.spec.resolve(settings)
    pixels = settings.width * settings.height
    batch_size = max(1, min(MAX_BATCH_SIZE, MAX_BATCH_PIXELS // pixels))
    requests = [replace(settings, prompt=text, seed=seed) for text in prompts for seed in seeds]
    for start in range(0, len(requests), batch_size):
        for event in stream_batch(model, requests[start : start + batch_size]):
            if isinstance(event, RunFinished):
                yield event.image


def sheet_paths(folder: Path, groups: Iterable[str], *, overwrite: bool = False) -> dict[str, Path]:
    """Return the path of each group's sheet of images.

    Raises:
        UsageError: If one of them exists and ``overwrite`` is not set.
    """
    sheets = {group: folder / f"{group.replace(' ', '-')}.png" for group in groups}
    for path in sheets.values():
        if os.path.lexists(path) and not overwrite:
            raise UsageError(
                f"{excerpt(path, 200)} already exists.",
                "Use --overwrite, or choose another --output.",
            )
    return sheets


def save_sheet(images: Sequence[Image], path: Path) -> None:
    """Write images of one size in rows as one PNG, atomically.

    Raises:
        OSError: If it cannot be written.
    """
    with atomic_write(path) as partial:
        make_grid(images, columns=16).save(partial, format="PNG")


def _stack(images: Sequence[Image]) -> NDArray[np.uint8]:
    return np.stack([np.asarray(image) for image in images])
