"""What the Hub's cache holds, read from its folders alone, without the Hub's library.

A repository is a folder ``models--org--name``: ``blobs/`` has the content of files by their hashes,
``snapshots/COMMIT/`` links to it by their names, and ``refs/main`` says at which commit a branch
was.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.families import family_of
from sheepgen.models.files import INDEX_FILE, complete_variants, incompleteness, list_files
from sheepgen.models.hub.answers import COMMIT
from sheepgen.models.hub.cache import parse_hub_model
from sheepgen.models.json_file import read_object
from sheepgen.user_cache import hub_cache_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CachedModel", "disk_size", "list_cached_models", "snapshot_state"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedModel:
    """A repository in the Hub's cache.

    Args:
        name: ``org/name``.
        family: Which family it is of; None if it is of none that runs here.
        commits: Those that have files there, the newest first.
        is_complete: Whether all files are there that one of them takes to run.
        size: Of its files on the disk, in bytes.
    """

    name: str
    family: str | None
    commits: tuple[str, ...]
    is_complete: bool
    size: int


def list_cached_models() -> tuple[CachedModel, ...]:
    """Return every model in the cache, sorted by name; what cannot be read is left out."""
    found = []
    for folder in sorted(hub_cache_folder().glob("models--*--*")):
        model = parse_hub_model(folder.name.removeprefix("models--").replace("--", "/", 1))
        if model is not None:
            with suppress(OSError):
                found.append(_cached_model(model.repo, folder))
    return tuple(found)


def _cached_model(repo: str, folder: Path) -> CachedModel:
    snapshots = sorted(
        (each for each in folder.glob("snapshots/*") if COMMIT.fullmatch(each.name)),
        key=lambda each: each.stat().st_mtime,
        reverse=True,
    )
    states = {each: snapshot_state(each, repo) for each in snapshots}
    families = [family for family, _ in states.values() if family is not None]
    return CachedModel(
        name=repo,
        family=families[0] if families else None,
        commits=tuple(each.name for each in snapshots),
        is_complete=any(family and not lacking for family, lacking in states.values()),
        size=disk_size(folder),
    )


def snapshot_state(snapshot: Path, repo: str) -> tuple[str | None, ModelError | None]:
    """Return the family of a snapshot, None if it does not run here, and what it lacks to run."""
    try:
        family = family_of(read_object(snapshot / INDEX_FILE), repo)
        names = list_files(snapshot)
        lacking = incompleteness(family.components, names, repo)
        has_others = bool(complete_variants(family.components, names))
    except (ModelError, OSError):
        return None, None
    return family.name, None if has_others else lacking


def disk_size(folder: Path) -> int:
    """Return how much files take on the disk, each once, wherever links lead."""
    sizes: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                state = os.stat(f"{parent}/{name}")  # noqa: PTH116 - there may be many
                sizes[state.st_dev, state.st_ino] = state.st_size
    return sum(sizes.values())
