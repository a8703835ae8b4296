"""What a download from the Hugging Face hub would take.

`plan_download` finds out all that can stop a download (no access, no such model, a family that
does not run here, pickles, too little disk) before a single weight is fetched.
`sheepgen.models.hub.download` carries the plan out.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.checkpoint import check_index
from sheepgen.models.configs import MAX_BYTES, read_object, too_large
from sheepgen.models.files import INDEX_FILE, needed_files
from sheepgen.models.hub.answers import senseless_answer
from sheepgen.models.hub.download import fetch_file
from sheepgen.models.hub.listing import PlannedFile, list_repository
from sheepgen.sanitize import byte_size, excerpt

if TYPE_CHECKING:
    from sheepgen.models.hub.names import HubModel

__all__ = ["DownloadPlan", "go_offline", "is_offline", "plan_download"]


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadPlan:
    """What is to be fetched and where to.

    Args:
        repo: The repository, ``org/name``.
        commit: Sha of the commit that will be fetched.
        licence: What the repository says its licence is.
        files: What is not in the cache yet.
        total_bytes: Size of all ``files`` together.
        free_bytes: Room on the cache's disk.
        folder: The model's folder in the cache, complete once all files are there.
    """

    repo: str
    commit: str
    licence: str | None
    files: tuple[PlannedFile, ...]
    total_bytes: int
    free_bytes: int
    folder: Path


def go_offline() -> None:
    """Keep the hub's libraries off the network for the rest of the process.

    They read this once, when they are imported, so it has to be called before that.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"


def is_offline() -> bool:
    """Say whether the network is not to be used (``HF_HUB_OFFLINE``)."""
    from huggingface_hub import is_offline_mode

    return is_offline_mode()


def plan_download(model: HubModel) -> DownloadPlan:
    """Ask the hub what fetching a model would take. Only the model's index is fetched.

    Raises:
        ModelError: If the model cannot be had or would not run here, or the disk is too small.
    """
    from huggingface_hub import try_to_load_from_cache

    listing = list_repository(model.repo, model.revision)
    if INDEX_FILE not in listing.files:
        raise ModelError(
            f"{model.repo} is not a diffusers model: it has no {INDEX_FILE}.",
            "Choose a repository in diffusers format; `sheepgen models` lists some.",
        )
    _check_size(listing.files[INDEX_FILE], model.repo)
    # By its branch, so that the cache learns which commit the branch is at.
    for _ in fetch_file(model.repo, model.revision, listing.files[INDEX_FILE]):
        pass
    index = try_to_load_from_cache(model.repo, INDEX_FILE, revision=model.revision)
    assert isinstance(index, str), "it was just fetched"
    folder = Path(index).parent
    if folder.name != listing.commit:
        raise senseless_answer(model.repo, "its listing and its files are of different commits")
    components = check_index(read_object(folder / INDEX_FILE), model.repo)
    needed = [listing.files[name] for name in needed_files(components, listing.files, model.repo)]
    for file in needed:
        _check_size(file, model.repo)
    files = tuple(file for file in needed if not (folder / file.name).is_file())
    plan = DownloadPlan(
        repo=model.repo,
        commit=listing.commit,
        licence=excerpt(listing.licence) if listing.licence else None,
        files=files,
        total_bytes=sum(file.size for file in files),
        free_bytes=shutil.disk_usage(folder).free,
        folder=folder,
    )
    _check_room(plan)
    return plan


def _check_size(file: PlannedFile, repo: str) -> None:
    """Refuse what would not be read once it is here; weights may be of any size."""
    if file.size > MAX_BYTES and not file.name.endswith(".safetensors"):
        raise too_large(f"{excerpt(file.name)} of {repo}")


def _check_room(plan: DownloadPlan) -> None:
    if plan.total_bytes > plan.free_bytes:
        raise ModelError(
            f"{plan.repo} takes {byte_size(plan.total_bytes)} more, and the disk of the cache has "
            f"{byte_size(plan.free_bytes)} left.",
            f"Make room, or set HF_HOME to a larger disk; now it is {plan.folder.parents[2]}.",
        )
