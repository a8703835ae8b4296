"""What has become of each image of a sweep, placed on the axes of its sheet and its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.output.contact_sheet import SheetAxis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sheepgen.output.grid import Coordinates
    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.sweep.plan import SweepPlan

__all__ = ["Overview", "PlacedImage", "read_overview"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedImage:
    """One image of a sweep.

    Args:
        coordinates: The index of its value on every axis.
        request: What it is.
        key: Its `sheepgen.execution.image_key.image_key`.
        path: Where it is, or None.
        frames: Folder with its steps, if they were saved.
        note: Why it is not there; begins with ``failed`` if that is why.
    """

    coordinates: Coordinates
    request: ResolvedRequest
    key: str
    path: Path | None = None
    frames: Path | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """A sweep's images in the order in which they are shown.

    Args:
        axes: Slowest first; the last two are rows and columns.
        images: One for each combination of their values, the last axis fastest.
    """

    axes: tuple[SheetAxis, ...]
    images: tuple[PlacedImage, ...]


def read_overview(plan: SweepPlan) -> Overview:
    """Return what the manifest of a sweep's folder says of its images.

    Raises:
        OutputError: If the manifest cannot be read.
    """
    manifest = plan.manifest
    manifest.refresh()
    order = _order([axis.name for axis in plan.grid.axes])
    images = [
        PlacedImage(
            coordinates=tuple(cell.coordinates[index] for index in order),
            request=cell.request,
            key=key,
            **_outcome(manifest.entry(key), plan.folder),
        )
        for cell, key in zip(plan.grid.cells, plan.cell_keys, strict=True)
    ]
    axes = (plan.grid.axes[index] for index in order)
    return Overview(
        axes=tuple(SheetAxis(name=axis.name, labels=axis.labels) for axis in axes),
        images=tuple(sorted(images, key=lambda image: image.coordinates)),
    )


def _order(names: Sequence[str]) -> list[int]:
    """Return the indices of the axes, those of the rows and columns last.

    If the prompt would turn pages while the seed has a row or column, they change places: another
    prompt changes more of a picture than another seed.
    """
    indices = range(len(names))
    if names[-1:] != ["seed"] or "prompt" not in names[:-2]:
        return list(indices)
    prompt = names.index("prompt")
    *others, last, seed = (index for index in indices if index != prompt)
    return [*others, seed, prompt, last]


def _outcome(entry: Mapping[str, Any] | None, folder: Path) -> dict[str, Any]:
    match entry:
        case {"status": "done", "path": str(path), "frames": str(frames)}:
            return {"path": folder / path, "frames": folder / frames}
        case {"status": "done", "path": str(path)}:
            return {"path": folder / path}
        case {"status": "failed", "error": {"message": message}}:
            return {"note": f"failed: {message}"}
        case _:
            return {"note": "not generated yet"}
