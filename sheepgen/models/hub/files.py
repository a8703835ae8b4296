"""Single files of a repository, such as LoRAs, by name and in the Hub's cache.

    org/name[@revision][/folder/file.safetensors]

A branch that is in the cache stays at the commit at which it is there, as with models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.models.hub.cache import WORD, HubModel, repository_folder
from sheepgen.models.hub.download import check_size, plan_missing
from sheepgen.models.hub.transfer import fetch_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sheepgen.models.hub.download import DownloadPlan
    from sheepgen.models.hub.listing import Listing

__all__ = ["HubPath", "is_file_name", "parse_hub_path", "plan_files"]

_HUB_PATH = re.compile(
    rf"(?P<repo>{WORD}/{WORD})(?:@(?P<revision>refs/pr/\d{{1,9}}|[\w.-]{{1,100}}))?"
    r"(?:/(?P<file>.+\.(?:safetensors|gguf)))?",
    re.ASCII,
)

_FILE = re.compile(r"[^./\\,\0-\x1f][^/\\,\0-\x1f]*(?:/[^./\\,\0-\x1f][^/\\,\0-\x1f]*)*")
"""No comma, which stands between several; no name that begins with a dot."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HubPath(HubModel):
    """A file of a repository, by its name there; or, if that is empty, what of it fits."""

    file: str = ""

    def __str__(self) -> str:
        """Return what `parse_hub_path` reads."""
        return f"{self.repo}@{self.revision}" + (f"/{self.file}" if self.file else "")


def parse_hub_path(text: str) -> HubPath | None:
    """Parse ``org/name[@revision][/file]``; return None for anything else."""
    match = _HUB_PATH.fullmatch(text)
    if match is None or "--" in match["repo"] or ".." in text.partition("/")[2]:
        return None
    if match["repo"].endswith((".safetensors", ".gguf")) or not is_file_name(match["file"] or "a"):
        return None
    return HubPath(
        repo=match["repo"], revision=match["revision"] or "main", file=match["file"] or ""
    )


def is_file_name(name: str) -> bool:
    """Return whether a file of a repository can be named, and leads nowhere else."""
    return _FILE.fullmatch(name) is not None and ".." not in name


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
    folder = repository_folder(path.repo) / "snapshots" / listing.commit
    files = [listing.files[name] for name in names]
    for file in files:
        check_size(file, path.repo)
    plan = plan_missing(path.repo, listing, files, folder, kind=kind, revision=path.revision)
    if not plan.files:
        for _ in fetch_file(path.repo, path.revision, files[0]):
            pass
    return plan
