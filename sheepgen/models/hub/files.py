"""Files of a repository that are no whole model, as LoRAs are, by name and in the Hub's cache.

    org/name[@revision][/folder/file.safetensors]

A branch that is in the cache stays at the commit at which it is there, as with models.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.models.hub.answers import COMMIT
from sheepgen.models.hub.cache import WORD
from sheepgen.models.hub.download import DownloadPlan, check_room, check_size
from sheepgen.models.hub.transfer import fetch_file
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sheepgen.models.hub.listing import Listing

__all__ = ["HubPath", "cached_snapshot", "is_file_name", "parse_hub_path", "plan_files"]

_HUB_PATH = re.compile(
    rf"(?P<repo>{WORD}/{WORD})(?:@(?P<revision>refs/pr/\d{{1,9}}|[\w.-]{{1,100}}))?"
    r"(?:/(?P<file>.+\.safetensors))?",
    re.ASCII,
)

_FILE = re.compile(r"[^./\\,\0-\x1f][^/\\,\0-\x1f]*(?:/[^./\\,\0-\x1f][^/\\,\0-\x1f]*)*")
"""No comma, which stands between several; no name that begins with a dot."""

_MAX_REF_BYTES = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class HubPath:
    """A file of a repository, or what of it fits.

    Args:
        repo: ``org/name``.
        revision: A branch, tag or commit.
        file: Its name there; empty for the one that fits.
    """

    repo: str
    revision: str = "main"
    file: str = ""

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a full commit hash, which always means the same files."""
        return COMMIT.fullmatch(self.revision) is not None

    def __str__(self) -> str:
        """Return what `parse_hub_path` reads."""
        return f"{self.repo}@{self.revision}" + (f"/{self.file}" if self.file else "")


def parse_hub_path(text: str) -> HubPath | None:
    """Parse ``org/name[@revision][/file]``; return None for anything else."""
    match = _HUB_PATH.fullmatch(text)
    if match is None or "--" in match["repo"] or ".." in text.partition("/")[2]:
        return None
    if match["repo"].endswith(".safetensors") or not is_file_name(match["file"] or "a"):
        return None
    return HubPath(
        repo=match["repo"], revision=match["revision"] or "main", file=match["file"] or ""
    )


def is_file_name(name: str) -> bool:
    """Say whether a file of a repository can be named, and leads nowhere else."""
    return _FILE.fullmatch(name) is not None and ".." not in name


def cached_snapshot(path: HubPath) -> Path | None:
    """Return the folder in the cache with what is there of a repository at a revision.

    The folder's name is the commit.
    """
    from huggingface_hub import constants

    storage = Path(constants.HF_HUB_CACHE, f"models--{path.repo.replace('/', '--')}")
    commit = path.revision
    if not path.is_pinned:
        try:
            ref = read_untrusted(storage / "refs" / commit, max_bytes=_MAX_REF_BYTES)
        except OSError:
            return None
        commit = ref.decode("ascii", "replace").strip()
        if not COMMIT.fullmatch(commit):
            return None
    folder = storage / "snapshots" / commit
    return folder if folder.is_dir() else None


def plan_files(path: HubPath, listing: Listing, names: Iterable[str], kind: str) -> DownloadPlan:
    """Return the download of some files of a repository, of none if all are in the cache.

    What is there is asked for by its branch all the same, so that the cache learns which commit the
    branch is at.

    Args:
        path: Says which repository, and by which name of its commit it was asked for.
        listing: Of that.
        names: Of the files.
        kind: What they are, for messages.

    Raises:
        ModelError: If the Hub refuses, a config among them is too large to be read, or the disk is
            too full.
    """
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    folder = cache / f"models--{path.repo.replace('/', '--')}" / "snapshots" / listing.commit
    files = [listing.files[name] for name in names]
    for file in files:
        check_size(file, path.repo)
    missing = tuple(file for file in files if not (folder / file.name).is_file())
    if not missing:
        for _ in fetch_file(path.repo, path.revision, files[0]):
            pass
    here = folder
    while not os.path.isdir(here):  # noqa: PTH112
        here = here.parent
    plan = DownloadPlan(
        kind=kind,
        repo=path.repo,
        revision=path.revision,
        commit=listing.commit,
        licence=excerpt(listing.licence) if listing.licence else None,
        files=missing,
        total_bytes=sum(file.size for file in missing),
        free_bytes=shutil.disk_usage(here).free,
        folder=folder,
    )
    check_room(plan)
    return plan
