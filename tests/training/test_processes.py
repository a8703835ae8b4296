"""Work is shared among processes: results in order, and only a few ahead of the caller."""

from __future__ import annotations

import os
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING

import pytest

from sheepgen.training.processes import map_in_processes

if TYPE_CHECKING:
    from pathlib import Path


def square(folder: Path, number: int) -> int:
    """Leave a file, and return the number's square; raise at 13, and die at 666."""
    if number == 13:
        raise ValueError("unlucky")
    if number == 666:
        os._exit(1)
    folder.joinpath(str(number)).touch()
    return number**2


def test_results_come_in_order(tmp_path: Path) -> None:
    numbers = range(20, 0, -2)
    results = map_in_processes(partial(square, tmp_path), numbers, 2)
    assert [*results] == [number**2 for number in numbers]
    assert [*map_in_processes(partial(square, tmp_path), [], 2)] == []


def test_work_waits_for_the_caller(tmp_path: Path) -> None:
    results = map_in_processes(partial(square, tmp_path), range(100, 200), 2)
    assert next(results) == 100**2
    assert len([*tmp_path.iterdir()]) <= 5


def test_an_error_is_raised_here(tmp_path: Path) -> None:
    results = map_in_processes(partial(square, tmp_path), [12, 13, 14], 1)
    assert next(results) == 144
    with pytest.raises(ValueError, match="unlucky"):
        next(results)


def test_a_killed_process_is_an_error(tmp_path: Path) -> None:
    results = map_in_processes(partial(square, tmp_path), [666, 1], 1)
    with pytest.raises(BrokenProcessPool):
        next(results)
