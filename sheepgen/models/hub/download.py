"""Downloading a model: what it would take, and then doing it, step by step.

`plan_download` finds everything that can stop a download (no access, no such model, an unsupported
family or setting, pickles, a full disk) before any weights are downloaded. `download` carries the
plan out.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.checkpoint import check_configs, check_index
from sheepgen.models.configs import read_config
from sheepgen.models.families import family_of
from sheepgen.models.files import (
    INDEX_FILE,
    folder_of,
    modular_error,
    needed_files,
    present_components,
    without_weights,
)
from sheepgen.models.hub.answers import invalid_answer
from sheepgen.models.hub.listing import list_repository
from sheepgen.models.hub.transfer import HubFile, fetch_file
from sheepgen.models.json_file import MAX_BYTES, read_object, too_large
from sheepgen.sanitize import byte_size, excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable

    from sheepgen.models.hub.cache import HubModel
    from sheepgen.models.hub.listing import Listing

__all__ = [
    "DownloadPlan",
    "DownloadProgress",
    "check_size",
    "download",
    "fetch",
    "go_offline",
    "is_offline",
    "plan_download",
    "plan_missing",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadPlan:
    """What has to be downloaded, and where to.

    Args:
        repo: The repository, ``org/name``.
        commit: Hash of the commit that will be downloaded.
        licence: As the repository states it.
        files: Those that are not in the cache yet.
        total_bytes: Size of all ``files`` together.
        free_bytes: Free space on the cache's disk.
        folder: The model's folder in the cache, complete once all files are there.
        kind: What it is: a model, or a field of `sheepgen.adapters.Adapters`.
        revision: The branch or tag that files are asked for by; None for the commit.
    """

    repo: str
    commit: str
    licence: str | None
    files: tuple[HubFile, ...]
    total_bytes: int
    free_bytes: int
    folder: Path
    kind: str = "model"
    revision: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadProgress:
    """How far a download is: bytes of all its files, and the current file."""

    done_bytes: int
    total_bytes: int
    file: str


def go_offline() -> None:
    """Keep the Hub's libraries off the network for the rest of the process.

    They read this once, when they are imported, so it has to be called before that.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"


def is_offline() -> bool:
    """Return whether the network must not be used (``HF_HUB_OFFLINE``)."""
    from huggingface_hub import is_offline_mode

    return is_offline_mode()


def plan_download(
    model: HubModel, variant: str = "", replaced: Collection[str] = ()
) -> DownloadPlan:
    """Ask the Hub what it takes to download a model. Only its index and configs are downloaded.

    Args:
        model: Which.
        variant: Which of its weights, as in ``fp16``; empty for the usual ones.
        replaced: Components whose weights are not downloaded.

    Raises:
        ModelError: If the model is not accessible or not supported, or the disk is too full.
    """
    from huggingface_hub import try_to_load_from_cache

    listing = list_repository(model.repo, model.revision)
    if INDEX_FILE not in listing.files:
        raise modular_error(listing.files, model.repo) or ModelError(
            f"{model.repo} is not a diffusers model: it has no {INDEX_FILE}.",
            "Choose a repository in diffusers format; `sheepgen models` lists some.",
        )
    check_size(listing.files[INDEX_FILE], model.repo)
    # By its branch, so that the cache learns which commit the branch is at.
    for _ in fetch_file(model.repo, model.revision, listing.files[INDEX_FILE]):
        pass
    index = try_to_load_from_cache(model.repo, INDEX_FILE, revision=model.revision)
    assert isinstance(index, str), "it was just downloaded"
    folder = Path(index).parent
    if folder.name != listing.commit:
        raise invalid_answer(model.repo, "its listing and its files are of different commits")
    content = read_object(folder / INDEX_FILE)
    components = without_weights(check_index(content, model.repo), replaced)
    names = needed_files(components, listing.files, model.repo, variant)
    needed = [listing.files[name] for name in names]
    for file in needed:
        check_size(file, model.repo)
    configs = {}
    for name, component in present_components(components, listing.files).items():
        config = f"{folder_of(name, component, listing.files)}{component.config}"
        for _ in fetch_file(model.repo, listing.commit, listing.files[config]):
            pass
        configs[name] = read_config(folder / config, component)
    check_configs(family_of(content, model.repo), configs, model.repo)
    return plan_missing(model.repo, listing, needed, folder)


def plan_missing(
    repo: str,
    listing: Listing,
    files: Iterable[HubFile],
    folder: Path,
    *,
    kind: str = "model",
    revision: str | None = None,
) -> DownloadPlan:
    """Return the download of those files that are not in the cache, which may be none.

    Args:
        repo: The repository.
        listing: Of it.
        files: Those that are needed.
        folder: The commit's in the cache, which need not be there yet.
        kind: As for `DownloadPlan`.
        revision: Likewise.

    Raises:
        ModelError: If the disk is too full.
    """
    missing = tuple(file for file in files if not (folder / file.name).is_file())
    here = folder
    while not os.path.isdir(here):  # noqa: PTH112
        here = here.parent
    plan = DownloadPlan(
        kind=kind,
        repo=repo,
        revision=revision,
        commit=listing.commit,
        licence=excerpt(listing.licence) if listing.licence else None,
        files=missing,
        total_bytes=sum(file.size for file in missing),
        free_bytes=shutil.disk_usage(here).free,
        folder=folder,
    )
    _check_room(plan)
    return plan


def check_size(file: HubFile, repo: str) -> None:
    """Refuse configs that are too large to be read; weights may have any size."""
    if file.size > MAX_BYTES and not file.name.endswith((".safetensors", ".gguf")):
        raise too_large(f"{excerpt(file.name)} of {repo}")


def _check_room(plan: DownloadPlan) -> None:
    """Refuse a download for which the disk is too full."""
    if plan.total_bytes > plan.free_bytes:
        raise ModelError(
            f"{plan.repo} needs {byte_size(plan.total_bytes)} more disk space, but only "
            f"{byte_size(plan.free_bytes)} are free in {plan.folder.parents[2]}.",
            "Free some space, or set HF_HOME to a folder on a larger disk.",
        )


def fetch(plan: DownloadPlan) -> None:
    """Carry out a plan without reporting progress."""
    for _ in download(plan):
        pass


def download(plan: DownloadPlan) -> Generator[DownloadProgress]:
    """Carry out a plan, smallest files first.

    Yields:
        Progress, at least once per file; ``done_bytes`` never falls and ends at ``total_bytes``.

    Raises:
        ModelError: If the Hub stops serving the model, sends something else than it announced,
            or the disk fills up. Complete files stay in the cache.
    """
    done = 0
    for file in sorted(plan.files, key=lambda file: file.size):
        for arrived in fetch_file(plan.repo, plan.revision or plan.commit, file):
            yield DownloadProgress(
                done_bytes=done + arrived, total_bytes=plan.total_bytes, file=file.name
            )
        done += file.size
        yield DownloadProgress(done_bytes=done, total_bytes=plan.total_bytes, file=file.name)
