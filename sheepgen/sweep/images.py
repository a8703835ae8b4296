"""The images of a sweep, each once: cells that differ in nothing that is seen share one."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.execution.image_key import image_key
from sheepgen.resolved_request import ResolvedRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions
    from sheepgen.output.template import Target
    from sheepgen.request import ModelReference
    from sheepgen.sweep.grid import Grid

__all__ = ["cell_keys", "check_names", "details", "image_keys", "one_of_each"]

_ALL_BUT_SEED = attrgetter(*(each.name for each in fields(ResolvedRequest) if each.name != "seed"))


def cell_keys(
    grid: Grid[ResolvedRequest],
    specs: Mapping[ModelReference, ModelSpec],
    options: DeviceOptions,
) -> tuple[str, ...]:
    """Return the image key of each of the grid's cells."""
    requests = (cell.request for cell in grid.cells)
    return tuple(
        image_key(
            each,
            model_sha256=specs[each.model_reference].sha256,
            dtype=options.dtype,
            attention_backend=options.attention_backend,
            cache=options.cache,
            compiled=options.compiled,
        )
        for each in requests
    )


def image_keys(grid: Grid[ResolvedRequest], cell_keys: Sequence[str]) -> dict[ResolvedRequest, str]:
    """Return each image once, as the first cell that asks for it does, with its key."""
    requests: dict[str, ResolvedRequest] = {}
    for key, cell in zip(cell_keys, grid.cells, strict=True):
        requests.setdefault(key, cell.request)
    return {request: key for key, request in requests.items()}


def one_of_each(requests: Iterable[ResolvedRequest]) -> tuple[ResolvedRequest, ...]:
    """Return one of those requests that differ in nothing but the seed."""
    return tuple({_ALL_BUT_SEED(request): request for request in requests}.values())


def details(
    grid: Grid[ResolvedRequest], requests: Collection[ResolvedRequest]
) -> dict[ResolvedRequest, str]:
    """Return the values that distinguish each of some images from the others, in words."""
    found: dict[ResolvedRequest, str] = {}
    for cell in grid.cells:
        if cell.request not in requests:
            continue
        values = (
            axis.labels[index] if axis.name == "prompt" else f"{axis.name} {axis.labels[index]}"
            for axis, index in zip(grid.axes, cell.coordinates, strict=True)
        )
        found.setdefault(cell.request, ", ".join(values) or f"seed {cell.request.seed}")
    return found


def check_names(targets: Mapping[ResolvedRequest, Target]) -> None:
    """Refuse a template that gives two images one name."""
    taken: set[tuple[Path, str]] = set()
    for target in targets.values():
        name = target.folder, target.stem + target.suffix
        if name in taken:
            raise UsageError(
                f"Two images of the sweep would be called {target.path}.",
                "Put {key}, which is unique for each image, into --output.",
            )
        taken.add(name)
