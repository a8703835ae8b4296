"""What the system says of this machine, without torch."""

from __future__ import annotations

import platform
from pathlib import Path

__all__ = ["available_memory", "processor_name"]


def processor_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's model name; on Linux, Python itself knows only the architecture."""
    for key, value in _entries(cpuinfo):
        if key == "model name":
            return value
    return platform.processor() or platform.machine()


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Return how many bytes Linux can give to a process without taking them from another one."""
    for key, value in _entries(meminfo):
        if key == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _entries(path: Path) -> list[tuple[str, str]]:
    """Return keys and values of a file that the kernel writes; none if there is no such file."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [
        (key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in lines)
    ]
