"""The pictures that an image started from, found again: in their old place, or beside it.

A record has their paths as they were typed, and their hashes. Only a file with the recorded hash is
used, so that nobody's image can bring another picture of this disk into a new one.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sheepgen.errors import OutputError, UsageError
from sheepgen.fields import FIELDS, HASHED_FIELDS
from sheepgen.init_image import inspect_image
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["find_inputs"]

_SHOWN_DIGITS = 16


def find_inputs(
    request: ResolvedRequest, folder: Path, *, replaced: Collection[str] = ()
) -> ResolvedRequest:
    """Return a recorded request with the paths at which its pictures are now.

    Args:
        request: From a record.
        folder: Where the image is.
        replaced: Fields that are not looked for, because they get other values; their hashes are
            taken out.

    Raises:
        OutputError: If a picture is missing, or what is there is another one.
    """
    found: dict[str, Any] = {}
    for name in HASHED_FIELDS:
        if name in replaced:
            found[f"{name}_sha256"] = None
        elif FIELDS[name].is_file and (path := getattr(request, name)) is not None:
            found[name] = _find(name, path, getattr(request, f"{name}_sha256"), folder)
    return replace(request, **found)


def _find(name: str, path: str, sha256: str | None, folder: Path) -> str:
    wanted = f"the {name} that it started from, {excerpt(path, 200)}"
    if sha256 is None:
        raise OutputError(f"The record has no hash of {wanted}.", "It cannot be verified.")
    beside = str(folder / re.split(r"[/\\]", path)[-1])
    others = []
    # Opening a network path would reveal this user to its server.
    is_network = path[:2].replace("\\", "/") == "//"
    for place in dict.fromkeys((beside,) if is_network else (path, beside)):
        try:
            here = inspect_image(place).sha256
        except UsageError:
            continue
        if here == sha256:
            return place
        others.append(f"{excerpt(place, 200)} has {here[:_SHOWN_DIGITS]}")
    recorded = f"its SHA-256 begins with {sha256[:_SHOWN_DIGITS]}"
    if others:
        raise OutputError(
            f"Another picture is in the place of {wanted}: {recorded}, and {', '.join(others)}.",
            "Put the right one beside the image.",
        )
    raise OutputError(
        f"Missing: {wanted}; {recorded}.",
        "Put it beside the image, or where it was.",
    )
