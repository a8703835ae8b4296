"""diffusers imported without the packages that it takes in wherever they are installed.

The embedded model never uses them, and they take most of the time between a command and its first
step. What should change in diffusers 0.42 itself: `diffusers.loaders.lora_base` imports all of
transformers' modelling for an annotation, and `diffusers.hooks.layerwise_casting` all of peft for
one context manager; every scheduler imports scipy.stats for sigmas that few use;
`diffusers.utils.torch_utils` imports ``torch._dynamo`` for a decorator, as `torch.compiler.disable`
does on hooks that most processes never make. Each could be imported where it is used.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["import_diffusers_alone"]

_OPTIONAL = ("accelerate", "peft", "scipy", "transformers")
"""Packages that diffusers does without where they are not installed."""


def import_diffusers_alone() -> None:
    """Import diffusers as if nothing that it can do without were installed.

    For a process that has no other work: its pipelines, and the schedulers that need scipy, are not
    to be had from it any more, and nothing of it is marked for `torch.compile`. All those packages
    can be imported afterwards. A diffusers that cannot do without them is imported as ever.
    """
    if "diffusers" in sys.modules:
        return
    try:
        with _not_installed("torch._dynamo", *_OPTIONAL), _compiled_like_all():
            _import()
    except Exception:  # noqa: BLE001 - whatever it is, that release needs more
        for name in [each for each in sys.modules if each.partition(".")[0] == "diffusers"]:
            del sys.modules[name]
        _import()


def _import() -> None:
    from diffusers import ModelMixin, UNet2DConditionModel  # noqa: F401 - all else comes with them


@contextmanager
def _not_installed(*packages: str) -> Iterator[None]:
    """Let packages that are not imported yet be none that can be."""
    hidden = [name for name in packages if name not in sys.modules]
    # Python's own way to say so: https://docs.python.org/3/reference/import.html#the-module-cache
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _compiled_like_all() -> Iterator[None]:
    """Let `torch.compiler.disable` leave functions as they are, for which it needs no compiler."""

    def disable(function: Callable[..., Any] | None = None, *_: object, **__: object) -> Any:  # noqa: ANN401
        return function or disable

    before = torch.compiler.disable
    torch.compiler.disable = disable  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.compiler.disable = before
