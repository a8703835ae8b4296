"""Work is done by several processes, in order, and never much ahead of who takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sheepgen.training.processes import in_processes

if TYPE_CHECKING:
    from pathlib import Path


def noted(folder: Path, number: int) -> int:
    """Leave a file, and return the number's square; of 13 none."""
    if number == 13:
        raise ValueError("unlucky")
    folder.joinpath(str(number)).touch()
    return number**2


def test_results_come_in_order(tmp_path: Path) -> None:
    numbers = range(20, 0, -2)
    assert [*in_processes(noted, tmp_path, numbers, 2)] == [number**2 for number in numbers]
    assert [*in_processes(noted, tmp_path, [], 2)] == []


def test_work_waits_for_who_takes_it(tmp_path: Path) -> None:
    results = in_processes(noted, tmp_path, range(100, 200), 2)
    assert next(results) == 100**2
    assert len([*tmp_path.iterdir()]) <= 5


def test_an_error_is_raised_here(tmp_path: Path) -> None:
    results = in_processes(noted, tmp_path, [12, 13, 14], 1)
    assert next(results) == 144
    with pytest.raises(ValueError, match="unlucky"):
        next(results)
