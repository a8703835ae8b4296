"""What this machine needs to load quantised weights, and how much room they may ask for."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import torch

from sheepgen.errors import UsageError
from sheepgen.models.quantization import METHODS, method_of
from sheepgen.models.safetensors import StoredWeights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["check_can_load", "require_packages", "room_for"]

_NUMBERS_IN_A_BYTE = 2

_TIMES_BUILT = 2
"""A layer is built, and then replaced by one for quantised weights."""


def check_can_load(config: Mapping[str, Any], library: str, component: str) -> None:
    """Check that a component's weights can be loaded here, if they are quantised.

    Args:
        config: Its config, checked.
        library: That loads it.
        component: Its name.

    Raises:
        UsageError: If a package is missing, or this machine has no graphics card and needs one.
    """
    if (name := method_of(config)) is None:
        return
    method = METHODS[name]
    require_packages(method.packages, f"The {component} is quantised: it is read")
    if library in method.needs_gpu and not _has_gpu():
        raise UsageError(
            f"The {component} is quantised by {name}, which needs a GPU, and this machine has "
            "none.",
            "A .gguf file in its place, with --transformer, runs on every machine.",
        )


def require_packages(packages: Iterable[str], what: str) -> None:
    """Check that packages are installed.

    Args:
        packages: All that are needed.
        what: What for, for the message: ``a.gguf is read``.

    Raises:
        UsageError: If one is not.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise UsageError(
                f"{what} by the package {package}, which is not installed.",
                f"pip install {' '.join(packages)}",
            )


def room_for(config: Mapping[str, Any], stored: StoredWeights) -> StoredWeights:
    """Return what a component's config may ask for, for `sheepgen.pipeline.building.building`."""
    if method_of(config) is None:
        return stored
    return StoredWeights(
        tensors=stored.tensors * _TIMES_BUILT,
        data_bytes=stored.data_bytes * _TIMES_BUILT * _NUMBERS_IN_A_BYTE,
    )


def _has_gpu() -> bool:
    return (
        torch.cuda.is_available() or torch.xpu.is_available() or torch.backends.mps.is_available()
    )
