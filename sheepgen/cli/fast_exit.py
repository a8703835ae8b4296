"""Leave Python without taking PyTorch apart, which takes longer than drawing a small picture."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["fast_exit"]


@contextmanager
def fast_exit() -> Iterator[None]:
    """End the process by `SystemExit`, without freeing what it has in memory piece by piece.

    Threads have ended by then, unless they are daemons, and all is done that was registered with
    `atexit` meanwhile. Where PyTorch was not imported, Python ends as ever.
    """
    codes: list[int] = []
    # Handlers run from last to first, so whatever is registered later runs before this one.
    atexit.register(_exit_at_once, codes)
    try:
        yield
    except SystemExit as leaving:
        if isinstance(leaving.code, int):
            codes.append(leaving.code)
        raise


def _exit_at_once(codes: list[int]) -> None:
    if not codes or "torch" not in sys.modules:
        return
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):  # Python says so itself, and has an exit code for it
        return
    os._exit(codes[0])
