"""``sheepgen`` and ``python -m sheepgen``: set up what must precede the first large import."""

from __future__ import annotations

import gc
import os

from sheepgen.cli.fast_exit import fast_exit
from sheepgen.cli.interrupt import exit_on_interrupt

__all__ = ["main"]

_ALLOCATIONS_BEFORE_COLLECTION = 100_000
"""Python's own number, below a thousand, makes it look for garbage all the while the libraries are
imported, which takes a quarter of that time and finds next to none."""


def main() -> None:
    """Run the command line."""
    exit_on_interrupt()
    gc.set_threshold(_ALLOCATIONS_BEFORE_COLLECTION)
    # Otherwise OpenMP's idle threads spin, which slows down other processes, and those this one.
    # It reads this once, when torch is loaded. A program that imports sheepgen decides for itself.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with fast_exit():
        from sheepgen.cli.app import app

        app(prog_name="sheepgen")


if __name__ == "__main__":
    main()
