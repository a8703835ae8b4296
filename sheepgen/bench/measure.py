"""Run a process and say what it took: time, processor time, memory, and what it reported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from sheepgen.errors import SheepgenError, UsageError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sheepgen.bench.work import Beside, Metric

__all__ = ["Measurement", "RunError", "check_can_measure", "measure", "running_beside"]

_READY_SECONDS = 120.0
_BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1024
_MOST_CHARACTERS = 300


class RunError(SheepgenError):
    """A process that is measured did not do its work."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What one process took.

    Args:
        wall_s: From its start to its end.
        cpu_s: Of all processors, for itself and the system.
        peak_bytes: The most memory that it had at once, files that it maps included.
        steps_s: When each step was done.
        images_s: How long each picture took.
        load_s: How long loading took, if it said that.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int
    steps_s: tuple[float, ...] = ()
    images_s: tuple[float, ...] = ()
    load_s: float | None = field(default=None)

    def seconds(self, metric: Metric) -> float:
        """Return what is timed.

        Raises:
            RunError: If the process did not report it.
        """
        try:
            match metric:
                case "process":
                    return self.wall_s
                case "step":  # the first also warms up
                    return median(after - before for before, after in pairwise(self.steps_s))
                case "image":
                    return fmean(self.images_s)
                case "load":
                    assert self.load_s is not None
                    return self.load_s
        except (AssertionError, ValueError) as error:  # the mean of nothing
            raise RunError(f"It did not report the time of a {metric}.") from error


def check_can_measure() -> None:
    """Check that the system says what a process took.

    Raises:
        UsageError: If it does not.
    """
    if not hasattr(os, "wait4"):
        raise UsageError(
            "This system does not report the resources of a process.",
            "Run the benchmark on Linux or macOS.",
        )


def measure(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, *, exit_code: int = 0
) -> Measurement:
    """Run Python to its end.

    Args:
        arguments: Of Python.
        environment: All of it.
        folder: Where it runs; what it prints is kept there in ``stdout`` and ``stderr``.
        exit_code: How it is to end.

    Raises:
        RunError: If it ends otherwise.
    """
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        started = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - Python itself
            [sys.executable, *arguments],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    printed = (folder / "stderr").read_text(encoding="utf-8", errors="replace")
    if process.returncode != exit_code:
        last = next((line for line in reversed(printed.splitlines()) if line.strip()), "")
        raise RunError(
            f"It ended with exit code {process.returncode}: {excerpt(last, _MOST_CHARACTERS)}"
        )
    return Measurement(
        wall_s=wall,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * _BYTES_OF_MAXRSS,
        **_reported(printed),
    )


def _reported(printed: str) -> dict[str, Any]:
    """Return what the JSON lines among those on standard error say."""
    times: dict[str, list[float]] = {"step": [], "saved": [], "loaded": []}
    for line in printed.splitlines():
        if not line.startswith("{"):
            continue
        try:
            event = json.loads(line)
            times[event["event"]].append(float(event["seconds"]))
        except (ValueError, KeyError, TypeError):
            continue  # not of ours
    return {
        "steps_s": tuple(times["step"]),
        "images_s": tuple(times["saved"]),
        "load_s": next(iter(times["loaded"]), None),
    }


@contextmanager
def running_beside(
    beside: Beside | None, environment: Mapping[str, str], folder: Path
) -> Iterator[None]:
    """Have a process run meanwhile.

    Raises:
        RunError: If it does not become ready, or what is to go first fails.
    """
    if beside is None:
        yield
        return
    quiet: dict[str, Any] = {
        "cwd": folder,
        "env": dict(environment),
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }

    def start(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, *arguments], **quiet)  # noqa: S603 - likewise

    process = start(beside.arguments)
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while beside.ready and start(beside.ready).wait():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RunError("What runs beside it did not become ready.")
            time.sleep(0.2)
        if beside.first and start(beside.first).wait():
            raise RunError("What goes before it failed.")
        yield
        if beside.stop:
            start(beside.stop).wait()
    finally:
        if not beside.stop or process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
