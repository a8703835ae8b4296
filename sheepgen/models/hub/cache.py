"""Models of the Hub by name, and which of them are in the Hub's cache.

The cache is shared with every other program. Models are named ``org/name`` or
``org/name@revision``.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.checkpoint import check_index
from sheepgen.models.files import INDEX_FILE, incompleteness, list_files, without_weights
from sheepgen.models.fingerprint import file_sha256, hub_sha256
from sheepgen.models.hub.answers import COMMIT
from sheepgen.models.json_file import read_object
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import read_untrusted
from sheepgen.user_cache import cache_folder, hub_cache_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = [
    "WORD",
    "HubModel",
    "cached_folder",
    "cached_models",
    "cached_part",
    "check_cached",
    "parse_hub_model",
    "repository_folder",
    "snapshot_folder",
]

WORD = r"[A-Za-z0-9](?:[\w.-]{0,94}[\w-])?"
"""A part of a repository's name."""

_HUB_MODEL = re.compile(rf"(?P<repo>{WORD}/{WORD})(?:@(?P<revision>[\w.-]+(?:/[\w.-]+)*))?", re.A)


@dataclass(frozen=True, kw_only=True, slots=True)
class HubModel:
    """A repository on the Hub at a branch, tag or commit."""

    repo: str
    revision: str = "main"

    def __str__(self) -> str:
        """Return it as `parse_hub_model` reads it."""
        return f"{self.repo}@{self.revision}"

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a full commit hash, which always means the same files."""
        return COMMIT.fullmatch(self.revision) is not None


def parse_hub_model(name: str) -> HubModel | None:
    """Parse ``org/name`` or ``org/name@revision``; return None for anything else."""
    match = _HUB_MODEL.fullmatch(name)
    if match is None or "--" in match["repo"] or ".." in name:
        return None
    return HubModel(repo=match["repo"], revision=match["revision"] or "main")


def repository_folder(repo: str) -> Path:
    """Return a repository's folder in the cache; it need not exist."""
    return hub_cache_folder() / f"models--{repo.replace('/', '--')}"


def snapshot_folder(model: HubModel) -> Path | None:
    """Return the folder with a model's files in the cache, complete or not; None if it has none."""
    folder = repository_folder(model.repo)
    commit = model.revision
    if not model.is_pinned:
        try:
            named = read_untrusted(folder / "refs" / model.revision, max_bytes=100)
        except OSError:
            return None
        commit = named.decode("ascii", "replace").strip()
    snapshot = folder / "snapshots" / commit
    return snapshot if COMMIT.fullmatch(commit) and snapshot.is_dir() else None


def cached_folder(
    model: HubModel, variant: str = "", replaced: Collection[str] = ()
) -> Path | None:
    """Return the model's folder in the cache if all needed files are there.

    Args:
        model: Which.
        variant: Which of its weights are needed; empty for the usual ones.
        replaced: Components whose weights are not needed.

    Raises:
        ModelError: If the model is of an unsupported family.
    """
    folder = snapshot_folder(model)
    if folder is None or not (folder / INDEX_FILE).is_file():
        return None
    index = read_object(folder / INDEX_FILE)
    components = without_weights(check_index(index, model.repo), replaced)
    names = list_files(folder)
    return None if incompleteness(components, names, model.repo, variant) else folder


def cached_models() -> tuple[str, ...]:
    """Return the names of the models that are complete in the Hub's cache, sorted."""
    folders = {
        folder.parents[1].name.removeprefix("models--")
        for folder in _snapshots("*")
        if _problem(folder, folder.name) is None
    }
    return tuple(sorted(folder.replace("--", "/") for folder in folders))


def cached_part(repo: str, variant: str = "") -> ModelError | None:
    """Return what a model lacks that is only partly in the cache; None if nothing of it is."""
    problems = (
        _problem(folder, f"{repo}, as it is in the cache,", variant)
        for folder in _snapshots(repo.replace("/", "--"))
    )
    return next(filter(None, problems), None)


def check_cached(repo: str, path: Path, *, rehash: bool = False) -> None:
    """Check that a downloaded file has not changed since.

    It is hashed when it is first used, and again when it changes. If hashes cannot be cached, it is
    not hashed at all: to hash gigabytes on every run would cost more than it finds.

    Args:
        repo: The repository, ``org/name``.
        path: Of the file.
        rehash: Hash it, once per process, even if its hash is cached.

    Raises:
        ModelError: If it is damaged.
        OSError: If it cannot be read.
    """
    known = hub_sha256(path)
    if known is None or not (rehash or _can_cache()):
        return
    digest = file_sha256(path, rehash=rehash, believe_name=False)
    if digest != known:
        raise ModelError(
            f"{excerpt(f'{path.parent.name}/{path.name}')} of {repo} is damaged in the Hub's "
            f"cache: its sha256 is {digest}, not {known}.",
            f"Remove {path.resolve()} and run the same command again to download it.",
        )


def _problem(folder: Path, owner: str, variant: str = "") -> ModelError | None:
    try:
        components = check_index(read_object(folder / INDEX_FILE), owner)
        return incompleteness(components, list_files(folder), owner, variant)
    except ModelError as error:
        return error


def _snapshots(folder: str) -> Iterator[Path]:
    for index in hub_cache_folder().glob(f"models--{folder}/snapshots/*/{INDEX_FILE}"):
        yield index.parent


def _can_cache() -> bool:
    folder = cache_folder()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)
