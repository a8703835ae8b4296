"""Measures a model: how often the judge sees in its pictures what was prompted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sheepgen.training.data.rendering import paint_scene
from sheepgen.training.evaluation.frechet import frechet_distance
from sheepgen.training.evaluation.generate import draw_prompts
from sheepgen.training.evaluation.predictions import embed, judge_pictures
from sheepgen.training.evaluation.prompts import prompt_groups
from sheepgen.training.evaluation.score import Score, is_found, is_right, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

    from sheepgen.pipeline.family import Model
    from sheepgen.request import GenerationRequest
    from sheepgen.training.data.icons import IconStore
    from sheepgen.training.evaluation.classifier import Classifier
    from sheepgen.training.evaluation.predictions import Sighting
    from sheepgen.training.evaluation.prompts import Prompt
    from sheepgen.training.project import Project

__all__ = ["Judge", "score_model"]

SEEDS_A_PROMPT = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Judge:
    """Who looks at the pictures.

    Args:
        classifier: Trained on real scenes of its own.
        drawings: What the real scenes for the ceilings are painted with.
        size: Their side in pixels.
        real_features: Of held-out scenes, (scenes, features).
    """

    classifier: Classifier
    drawings: IconStore
    size: int
    real_features: NDArray[np.float32]

    @classmethod
    def of(cls, project: Project) -> Judge:
        """Return the project's judge; held-out scenes are painted where they are not there."""
        classifier = project.trained_classifier()
        return cls(
            classifier=classifier,
            drawings=project.material.album,
            size=project.config.data.image_size,
            real_features=embed(classifier, project.material.held_out_scenes.pictures),
        )

    def score(self, group: str, prompts: Sequence[Prompt], pictures: Sequence[Image]) -> Score:
        """Score the pictures of one group.

        Args:
            group: Its name.
            prompts: One a picture; the ceiling is measured on as many real scenes.
            pictures: All of one size, whichever.
        """
        sightings = self._look(pictures)
        hits = sum(map(is_right, prompts, sightings))
        return Score(
            group=group,
            pictures=len(pictures),
            right=100.0 * hits / len(pictures),
            interval=wilson_interval(hits, len(pictures)),
            found=100.0 * sum(map(is_found, prompts, sightings)) / len(pictures),
            ceiling=self._ceiling(prompts),
            by_chance=100.0 * _mistaken(prompts, sightings),
        )

    def distance(self, pictures: Sequence[Image]) -> float:
        """Return the Fréchet distance of all pictures together from held-out scenes."""
        return frechet_distance(self.real_features, embed(self.classifier, _stack(pictures)))

    def _ceiling(self, prompts: Sequence[Prompt]) -> float:
        # Another layout for each, so that a prompt's several scenes differ.
        scenes = [replace(prompt.scene, layout_seed=seed) for seed, prompt in enumerate(prompts)]
        sightings = self._look([paint_scene(scene, self.drawings, self.size) for scene in scenes])
        return 100.0 * sum(map(is_right, prompts, sightings)) / len(prompts)

    def _look(self, pictures: Sequence[Image]) -> list[Sighting]:
        return judge_pictures(self.classifier, _stack(pictures))


def _mistaken(prompts: Sequence[Prompt], sightings: Sequence[Sighting]) -> float:
    """Return in what share of pictures the things of the prompt half a list away are found."""
    half = len(prompts) // 2
    others = [*prompts[half:], *prompts[:half]]
    found = [
        is_found(other, sighting)
        for prompt, other, sighting in zip(prompts, others, sightings, strict=True)
        if not other.things <= prompt.things
    ]
    return sum(found) / max(1, len(found))


def score_model(
    model: Model,
    settings: GenerationRequest,
    judge: Judge,
    seeds_a_prompt: int = SEEDS_A_PROMPT,
    groups: Collection[str] = (),
) -> Iterator[tuple[Score, list[Image]]]:
    """Draw prompts with seeds 0 and up; yield each group's score and its pictures.

    Args:
        model: Loaded.
        settings: Steps, guidance and all else but prompt and seed.
        judge: Who looks.
        seeds_a_prompt: Pictures of each prompt.
        groups: Which groups of prompts; all if empty.

    Raises:
        UsageError: If there is no group of such a name.
    """
    for group, prompts in prompt_groups(groups).items():
        texts = [prompt.text for prompt in prompts]
        pictures = [*draw_prompts(model, settings, texts, range(seeds_a_prompt))]
        drawn = [prompt for prompt in prompts for _ in range(seeds_a_prompt)]
        yield judge.score(group, drawn, pictures), pictures


def _stack(pictures: Sequence[Image]) -> NDArray[np.uint8]:
    return np.stack([np.asarray(picture) for picture in pictures])
