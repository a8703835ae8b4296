"""Small JSON files from strangers, read with a limit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_BYTES", "check_size", "parse_object", "read_object", "too_large"]

MAX_BYTES = 10_000_000
"""Largest config or vocabulary that is read: some three times the largest in use."""


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ModelError: If the file cannot be read, is not a regular one, is larger than `MAX_BYTES` or
            is not a JSON object.
    """
    try:
        check_size(path)
        content = read_untrusted(path, max_bytes=MAX_BYTES)
    except OSError as error:
        raise ModelError(
            f"{excerpt(path, 200)} cannot be read: {error.strerror}.",
            "Check its permissions, and that it is a regular file.",
        ) from error
    return parse_object(content, _short(path))


def check_size(path: Path) -> None:
    """Check that a config or a vocabulary is of a size that is safe to read.

    Raises:
        ModelError: If it is larger than `MAX_BYTES`.
        OSError: If it cannot be looked at.
    """
    if path.stat().st_size > MAX_BYTES:
        raise too_large(excerpt(_short(path)))


def too_large(what: str) -> ModelError:
    """Return the error for a config or a vocabulary that is larger than `MAX_BYTES`."""
    return ModelError(
        f"{what} is larger than {MAX_BYTES:,} bytes.",
        "No honest config is: get the model from a source that you trust.",
    )


def parse_object(content: bytes, name: str) -> dict[str, Any]:
    """Parse a JSON object out of ``content``, which came from ``name``.

    Raises:
        ModelError: If it is not one.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _not_an_object(name) from error
    if not isinstance(value, dict):
        raise _not_an_object(name)
    return value


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _not_an_object(name: str) -> ModelError:
    return ModelError(
        f"{excerpt(name)} is not a JSON object.", "The model is damaged: fetch it again."
    )
