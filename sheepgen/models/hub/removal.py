"""Removing a model from the Hub's cache, as the Hub's own library does it.

Other programs use the same cache, so nothing is removed by hand: files that another revision links
to stay, and a program that has one open keeps it until it closes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.hub.cache import repository_folder, snapshot_folder
from sheepgen.models.hub.inventory import disk_size
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import lies_in
from sheepgen.user_cache import hub_cache_folder

if TYPE_CHECKING:
    from pathlib import Path

    from huggingface_hub import DeleteCacheStrategy

    from sheepgen.models.hub.cache import HubModel

__all__ = ["RemovalPlan", "plan_removal", "remove"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovalPlan:
    """What removing a model would do.

    Args:
        repo: The repository, ``org/name``.
        commits: Those whose files are removed.
        is_whole: Whether no other commit of it is in the cache.
        freed_bytes: Space that becomes free on the disk.
        folder: The repository's folder in the cache.
        strategy: How the Hub's library removes it.
    """

    repo: str
    commits: tuple[str, ...]
    is_whole: bool
    freed_bytes: int
    folder: Path
    strategy: DeleteCacheStrategy


def plan_removal(model: HubModel, *, revision_only: bool = False) -> RemovalPlan:
    """Return what removing a model from the cache would do; nothing is removed yet.

    Args:
        model: Which.
        revision_only: Whether only its revision is removed, or else all there is of the repository.

    Raises:
        ModelError: If it is not in the cache, or one revision of it cannot be removed by itself.
    """
    from huggingface_hub import scan_cache_dir

    folder = repository_folder(model.repo)
    if not folder.is_dir():
        raise _not_there(model.repo)
    if folder.is_symlink() or not lies_in(hub_cache_folder(), folder):
        raise ModelError(
            f"{excerpt(folder, 200)} leads out of the Hub's cache.", "Remove the link by hand."
        )
    cache = scan_cache_dir(hub_cache_folder())
    # Copies of a repository have the same commits, and only this one is meant.
    own = frozenset(
        repo for repo in cache.repos if repo.repo_type == "model" and repo.repo_id == model.repo
    )
    commits = tuple(sorted(each.commit_hash for repo in own for each in repo.revisions))
    chosen = commits
    if revision_only and not commits:
        raise ModelError(
            f"Files of {model.repo} are missing in the Hub's cache, so one revision cannot be "
            "removed by itself.",
            f"Remove them all: `sheepgen models rm {model.repo}`.",
        )
    if revision_only:
        snapshot = snapshot_folder(model)
        chosen = (snapshot.name,) if snapshot is not None and snapshot.name in commits else ()
        if not chosen:
            raise _not_there(str(model))
    strategy = replace(cache, repos=own).delete_revisions(*chosen)
    if not own:  # the library leaves out what is damaged, as by a file that is gone
        whole, size = frozenset({folder}), disk_size(folder)
        strategy = replace(strategy, repos=whole, expected_freed_size=size)
    return RemovalPlan(
        repo=model.repo,
        commits=chosen,
        is_whole=chosen == commits,
        freed_bytes=strategy.expected_freed_size,
        folder=folder,
        strategy=strategy,
    )


def remove(plan: RemovalPlan) -> None:
    """Carry out a plan.

    Raises:
        ModelError: If something could not be removed.
    """
    plan.strategy.execute()
    left = [plan.folder] if plan.is_whole else [plan.folder / "snapshots" / plan.commits[0]]
    if any(path.exists() for path in left):
        raise ModelError(
            f"{plan.repo} could not be removed completely.",
            f"Check the permissions of {excerpt(plan.folder, 300)}.",
        )


def _not_there(name: str) -> ModelError:
    return ModelError(
        f"{name} is not in the Hub's cache.",
        "`sheepgen models` lists what is, and how large it is.",
    )
