"""The machine that is measured, and what its processes are given."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.machine import available_memory, processor_name
from sheepgen.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "Machine",
    "child_environment",
    "is_installed",
    "processors",
    "this_machine",
]

_PACKAGES = ("torch", "diffusers", "transformers", "openvino")

_SET_BY_SHEEPGEN = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
"""The command sets them for its own process and those that it starts."""

BUSY = 0.5
"""Load per processor from which on times mean little."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What the times depend on.

    Args:
        processor: Its name.
        threads: That each process may use.
        processors: That this process may use.
        memory_bytes: That are free now.
        system: The operating system.
        python: Its version.
        versions: Of the packages that are compared.
        load: How many processes wanted a processor in the last minute.
    """

    processor: str
    threads: int
    processors: int
    memory_bytes: int | None
    system: str
    python: str
    versions: Mapping[str, str]
    load: float

    @property
    def is_busy(self) -> bool:
        """Whether so much else runs that times mean little."""
        return self.load > BUSY * self.processors


def this_machine(threads: int) -> Machine:
    """Return what is known of this machine, now."""
    return Machine(
        processor=processor_name(),
        threads=threads,
        processors=processors(),
        memory_bytes=available_memory(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        versions={"sheepgen": __version__, **dict(_versions(_PACKAGES))},
        load=os.getloadavg()[0],
    )


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_installed(package: str) -> bool:
    """Return whether a package is installed; it is not imported."""
    return bool(list(_versions([package])))


def child_environment(threads: int, runtime: Path) -> dict[str, str]:
    """Return the environment of what is measured: the user's, with the same threads for all.

    Nothing is looked up on the network, and neither the user's settings nor a worker of the user's
    has a part in it.

    Args:
        threads: Of each process.
        runtime: An empty folder for sockets.
    """
    kept = {name: each for name, each in os.environ.items() if name not in _SET_BY_SHEEPGEN}
    return {
        **kept,
        "HF_HUB_OFFLINE": "1",
        "MKL_NUM_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "PYTHONPATH": os.pathsep.join(filter(None, (_home(), os.environ.get("PYTHONPATH")))),
        "SHEEPGEN_CONFIG": "",
        "XDG_RUNTIME_DIR": str(runtime),
    }


def _home() -> str:
    """Return the folder that this sheepgen is imported from."""
    return str(Path(__file__).parents[2])


def _versions(packages: Iterable[str]) -> Iterable[tuple[str, str]]:
    for package in packages:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue
