"""What a hub answers, checked before anything is done with it.

An endpoint may be anybody's (``HF_ENDPOINT``), and what the hub's library reads from an answer it
believes: the ETag and the commit become paths, a body is read to its end. So a hook in the
library's own HTTP clients looks at each answer first, which leaves no second answer that could be
another one.
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

__all__ = ["Announcement", "checked_answers", "senseless_answer"]

_ETAG = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}")
"""Hashes, UUIDs and the like: nothing that could be more of a path than one name."""

_COMMIT = re.compile(r"[0-9a-f]{40}")


class Announcement:
    """What a hub says about one file; filled in while the hub's library asks for it.

    Args:
        repo: The repository, ``org/name``.
        size: Bytes that the file has by the hub's listing, or None before there is one.

    Attributes:
        etag: The name that the hub gives to the file's content, once it has said one.
        stopped: Set by another thread to have nothing more asked for.
    """

    def __init__(self, repo: str, size: int | None = None) -> None:
        self.repo = repo
        self.size = size
        self.etag: str | None = None
        self.stopped = threading.Event()

    def check(self, response: Any) -> None:  # noqa: ANN401 - httpx or httpx2, as the library has it
        """Check one answer before its body is read.

        Raises:
            ModelError: If the answer is not one that a hub gives.
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
        if commit is not None and not _COMMIT.fullmatch(commit):
            raise senseless_answer(self.repo, f"a commit of {excerpt(commit)!r}")
        if response.status_code >= 400:
            return
        linked = response.headers.get("X-Linked-Etag")
        if linked is None and response.status_code >= 300:
            # It is about the redirection, and the library is not to take it for the file's.
            response.headers.pop("ETag", None)
            return
        etag = (linked or response.headers.get("ETag") or "").removeprefix("W/").strip('"')
        if not _ETAG.fullmatch(etag):
            raise senseless_answer(self.repo, f"an ETag of {excerpt(etag)!r}")
        size = response.headers.get("X-Linked-Size" if linked else "Content-Length")
        if self.size is not None and size is not None and size != str(self.size):
            raise senseless_answer(
                self.repo, f"{self.size:,} bytes in the listing, {excerpt(size)} for the file"
            )
        self.etag = etag


_announced: ContextVar[Announcement | None] = ContextVar("_announced", default=None)


@contextmanager
def checked_answers(announcement: Announcement) -> Iterator[None]:
    """Have every answer to this thread's requests through the hub's library checked."""
    _check_all_clients()
    token = _announced.set(announcement)
    try:
        yield
    finally:
        _announced.reset(token)


def _check_all_clients() -> None:
    """Give a hook to each client of the library: after some failures it makes another one."""
    from huggingface_hub import get_session, set_client_factory
    from huggingface_hub.utils import _http

    if _check in get_session().event_hooks["response"]:
        return
    make_client = _http._GLOBAL_CLIENT_FACTORY  # which may be a program's that uses this package

    def make_checked_client() -> Any:  # noqa: ANN401
        client = make_client()
        client.event_hooks["response"].append(_check)
        return client

    set_client_factory(make_checked_client)


def _check(response: Any) -> None:  # noqa: ANN401
    if (announcement := _announced.get()) is not None:
        announcement.check(response)


def senseless_answer(repo: str, what: str) -> ModelError:
    """Return the error for an answer that no hub gives.

    Args:
        repo: The repository that was asked for.
        what: What the answer has that makes no sense.
    """
    return ModelError(
        f"The hub's answer about {repo} makes no sense: {what}.",
        "Nothing of it was used. If HF_ENDPOINT is set, is that a Hugging Face hub?",
    )


def _drop_body(response: Any) -> None:  # noqa: ANN401
    """Leave the body of a refusal or redirection unread: headers say all, and it may not end."""
    response.stream.close()
    library = sys.modules[type(response).__module__.partition(".")[0]]
    response.stream = library.ByteStream(b"")
