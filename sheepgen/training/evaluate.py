"""Measures a model: how often the prompted things are found in its pictures."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from sheepgen.pipeline.stream import generate
from sheepgen.request import GenerationRequest
from sheepgen.training.classifier import Classifier, found, scene_labels
from sheepgen.training.concepts import CONCEPTS, RIDERS, VEHICLES, held_out_pairs
from sheepgen.training.samples import tile
from sheepgen.training.scenes import Drawings, Kind, Scene, compose_scene, render_scene

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from PIL.Image import Image

    from sheepgen.known_models import KnownModel
    from sheepgen.pipeline.parts import PipelineParts

__all__ = ["Score", "evaluation_scenes", "judge_scenes", "real_scores", "score_model"]

SEEDS_A_PROMPT = 2
PAIRS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How often everything prompted was found, in per cent of ``pictures``."""

    group: str
    pictures: int
    all_found: float
    ceiling: float

    def to_dict(self) -> dict[str, str | int | float]:
        """Return the score as plain data."""
        return asdict(self)


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


def judge_scenes(
    classifier: Classifier, pictures: Sequence[Image], scenes: Sequence[Scene]
) -> float:
    """Return in how many per cent of the pictures every prompted thing is found."""
    seen = found(classifier, np.stack([np.asarray(picture) for picture in pictures]))
    hits = [set(scene_labels(scene)) <= labels for scene, labels in zip(scenes, seen, strict=True)]
    return 100.0 * sum(hits) / len(hits)


def real_scores(classifier: Classifier, drawings: Drawings, size: int) -> dict[str, float]:
    """Return the judge's own score by group, on real scenes with the prompts' casts."""
    return {
        group: judge_scenes(
            classifier, [render_scene(scene, drawings, size) for scene in scenes], scenes
        )
        for group, scenes in evaluation_scenes().items()
    }


def score_model(
    parts: PipelineParts, sampling: KnownModel, classifier: Classifier, ceilings: dict[str, float]
) -> Iterator[tuple[Score, Image]]:
    """Draw every prompt with seeds 0 and up; yield each group's score and a sheet of its pictures.

    Args:
        parts: The model.
        sampling: Its steps and guidance.
        classifier: The judge.
        ceilings: From `real_scores`.
    """
    for group, scenes in evaluation_scenes().items():
        prompts = [scene for scene in scenes for _ in range(SEEDS_A_PROMPT)]
        pictures = [
            generate(
                parts,
                GenerationRequest(
                    prompt=scene.caption,
                    seed=index % SEEDS_A_PROMPT,
                    num_inference_steps=sampling.num_inference_steps,
                    guidance_scale=sampling.guidance_scale,
                ),
            )
            for index, scene in enumerate(prompts)
        ]
        percent = judge_scenes(classifier, pictures, prompts)
        score = Score(
            group=group, pictures=len(pictures), all_found=percent, ceiling=ceilings[group]
        )
        yield score, tile(pictures)
