"""The judge that is installed with the tool, so that everybody's figures are one judge's.

Figures of two models compare only where the same judge gave them, and to train one takes an hour.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load, save_file

from sheepgen.training.evaluation.classifier import Classifier

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["installed_judge", "save_judge"]


def save_judge(classifier: Classifier, path: Path) -> None:
    """Write a judge's weights, numbers as float16."""
    weights = classifier.state_dict()
    save_file(
        {
            name: (weight.half() if weight.is_floating_point() else weight).contiguous()
            for name, weight in weights.items()
        },
        path,
    )


def installed_judge() -> Classifier:
    """Return the judge that is installed, ready to judge.

    Raises:
        RuntimeError: If it was trained for other tables of things and questions than these.
    """
    classifier = Classifier()
    weights = (resources.files("sheepgen") / "assets" / "judge.safetensors").read_bytes()
    classifier.load_state_dict(load(weights))
    return classifier.to(torch.float32).eval()
