"""A sweep as one HTML page: a grid with filters, a slider over the steps, and commands to paste.

    sweep.html            the page; it needs no network, and nothing that is not in the folder
    sweep_thumbnails/     its small pictures, which a browser loads as they come into view

The last two axes are rows and columns, as in the contact sheet; every combination of the others is
a section of its own. Without scripts all of it is listed.
"""

from __future__ import annotations

import re
from dataclasses import fields
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import quote

from sheepgen.errors import OutputError
from sheepgen.fields import FIELDS
from sheepgen.output.atomic import output_errors, staging_folder, write_synced
from sheepgen.output.html import render_html
from sheepgen.request import GenerationRequest
from sheepgen.sanitize import plural
from sheepgen.shell_command import to_command
from sheepgen.sweep.thumbnails import THUMBNAILS_NAME, is_thumbnail_folder, write_thumbnails
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sheepgen.output.contact_sheet import SheetAxis
    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.sweep.overview import Overview, PlacedImage
    from sheepgen.sweep.thumbnails import Thumbnail

__all__ = ["PAGE_NAME", "check_sweep_page", "write_sweep_page"]

PAGE_NAME = "sweep.html"

_GENERATOR = "sheepgen sweep"
_MAX_PAGE_BYTES = 2**28
_OURS = re.compile(rb'<meta name="generator" content="' + _GENERATOR.encode() + rb'">')

_LOCAL_PICTURES = "'self' file:"
"""A page that is opened from a disk has no origin that ``'self'`` could stand for."""


def check_sweep_page(folder: Path) -> None:
    """Refuse a folder, before images are generated, if the page cannot be saved there.

    Raises:
        OutputError: If something else has the name of the page or of its thumbnails.
    """
    page, thumbnails = folder / PAGE_NAME, folder / THUMBNAILS_NAME
    if page.is_symlink() or (page.exists() and not _is_page(page)):
        raise OutputError(
            f"{page} already exists and is not the page of a sweep.",
            "Move it, or choose another folder with --output.",
        )
    if thumbnails.is_symlink() or (thumbnails.exists() and not is_thumbnail_folder(thumbnails)):
        raise OutputError(
            f"{thumbnails} already exists and holds more than the thumbnails of a sweep.",
            "Move it, or choose another folder with --output.",
        )


def _is_page(path: Path) -> bool:
    try:
        return _OURS.search(read_untrusted(path, max_bytes=_MAX_PAGE_BYTES)) is not None
    except OSError:
        return False


def write_sweep_page(folder: Path, overview: Overview) -> Path:
    """Write the page and its thumbnails, in place of earlier ones.

    Args:
        folder: The sweep's.
        overview: Its images.

    Returns:
        The page.

    Raises:
        OutputError: If something else has one of their names, or the folder cannot be written to.
    """
    check_sweep_page(folder)
    thumbnails = write_thumbnails(folder, overview.images)
    text = _render(folder, overview, thumbnails)
    page = folder / PAGE_NAME
    with output_errors(folder), staging_folder(folder) as staging:
        write_synced(staging / PAGE_NAME, text.encode())
        check_sweep_page(folder)  # again, as time has passed
        (staging / PAGE_NAME).replace(page)
    return page


def _render(folder: Path, overview: Overview, thumbnails: Mapping[str, Thumbnail]) -> str:
    done = sum(image.key in thumbnails for image in overview.images)
    counts = plural(len(overview.images), "image")
    counts += "." if done == len(overview.images) else f", {done:,} of them finished."
    return render_html(
        "sheepgen.sweep",
        "page",
        pictures=_LOCAL_PICTURES,
        generator=_GENERATOR,
        title=folder.resolve().name,
        counts=counts,
        axes=overview.axes,
        steps=max((each.steps for each in thumbnails.values()), key=len, default=()),
        sections=[
            _section(folder, overview.axes, [*group], thumbnails)
            for _, group in groupby(overview.images, key=lambda image: image.coordinates[:-2])
        ],
    )


def _section(
    folder: Path,
    axes: Sequence[SheetAxis],
    images: Sequence[PlacedImage],
    thumbnails: Mapping[str, Thumbnail],
) -> dict[str, object]:
    """Return the images that differ in the last two axes at most, as the template takes them."""
    outer = range(len(axes))[:-2]
    first = images[0].coordinates
    rows = [[*group] for _, group in groupby(images, key=lambda image: image.coordinates[:-1])]
    *_, row, column = -1, -1, *range(len(axes))
    is_table = len(axes) > 1
    return {
        "title": ", ".join(_phrase(axes[axis], first[axis]) for axis in outer),
        "places": [(axis, first[axis]) for axis in outer],
        "columns": [_heading(axes, column, image) for image in rows[0]] if is_table else [],
        "rows": [
            {
                **(_heading(axes, row, some[0]) if is_table else {}),
                "cells": [
                    {
                        "places": [(column, image.coordinates[column])] if axes else [],
                        **_cell(folder, axes, image, thumbnails.get(image.key)),
                    }
                    for image in some
                ],
            }
            for some in rows
        ],
    }


def _heading(axes: Sequence[SheetAxis], axis: int, image: PlacedImage) -> dict[str, object]:
    at = image.coordinates[axis]
    return {"text": _phrase(axes[axis], at), "places": [(axis, at)]}


def _phrase(axis: SheetAxis, at: int) -> str:
    return f"{axis.name}: {axis.labels[at]}"


def _cell(
    folder: Path, axes: Sequence[SheetAxis], image: PlacedImage, thumbnail: Thumbnail | None
) -> dict[str, object]:
    phrases = [_phrase(axis, at) for axis, at in zip(axes, image.coordinates, strict=True)]
    unreadable = image.path is not None and thumbnail is None
    return {
        "name": ", ".join(phrases) or image.request.prompt,
        "summary": phrases[0] if len(phrases) == 1 else "parameters",
        "image": image.path and _link(folder, image.path),
        "thumbnail": thumbnail
        and {
            "source": _link(folder, thumbnail.path),
            "width": thumbnail.size[0],
            "height": thumbnail.size[1],
            "tiles": len(thumbnail.steps),
        },
        "note": "The file cannot be read." if unreadable else image.note,
        "parameters": _parameters(image.request),
        "command": to_command(image.request),
    }


def _parameters(request: ResolvedRequest) -> list[tuple[str, object]]:
    """Return what the image is, by the names that users know: all but what is at its default.

    What was left to the model is among them.
    """
    return [
        (FIELDS[each.name].label, getattr(request, each.name))
        for each in fields(GenerationRequest)
        if each.name in FIELDS and getattr(request, each.name) != each.default
    ]


def _link(folder: Path, path: Path) -> str:
    """Return a link from the page; one that begins like this is never an address of the web."""
    return "./" + quote(path.relative_to(folder).as_posix())
