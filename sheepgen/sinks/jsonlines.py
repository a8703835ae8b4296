"""One line of JSON for each saved image, for other programs to read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sheepgen.metadata import to_dict

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.events import ImageSaved

__all__ = ["saved_to_dict", "to_json_line"]


def to_json_line(saved: ImageSaved) -> str:
    """Return `saved_to_dict` as one line of ASCII, without its line break."""
    return json.dumps(saved_to_dict(saved))


def saved_to_dict(saved: ImageSaved) -> dict[str, Any]:
    """Return what there is to say about a saved image, as plain JSON values.

    It holds ``path``, ``frames``, ``filmstrip`` and ``animation`` (paths, or null), ``seed``,
    the file's ``sha256``, ``seconds``, and the entries of the image's record: ``request``,
    ``environment``, ``noise_sha256``, ``latents_sha256`` and ``truncated``.
    """
    line: dict[str, Any] = {
        "path": str(saved.path),
        "frames": _path(saved.frames_folder),
        "filmstrip": _path(saved.filmstrip),
        "animation": _path(saved.animation),
        "seed": saved.request.seed,
        "sha256": saved.sha256,
        "seconds": round(saved.elapsed_s, 3),
    }
    return line | to_dict(saved.record)


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)
