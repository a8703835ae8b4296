"""All that is decided about a sweep before a weight is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sheepgen.cli.download import obtain_model
from sheepgen.errors import OutputError, UsageError
from sheepgen.execution.image_key import image_key
from sheepgen.fields import MAX_SEED
from sheepgen.metadata.image_file import check_format
from sheepgen.models.spec import outside_warnings
from sheepgen.output.manifest import Manifest
from sheepgen.output.ownership import check_replaceable, own_paths
from sheepgen.sweep.names import KEYED_NAMES, place_images, readable_names
from sheepgen.sweep.plan import AXES, SweepPlan, describe_plan, plan_sweep, resolve_plan
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sheepgen.models.hub import DownloadPlan
    from sheepgen.models.spec import ModelSpec
    from sheepgen.output.images import OutputLayout
    from sheepgen.output.template import OutputTemplate, Target
    from sheepgen.request import ResolvedRequest
    from sheepgen.sweep.plan import Value

__all__ = [
    "PLAN_NAME",
    "EarlierSweep",
    "SweepRun",
    "describe_run",
    "earlier_sweep",
    "prepare_sweep",
]

PLAN_NAME = "sweep.json"
"""The plan, in the sweep's folder."""

_MAX_PLAN_BYTES = 2**27

_NAMES = "names"
"""The plan's template of file names; versions before readable names wrote none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierSweep:
    """What a sweep that goes on in a folder takes over from the one that is there.

    Args:
        seeds: By the fields ``seed`` and ``variation_seed``.
        keyed: Whether its images have the names that versions before readable ones gave.
    """

    seeds: Mapping[str, tuple[Value, ...]]
    keyed: bool

    def names(self, values: Mapping[str, Sequence[Value]]) -> str:
        """Return the template of file names for images that the user has not named."""
        return KEYED_NAMES if self.keyed else readable_names(values)


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepRun:
    """A sweep that nothing is known to stand against.

    Args:
        plan: With every request resolved.
        specs: The models, complete on this disk.
        layout: Where the files go.
        cell_keys: The key of each of the plan's cells. Cells may share an image: at variation
            strength 0 all variation seeds do.
        keys: Of every image that is to be there in the end, in order.
        targets: Where each of them goes if it is not there yet.
        done: Where those are that are there and whole, by whatever names they were given.
        missing: The others.
        warnings: A line for each model that is asked for what is outside of its range.
    """

    plan: SweepPlan[ResolvedRequest]
    specs: Mapping[str, ModelSpec]
    layout: OutputLayout
    cell_keys: tuple[str, ...]
    keys: Mapping[ResolvedRequest, str]
    targets: Mapping[ResolvedRequest, Target]
    done: Mapping[ResolvedRequest, Path]
    missing: Mapping[ResolvedRequest, str]
    warnings: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """The sweep's own folder, where the manifest is."""
        return self.layout.template.home


def prepare_sweep(
    values: Mapping[str, Sequence[Value]],
    layout: OutputLayout,
    *,
    spare: OutputTemplate | None = None,
    dtype: str,
    offline: bool,
    download: Callable[[DownloadPlan], None],
) -> SweepRun:
    """Lay the sweep out, find its models, and see what of it is there.

    Args:
        values: As `plan_sweep` takes them.
        layout: Where the files go, and whether those that are in the way may be replaced.
        spare: Names images whose name by the layout is another image's; None to refuse them.
        dtype: Number format as asked for.
        offline: Whether the network is forbidden.
        download: Fetches a model that is not here.

    Raises:
        UsageError: If a request is wrong, two images would have one name, or a file that is not
            of this sweep is in the way.
        ModelError: If a model cannot be had.
    """
    wanted = plan_sweep(values)
    for each in wanted.cells:
        check_format(layout.template.suffix, each.request)
    models = dict.fromkeys(cell.request.model for cell in wanted.cells)
    specs = {name: obtain_model(name, offline=offline, download=download) for name in models}
    plan = resolve_plan(wanted, specs)
    cell_keys = tuple(
        image_key(cell.request, model_sha256=specs[cell.request.model].sha256, dtype=dtype)
        for cell in plan.cells
    )
    requests: dict[str, ResolvedRequest] = {}
    for key, cell in zip(cell_keys, plan.cells, strict=True):
        requests.setdefault(key, cell.request)
    keys = {request: key for key, request in requests.items()}
    manifest = Manifest(layout.template.home)
    manifest.refresh()
    targets = place_images(keys, layout.template, spare, manifest.image_keys)
    done = {
        request: manifest.folder / entry["path"]
        for request, key in keys.items()
        if (entry := manifest.entry(key)) is not None and manifest.is_intact(key)
    }
    missing = {request: key for request, key in keys.items() if request not in done}
    _check_names(targets)
    for request in missing:
        own = own_paths(targets[request], request, manifest)
        check_replaceable(replace(targets[request], own=own), overwrite=layout.overwrite)
    return SweepRun(
        plan=plan,
        specs=specs,
        layout=layout,
        cell_keys=cell_keys,
        keys=keys,
        targets=targets,
        done=done,
        missing=missing,
        warnings=outside_warnings(keys, specs),
    )


def describe_run(run: SweepRun) -> dict[str, Any]:
    """Return what `earlier_sweep` reads back, and the whole plan, as plain JSON."""
    return {**describe_plan(run.plan), _NAMES: Path(run.layout.template.text).name}


def earlier_sweep(folder: Path) -> EarlierSweep | None:
    """Return what there is to know of the sweep that the folder holds, or None if it holds none.

    Raises:
        OutputError: If there is a plan that cannot be read.
    """
    path = folder / PLAN_NAME
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
        reason = error.strerror if isinstance(error, OSError) else "It is not the plan of a sweep"
        raise OutputError(
            f"{path} cannot be read: {reason}.",
            "Move it, or choose another folder with --output.",
        ) from error


def _checked_seeds(values: object, *, optional: bool) -> tuple[Value, ...]:
    """Return a plan's seeds.

    Raises:
        ValueError: If they are no list of seeds.
    """
    if optional and values == [None]:
        return (None,)
    if not isinstance(values, list) or not values:
        raise ValueError(values)
    if not all(type(value) is int and 0 <= value <= MAX_SEED for value in values):
        raise ValueError(values)
    return tuple(values)


def _check_names(targets: Mapping[ResolvedRequest, Target]) -> None:
    """Refuse a template that gives two images one name."""
    taken: set[Path] = set()
    for target in targets.values():
        path = target.path
        if path in taken:
            raise UsageError(
                f"Two images of the sweep would be called {path}.",
                "Put {key} into --output, which is another one for every image.",
            )
        taken.add(path)
