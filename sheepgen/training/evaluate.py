"""Measures a model: how often the prompted things are found in its pictures."""

from __future__ import annotations

import math
import random
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sheepgen.pipeline.stream import generate
from sheepgen.training.classifier import embed, found, scene_labels
from sheepgen.training.concepts import CONCEPTS, RIDERS, VEHICLES, held_out_pairs
from sheepgen.training.dataset import load_all_drawings
from sheepgen.training.frechet import frechet_distance
from sheepgen.training.scenes import Kind, Scene, compose_scene, render_scene

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

    from sheepgen.pipeline.parts import PipelineParts
    from sheepgen.request import GenerationRequest
    from sheepgen.training.classifier import Classifier
    from sheepgen.training.project import Project

__all__ = ["Judge", "Score", "evaluation_scenes", "score_model", "wilson_interval"]

SEEDS_A_PROMPT = 2
PAIRS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How often everything prompted was found.

    Args:
        group: What kind of prompts.
        pictures: How many.
        all_found: In how many per cent of them everything was found.
        interval: Of ``all_found``, in per cent, from `wilson_interval`.
        ceiling: What the judge finds in real scenes of the same kind, in per cent.
    """

    group: str
    pictures: int
    all_found: float
    interval: tuple[float, float]
    ceiling: float

    def to_dict(self) -> dict[str, object]:
        """Return the score as plain data."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Who looks at the pictures.

    Args:
        classifier: Trained on real scenes of its own.
        ceilings: How much of its own kind of real scenes it finds, by group, in per cent.
        real_features: Of held-out scenes, (scenes, features).
    """

    classifier: Classifier
    ceilings: dict[str, float]
    real_features: NDArray[np.float32]

    @classmethod
    def of(cls, project: Project) -> Judge:
        """Return the project's judge; the scenes it needs are painted where they are not there.

        Raises:
            ModelError: If it has not been trained.
        """
        classifier = project.trained_classifier()
        drawings = load_all_drawings(project.config.data, project.workspace)
        size = project.config.data.image_size
        ceilings: dict[str, float] = {}
        for group, scenes in evaluation_scenes().items():
            pictures = [render_scene(scene, drawings, size) for scene in scenes]
            hits = _all_found(classifier, pictures, scenes)
            ceilings[group] = 100.0 * sum(hits) / len(hits)
        features = embed(classifier, project.held_out_scenes.pictures)
        return cls(classifier=classifier, ceilings=ceilings, real_features=features)

    def score(self, group: str, pictures: Sequence[Image], scenes: Sequence[Scene]) -> Score:
        """Score the pictures of one group of prompts."""
        hits = _all_found(self.classifier, pictures, scenes)
        return Score(
            group=group,
            pictures=len(hits),
            all_found=100.0 * sum(hits) / len(hits),
            interval=wilson_interval(sum(hits), len(hits)),
            ceiling=self.ceilings[group],
        )

    def distance(self, pictures: Sequence[Image]) -> float:
        """Return the Fréchet distance of all pictures together from held-out scenes."""
        return frechet_distance(self.real_features, embed(self.classifier, _stack(pictures)))


def evaluation_scenes() -> dict[str, list[Scene]]:
    """Return the fixed prompts by group; only captions and casts are used of these scenes."""
    rng = random.Random("evaluation")  # noqa: S311
    riding = [(rider, vehicle) for rider in RIDERS for vehicle in VEHICLES]
    seen = [pair for pair in riding if pair not in held_out_pairs()]
    beside = [tuple(rng.sample(list(CONCEPTS), 2)) for _ in range(PAIRS)]

    def compose(kind: Kind, casts: Sequence[tuple[str, ...]], count: int = 1) -> list[Scene]:
        return [
            compose_scene(rng, kind, cast[0], other="".join(cast[1:]), count=count)
            for cast in casts
        ]

    return {
        "single things": compose("single", [(name,) for name in CONCEPTS]),
        "two next to each other": compose("next_to", beside),
        "riding, seen in training": compose("riding", rng.sample(seen, PAIRS)),
        "riding, held out": compose("riding", sorted(held_out_pairs())),
        "two of a kind": compose("several", [(name,) for name in RIDERS], count=2),
        "handwritten digits": compose("digit", [(str(digit),) for digit in range(10)]),
    }


def score_model(
    parts: PipelineParts,
    settings: GenerationRequest,
    judge: Judge,
    seeds_a_prompt: int = SEEDS_A_PROMPT,
) -> Iterator[tuple[Score, list[Image]]]:
    """Draw every prompt with seeds 0 and up; yield each group's score and its pictures.

    Args:
        parts: The model.
        settings: Steps, guidance and all else but prompt and seed.
        judge: Who looks.
        seeds_a_prompt: Pictures of each prompt.
    """
    for group, scenes in evaluation_scenes().items():
        prompts = [scene for scene in scenes for _ in range(seeds_a_prompt)]
        pictures = [
            generate(parts, replace(settings, prompt=scene.caption, seed=index % seeds_a_prompt))
            for index, scene in enumerate(prompts)
        ]
        yield judge.score(group, pictures, prompts), pictures


def wilson_interval(hits: int, of: int) -> tuple[float, float]:
    """Return the 95% interval of a share, in per cent.

    Wilson's: unlike the usual one it holds for few pictures and near 0 and 100 per cent, too
    (https://doi.org/10.1080/01621459.1927.10502953).

    Args:
        hits: How many were right.
        of: How many there were, at least 1.
    """
    z = 1.96
    share = hits / of
    middle = share + z * z / (2 * of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 100.0 / (1 + z * z / of)
    return round(max(0.0, scale * (middle - reach)), 1), round(
        min(100.0, scale * (middle + reach)), 1
    )


def _all_found(
    classifier: Classifier, pictures: Sequence[Image], scenes: Sequence[Scene]
) -> list[bool]:
    """Return for each picture whether every prompted thing is found in it."""
    seen = found(classifier, _stack(pictures))
    return [set(scene_labels(scene)) <= labels for scene, labels in zip(scenes, seen, strict=True)]


def _stack(pictures: Sequence[Image]) -> NDArray[np.uint8]:
    return np.stack([np.asarray(picture) for picture in pictures])
