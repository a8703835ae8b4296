"""What was added to an image's model, if it may be used: the image may come from anyone.

Only files with the recorded hashes are added, which `sheepgen.models.added.hashes` compares. Of
the Hub's, only a recorded commit is downloaded, and only if the user says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.added.places import LABELS, hub_path_of, locate, plan_added
from sheepgen.models.fingerprint import SHA256
from sheepgen.models.hub import download
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

    from sheepgen.models.hub import DownloadPlan, DownloadProgress
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["check_recorded_adapters", "fetch_recorded_adapters"]


def check_recorded_adapters(
    request: ResolvedRequest, *, fetch: bool, replaced: Collection[str] = ()
) -> None:
    """Check that nothing of what was added is used or downloaded that may not be.

    Args:
        request: From a record.
        fetch: Whether what is not here may be downloaded.
        replaced: Fields that get other values.

    Raises:
        ModelError: If a hash is missing, or something is neither here nor may be downloaded.
    """
    for kind, label in LABELS.items():
        texts = [text for each, text in request.adapters.names if each == kind]
        if kind in replaced or not texts:
            continue
        hashes = (getattr(request, f"{kind}_sha256") or "").split(",")
        if len(hashes) != len(texts) or not all(map(SHA256.fullmatch, hashes)):
            raise ModelError(
                f"The record has no hash of the {label} {excerpt(texts[0], 200)}.",
                f"Name it with --{kind}.",
            )
        for text in texts:
            _check_place(kind, text, fetch=fetch)


def _check_place(kind: str, text: str, *, fetch: bool) -> None:
    # Opening a network path would reveal this user to its server.
    is_network = text[:2].replace("\\", "/") == "//"
    if not is_network and locate(kind, text) is not None:
        return
    wanted = None if is_network else hub_path_of(text)
    may_be_had = wanted is not None and wanted.is_pinned
    if may_be_had and fetch:
        return
    hint = f"To use another one, regenerate the image with `sheepgen rerun` and --{kind}."
    if may_be_had:
        hint = f"Add --fetch to download it from the Hugging Face Hub. {hint}"
    raise ModelError(
        f"The image was generated with the {LABELS[kind]} {excerpt(text, 200)}, which is not here.",
        hint,
    )


def fetch_recorded_adapters(
    request: ResolvedRequest, *, fetch: bool, offline: bool
) -> Generator[DownloadPlan | DownloadProgress]:
    """Download what was added and is not here; each plan is followed by its progress.

    Raises:
        ModelError: As `check_recorded_adapters`, or if it cannot be downloaded.
    """
    check_recorded_adapters(request, fetch=fetch)
    while (plan := plan_added(request.adapters, offline=offline)) is not None:
        yield plan
        yield from download(plan)
