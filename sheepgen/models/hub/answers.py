"""The answers of a Hub, checked before they are used.

The endpoint may be anybody's (``HF_ENDPOINT``), and the Hub's library trusts every answer: the ETag
and the commit become paths, a body is read to its end. So a hook in the library's own HTTP clients
checks each answer first. A separate request would not do: its answer could be another one.
"""

from __future__ import annotations

import re
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from sheepgen.errors import Interrupted, ModelError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["COMMIT", "Announcement", "checked_answers", "invalid_answer"]

_ETAG = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}")
"""Hashes, UUIDs and the like: nothing that could be more of a path than one name."""

COMMIT = re.compile(r"[0-9a-f]{40}")
"""A full commit hash."""


class Announcement:
    """What a Hub says about one file; filled in while the Hub's library asks for it.

    Args:
        repo: The repository, ``org/name``.
        size: Size of the file in the Hub's listing, in bytes, or None before there is one.

    Attributes:
        etag: The Hub's name for the content of the file, once it is known.
        stopped: Set by another thread to allow no more requests.
    """

    def __init__(self, repo: str, size: int | None = None) -> None:
        self.repo = repo
        self.size = size
        self.etag: str | None = None
        self.stopped = threading.Event()

    def check(self, response: Any) -> None:  # noqa: ANN401 - httpx or httpx2, as the library has it
        """Check one answer before its body is read.

        Raises:
            ModelError: If the answer is not one that a Hub sends.
            Interrupted: If this was stopped.
        """
        if self.stopped.is_set():
            raise Interrupted
        if response.status_code >= 300:
            _drop_body(response)
        if response.request.method == "HEAD":
            self._check_head(response)

    def _check_head(self, response: Any) -> None:  # noqa: ANN401
        commit = response.headers.get("X-Repo-Commit")
        if commit is not None and not COMMIT.fullmatch(commit):
            raise invalid_answer(self.repo, f"a commit of {excerpt(commit)!r}")
        if response.status_code >= 400:
            return
        linked = response.headers.get("X-Linked-Etag")
        if linked is None and response.status_code >= 300:
            # It is about the redirection, and the library must not take it for the file's.
            response.headers.pop("ETag", None)
            return
        etag = (linked or response.headers.get("ETag") or "").removeprefix("W/").strip('"')
        if not _ETAG.fullmatch(etag):
            raise invalid_answer(self.repo, f"an ETag of {excerpt(etag)!r}")
        size = response.headers.get("X-Linked-Size" if linked else "Content-Length")
        if self.size is not None and size is not None and size != str(self.size):
            raise invalid_answer(
                self.repo, f"{self.size:,} bytes in the listing, {excerpt(size)} for the file"
            )
        self.etag = etag


_announced: ContextVar[Announcement | None] = ContextVar("_announced", default=None)


@contextmanager
def checked_answers(announcement: Announcement) -> Iterator[None]:
    """Check every answer to this thread's requests through the Hub's library."""
    _check_all_clients()
    token = _announced.set(announcement)
    try:
        yield
    finally:
        _announced.reset(token)


def _check_all_clients() -> None:
    """Give each client of the library a hook: after some failures it makes a new client."""
    from huggingface_hub import get_session, set_client_factory
    from huggingface_hub.utils import _http

    if _check in get_session().event_hooks["response"]:
        return
    # No public name leads to it, and a program that uses this package may have set its own.
    make_client = _http._GLOBAL_CLIENT_FACTORY

    def make_checked_client() -> Any:  # noqa: ANN401
        client = make_client()
        client.event_hooks["response"].append(_check)
        return client

    set_client_factory(make_checked_client)


def _check(response: Any) -> None:  # noqa: ANN401
    if (announcement := _announced.get()) is not None:
        announcement.check(response)


def invalid_answer(repo: str, what: str) -> ModelError:
    """Return the error for an answer that no Hub sends.

    Args:
        repo: The repository that was requested.
        what: What is wrong with the answer.
    """
    return ModelError(
        f"The Hub sent an invalid answer about {repo}: {what}.",
        "It was not used. If HF_ENDPOINT is set, check that it is a Hugging Face Hub.",
    )


def _drop_body(response: Any) -> None:  # noqa: ANN401
    """Leave the body of a refusal or redirection unread: it may never end."""
    response.stream.close()
    library = sys.modules[type(response).__module__.partition(".")[0]]
    response.stream = library.ByteStream(b"")
