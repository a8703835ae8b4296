"""What is in a repository of the Hub at one commit: its files, their sizes, and its licence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sheepgen.models.fingerprint import SHA256
from sheepgen.models.hub.answers import COMMIT, Announcement, checked_answers, invalid_answer
from sheepgen.models.hub.errors import hub_errors
from sheepgen.models.hub.transfer import HubFile

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Listing", "list_repository"]

_MAX_LISTING_BYTES = 20_000_000
"""Some 100,000 files."""

_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A repository at one commit.

    Args:
        commit: Its hash.
        licence: As the repository states it.
        files: All of its files, by name.
    """

    commit: str
    licence: str | None
    files: Mapping[str, HubFile]


def list_repository(repo: str, revision: str) -> Listing:
    """Ask the Hub for the files of a repository.

    Args:
        repo: ``org/name``.
        revision: A branch, tag or commit.

    Raises:
        ModelError: If the Hub refuses, or its answer is invalid.
    """
    content = _get(repo, f"api/models/{repo}/revision/{quote(revision, safe='')}")
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise invalid_answer(repo, "it is not JSON") from error
    match answer:
        case {"sha": str(commit), "siblings": list(siblings)} if COMMIT.fullmatch(commit):
            files = [_file(repo, sibling) for sibling in siblings]
        case _:
            raise invalid_answer(repo, "it is not a listing of files at a commit")
    card = answer.get("cardData")
    licence = card.get("license") if isinstance(card, dict) else None
    return Listing(
        commit=commit,
        licence=str(licence) if licence else None,
        files={file.name: file for file in files},
    )


def _get(repo: str, path: str) -> bytes:
    from huggingface_hub import constants, get_session
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        hf_raise_for_status,
    )

    content = bytearray()
    with hub_errors(repo), checked_answers(Announcement(repo)):
        request = get_session().stream(
            "GET",
            f"{constants.ENDPOINT}/{path}",
            params={"blobs": True},
            headers=build_hf_headers(),
            timeout=_TIMEOUT_S,
        )
        with request as response:
            hf_raise_for_status(response)
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _MAX_LISTING_BYTES:
                    raise invalid_answer(
                        repo, f"its listing is longer than {_MAX_LISTING_BYTES:,} bytes"
                    )
    return bytes(content)


def _file(repo: str, sibling: Any) -> HubFile:  # noqa: ANN401 - from somebody else's JSON
    match sibling:
        case {"rfilename": str(name), "size": int(size)} if size >= 0:
            lfs = sibling.get("lfs")
            sha256 = lfs.get("sha256") if isinstance(lfs, dict) else None
            if sha256 is not None and not SHA256.fullmatch(str(sha256)):
                raise invalid_answer(repo, f"a sha256 of {str(sha256)[:80]!r}")
            return HubFile(name=name, size=size, sha256=sha256)
        case {"rfilename": str(name)}:
            size = sibling.get("size")
            raise invalid_answer(repo, f"{name[:80]} with a size of {str(size)[:80]}")
        case _:
            raise invalid_answer(repo, "a file without a name")
