"""Metrics of generated images: how often they match their prompts, and the Fréchet distance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binomtest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sheepgen.training.evaluation.predictions import Prediction
    from sheepgen.training.evaluation.prompts import Prompt

__all__ = [
    "Score",
    "false_positive_rate",
    "frechet_distance",
    "has_concepts",
    "is_exact_match",
    "score_predictions",
    "wilson_interval",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """How well the images of one group of prompts match them; all rates in per cent.

    Args:
        group: The group of prompts.
        images: How many images were scored.
        exact_match: Images in which the classifier recognises everything that the prompt states.
        exact_match_interval: The 95% confidence interval of ``exact_match``.
        recall: Images in which it recognises the concepts, whatever their number, colour, style
            and surroundings.
        false_positive_rate: Images in which it recognises the concepts of another prompt.
        upper_bound: The exact match of real scenes of the same prompts: the classifier's own
            accuracy.
    """

    group: str
    images: int
    exact_match: float
    exact_match_interval: tuple[float, float]
    recall: float
    false_positive_rate: float
    upper_bound: float

    def to_dict(self) -> dict[str, object]:
        """Return the score as plain data."""
        return asdict(self)


def score_predictions(
    group: str,
    prompts: Sequence[Prompt],
    predictions: Sequence[Prediction],
    real_predictions: Sequence[Prediction],
) -> Score:
    """Score one group.

    Args:
        group: Its name.
        prompts: One per prediction, at least one.
        predictions: Of the generated images.
        real_predictions: Of real scenes of the same prompts.
    """
    matches = sum(map(is_exact_match, prompts, predictions))
    real_matches = sum(map(is_exact_match, prompts, real_predictions))
    total = len(prompts)
    return Score(
        group=group,
        images=total,
        exact_match=100.0 * matches / total,
        exact_match_interval=wilson_interval(matches, total),
        recall=100.0 * sum(map(has_concepts, prompts, predictions)) / total,
        false_positive_rate=100.0 * false_positive_rate(prompts, predictions),
        upper_bound=100.0 * real_matches / total,
    )


def has_concepts(prompt: Prompt, prediction: Prediction) -> bool:
    """Whether all concepts of the prompt are recognised; others may be, too."""
    return prompt.concepts <= prediction.concepts


def is_exact_match(prompt: Prompt, prediction: Prediction) -> bool:
    """Whether all concepts of the prompt and all attributes that it states are recognised."""
    attributes = (prediction.attributes[name] == value for name, value in prompt.attributes.items())
    return has_concepts(prompt, prediction) and all(attributes)


def false_positive_rate(prompts: Sequence[Prompt], predictions: Sequence[Prediction]) -> float:
    """Return the share of images in which the concepts of the prompt half a list away are found.

    Pairs whose other prompt has no concept of its own are left out; 0 if none remains.
    """
    half = len(prompts) // 2
    others = [*prompts[half:], *prompts[:half]]
    found = [
        has_concepts(other, prediction)
        for prompt, other, prediction in zip(prompts, others, predictions, strict=True)
        if not other.concepts <= prompt.concepts
    ]
    return sum(found) / max(1, len(found))


def wilson_interval(hits: int, total: int) -> tuple[float, float]:
    """Return Wilson's 95% confidence interval of ``hits`` of ``total``, in per cent."""
    interval = binomtest(hits, total).proportion_ci(method="wilson")
    return round(100.0 * interval.low, 1), round(100.0 * interval.high, 1)


def frechet_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return the Fréchet distance of two normal distributions fitted to features.

    It is the formula of the FID (https://arxiv.org/abs/1706.08500, equation 6), with any features;
    values are comparable only for the same features and numbers of images.

    Args:
        first: (images, features), two images or more.
        second: (images, features), the same.
    """
    offset = first.mean(axis=0, dtype=np.float64) - second.mean(axis=0, dtype=np.float64)
    one, other = _covariance_root(first), _covariance_root(second)
    # tr sqrt(A'A B'B) is the sum of the singular values of AB'. With fewer images than features
    # the product is singular, and its matrix root (scipy.linalg.sqrtm) is inaccurate.
    shared = np.linalg.svd(one @ other.T, compute_uv=False).sum()
    return float(offset @ offset + (one**2).sum() + (other**2).sum() - 2 * shared)


def _covariance_root(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return A, (images, features), such that A'A is the features' covariance."""
    centred = np.asarray(features, np.float64) - features.mean(axis=0, dtype=np.float64)
    root: NDArray[np.float64] = centred / np.sqrt(len(features) - 1)
    return root
