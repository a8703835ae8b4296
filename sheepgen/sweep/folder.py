"""``sweep.json``: what a folder of images was planned as.

A sweep that is resumed later takes over the seeds that were picked for the folder, and the way its
files are called.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.errors import OutputError
from sheepgen.fields import MAX_SEED
from sheepgen.output.atomic import output_errors, staging_folder, write_synced
from sheepgen.sweep.grid import AXES, describe_grid
from sheepgen.sweep.names import KEYED_NAMES
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.sweep.grid import Grid, Value

__all__ = ["EarlierSweep", "read_earlier_sweep", "write_sweep"]

_PLAN_NAME = "sweep.json"
_MAX_PLAN_BYTES = 2**27

_NAMES = "names"
"""The plan's template of file names; versions before readable names wrote none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierSweep:
    """What a sweep that is resumed in a folder takes over from the one that is there.

    Args:
        seeds: By the fields ``seed`` and ``variation_seed``.
        keyed: Whether its images have the names that versions before readable ones gave.
    """

    seeds: Mapping[str, tuple[Value, ...]]
    keyed: bool


def read_earlier_sweep(folder: Path) -> EarlierSweep | None:
    """Return what there is to know of the sweep that the folder holds, or None if it holds none.

    Raises:
        OutputError: If there is a plan that cannot be read.
    """
    path = folder / _PLAN_NAME
    try:
        plan: dict[str, Any] = json.loads(read_untrusted(path, max_bytes=_MAX_PLAN_BYTES))
        first = plan["first_request"]
        axes = {axis["name"]: axis["values"] for axis in plan["axes"]}
        seeds = {
            field: _checked_seeds(axes.get(AXES[field], [first[field]]), optional=optional)
            for field, optional in (("seed", False), ("variation_seed", True))
        }
        return EarlierSweep(seeds=seeds, keyed=plan.get(_NAMES, KEYED_NAMES) == KEYED_NAMES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        read_error = f"cannot be read: {error.strerror}" if isinstance(error, OSError) else None
        raise OutputError(
            f"{path} {read_error or 'is not the plan of a sweep'}.",
            "Move it, or choose another folder with --output.",
        ) from error


def _checked_seeds(values: object, *, optional: bool) -> tuple[Value, ...]:
    """Return a plan's seeds.

    Raises:
        ValueError: If they are not a list of seeds.
    """
    if optional and values == [None]:
        return (None,)
    if not isinstance(values, list) or not values:
        raise ValueError(values)
    if not all(type(value) is int and 0 <= value <= MAX_SEED for value in values):
        raise ValueError(values)
    return tuple(values)


def write_sweep(folder: Path, grid: Grid[ResolvedRequest], names: str) -> None:
    """Write what `read_earlier_sweep` reads back, and the whole grid.

    Args:
        folder: The sweep's.
        grid: Every combination.
        names: The template of file names.

    Raises:
        OutputError: If it cannot be written.
    """
    described = {**describe_grid(grid), _NAMES: names}
    data = json.dumps(described, indent=1).encode() + b"\n"
    with output_errors(folder), staging_folder(folder) as staging:
        write_synced(staging / _PLAN_NAME, data)
        (staging / _PLAN_NAME).replace(folder / _PLAN_NAME)
