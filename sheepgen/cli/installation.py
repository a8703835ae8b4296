"""The command that adds an extra's packages to this installation of sheepgen."""

from __future__ import annotations

import json
import re
import shlex
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

__all__ = ["install_command"]

_PACKAGE = "sheepgen"


def install_command(extra: str) -> str:
    """Return a shell command that installs an extra.

    The bare name refers to a package index, so it is used only for an installation from one; the
    folder or URL of any other is in ``direct_url.json`` (PEP 610).
    """
    try:
        installed = distribution(_PACKAGE)
    except PackageNotFoundError:  # run from a source checkout
        folder = Path(__file__).parents[2]
        return shlex.join(["pip", "install", f"{folder}[{extra}]"])
    tool = "uv pip" if (installed.read_text("INSTALLER") or "").strip() == "uv" else "pip"
    return f"{tool} install {shlex.join(_requirements(installed, extra))}"


def _requirements(installed: Distribution, extra: str) -> list[str]:
    origin: dict[str, Any] = json.loads(installed.read_text("direct_url.json") or "{}")
    url: str = origin.get("url", "")
    if "dir_info" in origin:
        folder = Path(url2pathname(urlsplit(url).path))
        if not folder.is_dir():  # a deleted clone; the packages can be installed without it
            return _packages(installed, extra)
        editable = ["-e"] if origin["dir_info"].get("editable") else []
        return [*editable, f"{folder}[{extra}]"]
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        url = f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    return [f"{_PACKAGE}[{extra}]" + (f" @ {url}" if url else "")]


def _packages(installed: Distribution, extra: str) -> list[str]:
    """Return the requirements of the extra, from the package's metadata."""
    required = (line.partition(";") for line in installed.requires or ())
    mark = re.compile(rf"\s*extra\s*==\s*['\"]{re.escape(extra)}['\"]\s*")
    return [name.strip() for name, _, marker in required if mark.fullmatch(marker)]
