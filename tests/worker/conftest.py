"""A worker in a thread of this process, at a socket of its own."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from sheepgen.worker.door import State
from sheepgen.worker.place import socket_path
from sheepgen.worker.server import Worker
from sheepgen.worker.start import open_door

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sheepgen.worker.door import Door


@pytest.fixture(autouse=True)
def socket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return where the worker's socket is to be: paths of sockets are short."""
    before = os.getcwd()  # noqa: PTH109 - a worker's is the root
    with TemporaryDirectory(prefix="sheepgen-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        monkeypatch.setenv("OMP_WAIT_POLICY", "passive")  # as every command sets them
        monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
        yield socket_path()
    os.chdir(before)


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def door(state: State) -> Iterator[Door]:
    """Return a door that lets commands in; nobody computes what they ask for."""
    with open_door(state, idle_s=None) as door:
        yield door


@pytest.fixture
def worker(door: Door, state: State) -> Iterator[Worker]:
    """Return a worker that computes what commands ask for."""
    worker = Worker(door, state)
    thread = Thread(target=worker.run)
    thread.start()
    yield worker
    door.close()
    thread.join()
