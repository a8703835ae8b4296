"""The user's cache folders: sheepgen's own, whose files only save time, and the Hub's."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["cache_folder", "hub_cache_folder", "write_cache"]


def cache_folder() -> Path:
    """Return sheepgen's own folder in the user's cache; it need not exist."""
    return user_cache_path("sheepgen", appauthor=False)


def hub_cache_folder() -> Path:
    """Return the folder in which the Hub's library keeps models; it need not exist.

    The library takes time to load, and what its documentation says of the variables is enough:
    https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables.
    """
    if loaded := sys.modules.get("huggingface_hub.constants"):
        return Path(loaded.HF_HUB_CACHE)
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{caches}/huggingface"
    hub = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(os.path.expanduser(os.path.expandvars(hub or f"{home}/hub")))  # noqa: PTH111


def write_cache(path: Path, text: str) -> None:
    """Write a file completely or not at all; if it cannot be written, nothing happens."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).replace(path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
