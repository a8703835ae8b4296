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

_SPINS = "1000"
"""How often a thread of GNU's OpenMP looks for work before it sleeps, which takes it some 20
microseconds. A small model has work again before a sleeping thread is awake, so that without this a
second core is of little use; with 3000, threads slow each other down beside a busy process."""


def main() -> None:
    """Run the command line."""
    exit_on_interrupt()
    gc.set_threshold(_ALLOCATIONS_BEFORE_COLLECTION)
    # Otherwise OpenMP's idle threads spin, which slows down other processes, and those this one.
    # It reads this once, when torch is loaded. A program that imports sheepgen decides for itself.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
    with fast_exit():
        from sheepgen.cli.app import app

        app(prog_name="sheepgen")


if __name__ == "__main__":
    main()
