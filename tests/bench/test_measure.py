from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sheepgen.bench.measure import (
    Measurement,
    RunError,
    check_can_measure,
    measure,
    running_beside,
)
from sheepgen.bench.work import Beside
from sheepgen.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

TAKEN = Measurement(
    wall_s=20.0,
    cpu_s=30.0,
    peak_bytes=1,
    steps_s=(9.0, 10.0, 12.0, 13.0),
    images_s=(4.0, 6.0),
    load_s=2.0,
)


def test_each_metric_is_another_part_of_the_process() -> None:
    assert TAKEN.seconds("process") == 20.0
    assert TAKEN.seconds("step") == 1.0  # of 1, 2 and 1: the first step also warms up
    assert TAKEN.seconds("image") == 5.0
    assert TAKEN.seconds("load") == 2.0


@pytest.mark.parametrize("metric", ["step", "image", "load"])
def test_what_was_not_reported_is_an_error(metric: str) -> None:
    silent = Measurement(wall_s=1.0, cpu_s=1.0, peak_bytes=1, steps_s=(1.0,))
    with pytest.raises(RunError, match=f"time of a {metric}"):
        silent.seconds(metric)  # type: ignore[arg-type]


def test_a_process_is_measured_from_outside(tmp_path: Path) -> None:
    program = "x = bytearray(200_000_000); sum(range(10**6)); print('out')"
    taken = measure(("-c", program), os.environ, tmp_path)
    assert taken.peak_bytes > 200_000_000
    assert taken.cpu_s > 0
    assert taken.wall_s > 0
    assert (tmp_path / "stdout").read_text() == "out\n"


def test_a_process_that_fails_is_an_error_with_its_last_line(tmp_path: Path) -> None:
    program = "import sys; sys.exit('first line\\nno such model\\n')"
    with pytest.raises(RunError, match="exit code 1: no such model"):
        measure(("-c", program), os.environ, tmp_path)
    assert measure(("-c", program), os.environ, tmp_path, exit_code=1).wall_s > 0


def test_a_process_runs_beside_until_it_is_stopped(tmp_path: Path) -> None:
    wait = "import sys, time, pathlib as p; p.Path('up').touch()\nwhile p.Path('up').exists(): pass"
    beside = Beside(
        arguments=("-c", f"{wait}\np.Path('down').touch()"),
        ready=("-c", "import pathlib, sys; sys.exit(not pathlib.Path('up').exists())"),
        stop=("-c", "import pathlib; pathlib.Path('up').unlink()"),
    )
    with running_beside(beside, os.environ, tmp_path):
        assert (tmp_path / "up").exists()
    assert (tmp_path / "down").exists()


def test_a_process_that_has_no_end_is_ended(tmp_path: Path) -> None:
    program = (
        "import os, pathlib as p; p.Path('pid').write_text(str(os.getpid()))\nwhile True: pass"
    )
    beside = Beside(
        arguments=("-c", program),
        ready=("-c", "import pathlib, sys; sys.exit(not pathlib.Path('pid').exists())"),
    )
    with running_beside(beside, os.environ, tmp_path):
        pass
    listed = subprocess.run(
        [sys.executable, "-c", f"import os; os.kill({(tmp_path / 'pid').read_text()}, 0)"],
        check=False,
        capture_output=True,
    )
    assert b"ProcessLookupError" in listed.stderr


def test_what_never_becomes_ready_is_an_error(tmp_path: Path) -> None:
    beside = Beside(arguments=("-c", "pass"), ready=("-c", "import sys; sys.exit(1)"))
    with (
        pytest.raises(RunError, match="did not become ready"),
        running_beside(beside, os.environ, tmp_path),
    ):
        pytest.fail("it is not ready")


def test_systems_that_measure_nothing_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "wait4")
    with pytest.raises(UsageError, match="resources of a process"):
        check_can_measure()
