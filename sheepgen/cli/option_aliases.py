"""Other programs' spellings of options."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sheepgen.fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALIASES", "canonical_option"]

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "batch-count": "count",
        "n-iter": "count",
        "outdir": "output",
        "precision": "dtype",
        **{
            alias: field.option.removeprefix("--")
            for field in FIELDS.values()
            for alias in field.aliases
        },
    }
)
"""Spellings of diffusers, AUTOMATIC1111 and others, and the option that each stands for. They are
accepted, and not shown."""


def canonical_option(name: str) -> str:
    """Return the option's own name, without its dashes; underscores count as dashes."""
    name = name.replace("_", "-")
    return ALIASES.get(name, name)
