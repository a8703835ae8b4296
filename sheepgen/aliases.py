"""The spellings of options that other programs taught people: accepted, and not shown."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALIASES", "canonical_option"]

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "batch-count": "count",
        "ddim-steps": "steps",
        "cfg": "guidance",
        "cfg-scale": "guidance",
        "guidance-scale": "guidance",
        "inference-steps": "steps",
        "model-id": "model",
        "n-iter": "count",
        "negative": "negative-prompt",
        "num-inference-steps": "steps",
        "outdir": "output",
        "precision": "dtype",
        "sampler": "scheduler",
        "sampler-index": "scheduler",
        "sampler-name": "scheduler",
        "subseed": "variation-seed",
        "subseed-strength": "variation-strength",
        "variation-seed-strength": "variation-strength",
    }
)
"""Spellings of diffusers, AUTOMATIC1111 and others, and the option that each stands for."""


def canonical_option(name: str) -> str:
    """Return the option's own name, without its dashes; underscores count as dashes."""
    name = name.replace("_", "-")
    return ALIASES.get(name, name)
