"""How long a denoising step takes on this machine, remembered from one run to the next.

It is kept in the user's cache folder and is an estimate for a person to read. Whatever goes wrong
with it is passed over: no image depends on it.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sheepgen.request import GenerationRequest

__all__ = ["known_pace", "remember_pace"]

MAX_ENTRIES = 200


def known_pace(request: GenerationRequest, *, model_sha256: str, device: str) -> float | None:
    """Return the seconds that a step of such an image took last time, or None.

    Args:
        request: With every field resolved; its size, and whether it is guided, count.
        model_sha256: Of the model's weights.
        device: The device and number format as asked for, in one word.
    """
    pace = _read().get(_name(request, model_sha256, device))
    return pace if isinstance(pace, float) else None


def remember_pace(
    request: GenerationRequest, *, model_sha256: str, device: str, seconds_per_step: float
) -> None:
    """Remember it for `known_pace`; the oldest entries make room."""
    paces = _read()
    name = _name(request, model_sha256, device)
    paces.pop(name, None)
    paces[name] = round(seconds_per_step, 5)
    kept = dict(list(paces.items())[-MAX_ENTRIES:])
    path = _path()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(kept, file)
        Path(file.name).replace(path)


def _name(request: GenerationRequest, model_sha256: str, device: str) -> str:
    guided = "guided" if (request.guidance_scale or 0) > 1 else "free"
    return f"{model_sha256[:16]} {request.width}x{request.height} {guided} {device}"


def _read() -> dict[str, object]:
    with suppress(OSError, ValueError, RecursionError):
        paces = json.loads(_path().read_text("utf-8"))
        if isinstance(paces, dict):
            return paces
    return {}


def _path() -> Path:
    with suppress(RuntimeError):  # a user without a home
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(cache) / "sheepgen" / "pace.json"
    return Path(tempfile.gettempdir()) / "sheepgen" / "pace.json"
