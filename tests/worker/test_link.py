"""Whatever is wrong with a worker, commands work without it."""

from __future__ import annotations

import os
import socket as sockets
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from sheepgen.errors import UsageError
from sheepgen.execution.checks import check_device
from sheepgen.worker import handshake, link, place, start
from sheepgen.worker.client import WorkerEngine
from sheepgen.worker.door import Door, State
from sheepgen.worker.handshake import read_line, write_line
from sheepgen.worker.link import Greeted, Link, NoWorker, greet
from sheepgen.worker.start import open_door, start_worker, stop_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def reason() -> str:
    """Return why there is no worker for a command."""
    found = greet("work")
    assert isinstance(found, NoWorker)
    assert WorkerEngine().call(abs, -3) == 3  # which works as ever
    return found.reason


def works() -> bool:
    """Return whether a worker takes a command."""
    found = greet("work")
    if isinstance(found, Greeted):
        Link(found).close()
    return isinstance(found, Greeted)


@pytest.fixture
def listener(socket: Path) -> Iterator[sockets.socket]:
    """Return a socket at the worker's place, with nobody who answers."""
    socket.parent.mkdir(mode=0o700)
    with sockets.socket(sockets.AF_UNIX) as listener:
        listener.bind(str(socket))
        listener.listen()
        yield listener


def test_nobody_is_there() -> None:
    assert reason() == "none is running"


def test_a_socket_that_was_left_is_taken_over(socket: Path, state: State) -> None:
    socket.parent.mkdir(mode=0o700)
    with sockets.socket(sockets.AF_UNIX) as left:
        left.bind(str(socket))
    assert reason() == "none is running"
    with open_door(state, idle_s=None):
        assert works()
    assert not socket.exists()


@pytest.mark.usefixtures("door")
def test_there_is_one_worker() -> None:
    with pytest.raises(UsageError, match="already running"), open_door(State(), idle_s=None):
        pass
    assert works()


@pytest.mark.usefixtures("listener")
def test_a_socket_at_which_somebody_listens_is_not_removed() -> None:
    with pytest.raises(UsageError, match="already running"), open_door(State(), idle_s=None):
        pass


@pytest.mark.usefixtures("listener")
def test_one_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "HELLO_S", 0.05)
    assert reason() == f"it does not answer (process {os.getpid()})"


def test_one_that_falls_silent_is_given_up(
    listener: sockets.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def welcome() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream:
            read_line(stream)
            write_line(connection, {"pid": 7, "refused": ""})
            stream.read()

    monkeypatch.setattr(link, "SILENCE_S", 0.05)
    thread = Thread(target=welcome)
    thread.start()
    engine = WorkerEngine()
    assert engine.call(abs, -3) == 3
    thread.join()
    assert engine.call(abs, -4) == 4


@pytest.mark.parametrize("answer", [b"", b"[]\n", b"{\n", b"\xff\n"])
def test_one_that_says_something_else_is_not_used(listener: sockets.socket, answer: bytes) -> None:
    def mutter() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                connection.recv(100_000)
                connection.sendall(answer)

    thread = Thread(target=mutter)
    thread.start()
    assert reason().startswith("it fails: ")
    thread.join()


def test_one_of_another_version_is_not_used_and_ends(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_door(state, idle_s=None) as door:
        monkeypatch.setattr(handshake, "__version__", "9")
        assert reason() == "it has another version of sheepgen"
        assert door.tasks.next() is None  # it is closed
        assert door.is_closed


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "HF_HOME"])
def test_one_in_another_environment_is_not_used(
    door: Door, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "3")
    assert reason() == f"it has another {name}"
    assert not door.is_closed


def test_one_of_another_user_is_not_spoken_to(
    listener: sockets.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "peer_uid", lambda _: os.geteuid() + 1)
    assert reason() == "it belongs to another user"
    connection, _ = listener.accept()
    with connection:
        assert connection.recv(1) == b""


@pytest.mark.usefixtures("door")
def test_a_command_of_another_user_is_not_answered(
    socket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "peer_uid", lambda _: os.geteuid() + 1)
    with sockets.socket(sockets.AF_UNIX) as connection:
        connection.connect(str(socket))
        assert connection.recv(1) == b""


def test_a_full_one_is_not_waited_for(socket: Path, listener: sockets.socket) -> None:
    door = Door(listener, socket, State(), max_clients=1)
    thread = Thread(target=door.keep)
    thread.start()
    first = greet("work")
    assert isinstance(first, Greeted)
    assert reason() == "it serves 1 commands already"
    Link(first).close()
    door.close()
    thread.join()


@pytest.mark.usefixtures("listener")
@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda folder: folder.chmod(0o755), "is open to other users"),
        (lambda folder: folder.rename(f"{folder}-") or folder.touch(), "is not a folder"),
        (
            lambda folder: folder.symlink_to(folder.rename(f"{folder}-")),
            "is not a folder",
        ),
    ],
)
def test_a_folder_that_others_could_change_is_not_used(
    socket: Path, spoil: Callable[[Path], None], fault: str
) -> None:
    spoil(socket.parent)
    assert greet("work") in (
        NoWorker(f"{socket.parent} {fault}", is_running=False),
        NoWorker("none is running", is_running=False),
    )


def test_an_idle_one_ends(state: State, socket: Path) -> None:
    with open_door(state, idle_s=0) as door:
        assert door.tasks.next() is None
    assert not socket.exists()


def test_it_is_stopped(door: Door, state: State) -> None:
    state.is_ready = True
    found = greet("status")
    assert isinstance(found, Greeted)
    assert (found.answer["ready"], found.answer["clients"]) == (True, 0)
    Link(found).close()
    assert isinstance(stop_worker(), Greeted)
    assert door.is_closed
    assert stop_worker() == NoWorker("none is running", is_running=False)


def test_one_that_cannot_be_started_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(start, "cache_folder", lambda: tmp_path / "file")  # as on a full disk
    found = start_worker(60)
    assert isinstance(found, NoWorker)
    assert found.reason.startswith("it does not start: ")
    assert WorkerEngine(60).call(check_device, "cpu") is None
