"""What became of an image as plain JSON, for other programs to read and for the manifest."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sheepgen.errors import as_sheepgen_error
from sheepgen.events import ImageSaved
from sheepgen.metadata.record import to_dict

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.events import RunFailed

__all__ = ["error_to_dict", "outcome_to_dict", "to_json_line"]


def to_json_line(outcome: ImageSaved | RunFailed) -> str:
    """Return `outcome_to_dict` as one line of ASCII, without its line break."""
    return json.dumps(outcome_to_dict(outcome))


def outcome_to_dict(outcome: ImageSaved | RunFailed) -> dict[str, Any]:
    """Return what there is to say about an image, as plain JSON values.

    All have ``status`` (``done`` or ``failed``), ``seed``, ``seconds`` (since its batch began, if
    it was made with others) and ``request``. A saved one
    has ``path``, ``frames``, ``filmstrip`` and ``animation`` (paths, or null), the file's
    ``sha256`` and the other entries of its record: ``environment``, ``noise_sha256``,
    ``latents_sha256``, ``truncated``. A failed one has ``error``, see `error_to_dict`.
    """
    line: dict[str, Any] = {"seed": outcome.request.seed, "seconds": round(outcome.elapsed_s, 3)}
    if not isinstance(outcome, ImageSaved):
        error = error_to_dict(outcome.error)
        return {"status": "failed", **line, "error": error, "request": asdict(outcome.request)}
    return {
        "status": "done",
        "path": str(outcome.path),
        "frames": _path(outcome.frames_folder),
        "filmstrip": _path(outcome.filmstrip),
        "animation": _path(outcome.animation),
        "sha256": outcome.sha256,
        **line,
        **to_dict(outcome.record),
    }


def error_to_dict(error: Exception) -> dict[str, str]:
    """Return what went wrong: ``kind``, ``message`` and ``hint``."""
    known = as_sheepgen_error(error)
    return {"kind": type(error).__name__, "message": known.message, "hint": known.hint}


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)
