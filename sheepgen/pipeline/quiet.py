"""Keep diffusers and transformers off the terminal."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["quiet_libraries"]


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Silence the progress bars and harmless warnings of those libraries that are imported."""
    loaded = filter(sys.modules.__contains__, ("diffusers", "transformers"))
    loggings = [import_module(f"{library}.utils.logging") for library in loaded]
    before = [(each.get_verbosity(), each.is_progress_bar_enabled()) for each in loggings]
    for each in loggings:
        each.set_verbosity_error()
        each.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", category=FutureWarning, module="diffusers|transformers"
            )
            yield
    finally:
        for each, (verbosity, had_bars) in zip(loggings, before, strict=True):
            each.set_verbosity(verbosity)
            if had_bars:
                each.enable_progress_bar()
