"""What a command and its worker must have in common, in one line of JSON from each.

The line comes before anything else. After it, both speak in pickles, which could run any code, and
are only read from a process of the same user that runs the same code: it could do all that anyway.

    command  {"want": "work", "identity": {…}, "folder": ["/home/ada", 64768, 131074]}
    worker   {"pid": 4711, "refused": ""}

``want`` may also be ``status`` or ``stop``, which workers of any version answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sheepgen.version import __version__

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping, Sequence
    from io import BufferedReader

__all__ = ["difference", "hello", "identity", "installed", "read_line", "sees_folder", "write_line"]

_MAX_BYTES = 2**16

_PROTOCOL = 1

_LIBRARIES = ("torch", "diffusers", "transformers", "pillow", "safetensors", "accelerate")

_VARIABLES = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "DNNL_", "ONEDNN_", "ATEN_"),
    *("TORCH", "PYTORCH", "CUDA_", "CUBLAS_", "CUDNN_", "NVIDIA_", "HIP_", "ROCR_", "ZE_", "SYCL_"),
    *("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "HOME"),
    *("LD_", "DYLD_"),
)
"""How the names of variables begin that change pixels, which devices there are, or where files
are. None of them holds a secret."""

_NAMES: Mapping[str, str] = {
    "protocol": "another version of sheepgen",
    "sheepgen": "another version of sheepgen",
    "code": "another version of sheepgen's code",
    "python": "another Python",
    "libraries": "other versions of its libraries",
    "processors": "other processors",
}
"""What a worker has that does not go with a command."""


def identity() -> dict[str, str]:
    """Return what images depend on besides what is asked for, of this process."""
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        **installed(),
        "processors": str(sorted(affinity(0)) if affinity else os.cpu_count()),
        **{name: text for name, text in os.environ.items() if name.startswith(_VARIABLES)},
    }


def installed() -> dict[str, str]:
    """Return what of that is installed now, which may be newer than what this process runs."""
    code = Path(__file__).parents[1]
    return {
        "protocol": str(_PROTOCOL),
        "sheepgen": __version__,
        "code": f"{code} {_digest(code)}",
        "python": f"{sys.version} {sys.prefix}",
        "libraries": " ".join(sorted(_libraries())),
    }


def difference(own: Mapping[str, str], other: Mapping[str, str]) -> str:
    """Return what another process has that this one has not, in words; empty if nothing."""
    different = [name for name in own.keys() | other.keys() if own.get(name) != other.get(name)]
    known = [words for name, words in _NAMES.items() if name in different]
    return next(iter(known or sorted(f"another {name}" for name in different)), "")


def hello(want: str) -> dict[str, Any]:
    """Return what a command says first.

    Raises:
        OSError: If the current folder is gone.
    """
    folder = Path.cwd()
    found = folder.stat()
    return {
        "want": want,
        "identity": identity(),
        "folder": [str(folder), found.st_dev, found.st_ino],
    }


def sees_folder(path: str, state: Sequence[int]) -> bool:
    """Return whether a folder is the same one here, as it is not in a container."""
    try:
        found = Path(path).stat()
    except OSError:
        return False
    return [found.st_dev, found.st_ino] == [*state]


def write_line(connection: socket.socket, data: Mapping[str, Any]) -> None:
    """Write a line of JSON."""
    connection.sendall(json.dumps(data).encode() + b"\n")


def read_line(stream: BufferedReader) -> dict[str, Any]:
    """Read a line of JSON.

    Raises:
        ValueError: If it is not an object in JSON, or too long.
        OSError: If the other end is gone, or takes too long.
    """
    line = stream.readline(_MAX_BYTES)
    if not line:
        raise ConnectionResetError("the other end is gone")
    data = json.loads(line)
    if not isinstance(data, dict):
        raise ValueError("it is not an object")
    return data


def _digest(folder: Path) -> str:
    """Return a hash of the names, sizes and times of all code in a folder."""
    found = sorted(_states(str(folder)))
    return hashlib.sha256("\n".join(found).encode(errors="surrogateescape")).hexdigest()


def _states(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _states(entry.path)
            elif entry.name.endswith(".py"):
                found = entry.stat()
                yield f"{entry.path} {found.st_size} {found.st_mtime_ns}"


def _libraries() -> Iterator[str]:
    """Yield the names and versions of installed libraries, as their folders say them."""
    for folder in dict.fromkeys(filter(os.path.isdir, sys.path)):
        with os.scandir(folder) as entries:
            for entry in entries:
                name, _, version = entry.name.partition("-")
                if name in _LIBRARIES and version.endswith(".dist-info"):
                    yield entry.name
