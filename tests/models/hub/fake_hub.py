"""The hub on 127.0.0.1: as much of its web interface as its library asks for.

    GET  /api/models/{repo}/revision/{revision}    what is in the repository, as JSON
    HEAD /{repo}/resolve/{revision}/{file}         size, hash and commit of a file
    GET  /{repo}/resolve/{revision}/{file}         the file

Refusals carry the status codes and headers by which the library tells them apart.
"""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class FakeHub(ThreadingHTTPServer):
    """A hub with repositories that are folders.

    Args:
        repos: Repository to its folder.
        gated: Repositories whose files nobody gets.
        private: Repositories that nobody sees without the ``token``.
        token: The only token that is good.
        down: Answer everything with status 500.
        contents: What is served instead of a file, by its name.
        headers: What is said of a file besides or instead of what is true, by its name.
        listing: Takes the listing as JSON would have it and returns what is sent instead.
        endless: Send no end of a listing (``listing``), a refusal (``refusal``) or a file's name.
        lost: Files that are in the listing and not there.
        elsewhere: Files that another host serves, as the hub has it for large ones.
        during: What happens before a file's content is sent, by its name.
        hang_after: Bytes of a file, by its name, after which nothing comes until ``go_on`` is set.
    """

    daemon_threads = True

    def __init__(self, repos: dict[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos = repos
        self.gated: set[str] = set()
        self.private: set[str] = set()
        self.token = "hf_good"
        self.down = False
        self.contents: dict[str, bytes] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.listing: Callable[[dict[str, Any]], object] = dict
        self.endless = ""
        self.hang_after: dict[str, int] = {}
        self.lost: set[str] = set()
        self.elsewhere: set[str] = set()
        self.go_on = threading.Event()
        self.during: dict[str, Callable[[], None]] = {}
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running(repos: dict[str, Path]) -> Iterator[FakeHub]:
    """Serve until the block ends."""
    with FakeHub(repos) as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: FakeHub

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.requests.append(f"{self.command} {path}")
        is_listing = path.startswith("/api/models/")
        org, name, *rest = path.removeprefix("/api/models/").strip("/").split("/")
        repo = f"{org}/{name}"
        authorization = self.headers.get("Authorization")
        if self.server.down:
            self._refuse(500, "", "")
        elif path.startswith("/cdn/"):
            _, _, org, name, file = path.split("/", 4)
            self._send((self.server.repos[f"{org}/{name}"] / file).read_bytes(), {})
        elif self.server.endless == "refusal":
            self._send_endlessly(404)
        elif authorization not in (None, f"Bearer {self.server.token}"):
            self._refuse(401, "", "Invalid credentials in Authorization header")
        elif repo in self.server.private and authorization is None:
            self._refuse(401, "", "Invalid username or password.")
        elif repo not in self.server.repos:
            self._refuse(404, "RepoNotFound", "Repository not found")
        elif rest[1] not in ("main", COMMIT):
            self._refuse(404, "RevisionNotFound", "Invalid rev id")
        elif is_listing and self.server.endless == "listing":
            self._send_endlessly(200)
        elif is_listing:
            listing = self.server.listing(_listing(repo, self.server.repos[repo]))
            content = listing if isinstance(listing, bytes) else json.dumps(listing).encode()
            self._send(content, {})
        elif repo in self.server.gated:
            self._refuse(403, "GatedRepo", "Access to this model is restricted")
        else:
            file = "/".join(rest[2:])
            content = (self.server.repos[repo] / file).read_bytes()
            etag = hashlib.sha256(content).hexdigest()
            headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}
            headers |= self.server.headers.get(file, {})
            if file in self.server.lost:
                self._refuse(404, "EntryNotFound", "Entry not found", headers)
                return
            if file in self.server.elsewhere:
                self._send_elsewhere(repo, file, content, headers)
                return
            if file in self.server.during and self.command == "GET":
                self.server.during.pop(file)()
            if self.server.endless == file and self.command == "GET":
                self._send_endlessly(200)
            elif file in self.server.hang_after and self.command == "GET":
                self._send(content[: self.server.hang_after[file]], headers, of=len(content))
                self.server.go_on.wait()
                self.close_connection = True
            else:
                self._send(self.server.contents.get(file, content), headers)

    def log_message(self, *_: object) -> None:
        """Be silent: what was asked for is in ``requests``."""

    def _send(self, content: bytes, headers: dict[str, str], of: int | None = None) -> None:
        self.send_response(200)
        length = len(content) if of is None else of
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def _send_elsewhere(
        self, repo: str, file: str, content: bytes, headers: dict[str, str]
    ) -> None:
        self.send_response(302)
        place = f"http://localhost:{self.server.server_port}/cdn/{repo}/{file}"
        linked = {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(len(content))}
        page = b"it is elsewhere"
        of_the_page = {"ETag": 'W/"a/b=="', "Content-Length": str(len(page)), "Location": place}
        for name, value in {**headers, **linked, **of_the_page}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(page)

    def _send_endlessly(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with suppress(OSError):
            while self.command == "GET":
                self.wfile.write(b"%x\r\n%b\r\n" % (2**16, b" " * 2**16))
        self.close_connection = True

    def _refuse(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        said = {"X-Error-Code": code, "X-Error-Message": message, "Content-Length": "0"}
        for name, value in {**(headers or {}), **said}.items():
            self.send_header(name, value)
        self.end_headers()


def _listing(repo: str, folder: Path) -> dict[str, object]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    siblings = [
        {"rfilename": path.relative_to(folder).as_posix(), "size": path.stat().st_size}
        for path in files
    ]
    return {
        "_id": "0",
        "id": repo,
        "modelId": repo,
        "sha": COMMIT,
        "private": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "cardData": {"license": "openrail"},
        "siblings": siblings,
    }
