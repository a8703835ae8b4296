"""A sweep laid out before its first image: every combination of values, as requests.

Every request is built here, and so checked, however late its turn comes. What is costly to
change between two images (the model, then the prompt) changes slowest, the seed fastest.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import product
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sheepgen.adapters import parse_loras, to_text
from sheepgen.blend import blend_to_text, parse_blend
from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS
from sheepgen.guidance_interval import canonical_interval
from sheepgen.hires import canonical_hires
from sheepgen.model_names import canonical_model_name
from sheepgen.presets import Presets
from sheepgen.request import GenerationRequest
from sheepgen.sanitize import excerpt
from sheepgen.scheduler_names import canonical_scheduler_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import ModelReference
    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "AXES",
    "MAX_CELLS",
    "Axis",
    "Cell",
    "Grid",
    "Value",
    "axis_label",
    "combine",
    "describe_grid",
    "request_of",
    "resolve_grid",
]

AXES: Mapping[str, str] = MappingProxyType(
    {field.axis or name: field.axis or field.label for name, field in FIELDS.items()}
)
"""What can vary, slowest first, and what the user calls it: fields of the request, and ``size``
for width and height together."""

MAX_CELLS = 1_000_000
"""Most images of one sweep."""

MAX_LABEL_CHARACTERS = 300

_CANONICAL: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "blend": lambda text: blend_to_text(parse_blend(text)),
        "guidance_interval": canonical_interval,
        "hires": canonical_hires,
        "model": canonical_model_name,
        "lora": lambda text: to_text(parse_loras(text)),
        "scheduler": canonical_scheduler_name,
    }
)
"""What brings the spellings of a value to one, by the field's name."""

R = TypeVar("R", bound=GenerationRequest)
"""Requests of a plan: open ones, or resolved."""

Value = str | int | float | tuple[int, int] | None
"""One value of an axis; a size is width and height, and None is the default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """Something that varies.

    Args:
        name: What the user calls it, as in `AXES`.
        values: In order, at least two.
        labels: Of each value, safe to show, on one line.
    """

    name: str
    values: tuple[Value, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell(Generic[R]):
    """One image of a sweep.

    Args:
        request: What it is.
        coordinates: Its place on each of the plan's axes, counted from 0.
    """

    request: R
    coordinates: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid(Generic[R]):
    """Every combination of the values of a sweep.

    Args:
        axes: What has more than one value, slowest first.
        cells: One per image, in the order in which they are generated.
    """

    axes: tuple[Axis, ...]
    cells: tuple[Cell[R], ...]


def combine(
    values: Mapping[str, Sequence[Value]], presets: Presets | None = None
) -> Grid[GenerationRequest]:
    """Return every combination of the values.

    Args:
        values: By the keys of `AXES`; a field that does not vary has one value, and one that is
            left out is the request's default. Values that come twice count once.
        presets: Names that models and LoRAs among the values may have.

    Raises:
        UsageError: If any request is wrong, there is no such key, a key has no values, or there
            would be more than `MAX_CELLS` images.
    """
    order, presets = list(AXES), presets or Presets()
    for name, given in values.items():
        if name not in AXES:
            raise UsageError(f'Unknown axis "{excerpt(name)}".', f"Known: {', '.join(AXES)}.")
        if not given:
            raise UsageError(f"{AXES[name]} has no values.", "Give one or more, or leave it out.")
    fields = {
        name: _distinct(name, values[name], presets) for name in sorted(values, key=order.index)
    }
    _check_cell_count({AXES[name]: len(each) for name, each in fields.items()})
    varied = [place for place, each in enumerate(fields.values()) if len(each) > 1]
    cells = []
    for combination in product(*map(enumerate, fields.values())):
        coordinates, chosen = zip(*combination, strict=True)
        cells.append(
            Cell(
                request=request_of(dict(zip(fields, chosen, strict=True)), presets),
                coordinates=tuple(coordinates[place] for place in varied),
            )
        )
    axes = tuple(
        Axis(name=AXES[name], values=each, labels=tuple(map(axis_label, each)))
        for name, each in fields.items()
        if len(each) > 1
    )
    return Grid(axes=axes, cells=tuple(cells))


def resolve_grid(
    plan: Grid[GenerationRequest], specs: Mapping[ModelReference, ModelSpec]
) -> Grid[ResolvedRequest]:
    """Return the plan with all that requests left open filled in by their models.

    Args:
        plan: From `combine`.
        specs: Their models.

    Raises:
        UsageError: If a model cannot generate what one of its requests asks for.
    """
    cells = (
        Cell(
            request=specs[cell.request.model_reference].resolve(cell.request),
            coordinates=cell.coordinates,
        )
        for cell in plan.cells
    )
    return Grid(axes=plan.axes, cells=tuple(cells))


def describe_grid(plan: Grid[R]) -> dict[str, Any]:
    """Return the plan as plain JSON: the axes, how many cells, and the first cell's request.

    All other requests follow from the first one and the axes, but for what a model fills in; those
    of a morph are said in the values of its axis.
    """
    axes = [
        {
            "name": axis.name,
            "values": [list(value) if isinstance(value, tuple) else value for value in axis.values],
        }
        for axis in plan.axes
    ]
    return {
        "axes": axes,
        "cells": len(plan.cells),
        "first_request": asdict(plan.cells[0].request),
    }


def _distinct(name: str, values: Sequence[Value], presets: Presets) -> tuple[Value, ...]:
    """Return the values, each once; two spellings of one are one value."""
    if canonical := _CANONICAL.get(name):
        own = presets.models if name == "model" else ()
        values = [
            canonical(each) if isinstance(each, str) and each not in own else each
            for each in values
        ]
    return tuple(dict.fromkeys(values))


def _check_cell_count(counts: Mapping[str, int]) -> None:
    total = math.prod(counts.values())
    if total > MAX_CELLS:
        factors = " x ".join(f"{count:,} of {name}" for name, count in counts.items() if count > 1)
        raise UsageError(
            f"The sweep would have {total:,} images: {factors}.",
            f"At most {MAX_CELLS:,} are allowed. Leave values out, or run several sweeps.",
        )


def request_of(fields: dict[str, Any], presets: Presets) -> GenerationRequest:
    """Return a request of one value of each axis, by the keys of `AXES`."""
    width, height = fields.pop("size", None) or (None, None)
    return GenerationRequest(**presets.fill({"width": width, "height": height, **fields}))


def axis_label(value: Value) -> str:
    """Return what a value is called on sheets and pages: safe to show, on one line."""
    match value:
        case None:
            return "default"
        case "":
            return "none"
        case (width, height):
            return f"{width}x{height}"
        case float():
            return repr(value).removesuffix(".0")
        case _:
            return excerpt(value, MAX_LABEL_CHARACTERS)
