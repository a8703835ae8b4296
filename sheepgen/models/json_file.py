"""JSON files of models, read with a limit: vocabularies and configs are anybody's files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_BYTES", "check_size", "parse_object", "read_object", "too_large"]

MAX_BYTES = 40_000_000
"""Largest config or vocabulary that is read: language models have vocabularies of up to 34 MB."""


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
        OSError: If it cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise too_large(excerpt(_short(path)))


def too_large(what: str) -> ModelError:
    """Return the error for a config or a vocabulary that is larger than `MAX_BYTES`."""
    return ModelError(
        f"{what} is larger than {MAX_BYTES:,} bytes.",
        "The model is damaged or not trustworthy: get it from another source.",
    )


def parse_object(content: bytes, name: str, *, unique_keys: bool = False) -> dict[str, Any]:
    """Parse a JSON object out of ``content``, which came from ``name``.

    Args:
        content: UTF-8.
        name: What it is called in messages.
        unique_keys: Whether a key that comes twice is an error: which of its values counts would be
            up to each parser.

    Raises:
        ModelError: If it is not one.
    """

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if unique_keys and len(found) != len(pairs):
            raise ModelError(
                f"{excerpt(name)} has the same key twice.",
                "The file is damaged or not trustworthy: get it from another source.",
            )
        return found

    try:
        value = json.loads(content, object_pairs_hook=checked)
    except (ValueError, RecursionError) as error:
        raise _not_an_object(name) from error
    if not isinstance(value, dict):
        raise _not_an_object(name)
    return value


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _not_an_object(name: str) -> ModelError:
    return ModelError(
        f"{excerpt(name)} is not a JSON object.", "The model is damaged. Download it again."
    )
