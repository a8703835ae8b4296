"""``sheepgen`` and ``python -m sheepgen``: set up what must precede the first large import."""

from __future__ import annotations

import os

from sheepgen.cli.interrupt import exit_on_interrupt

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    exit_on_interrupt()
    # Otherwise OpenMP's idle threads spin, which slows down other processes, and those this one.
    # It reads this once, when torch is loaded. A program that imports sheepgen decides for itself.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from sheepgen.cli.app import app

    app(prog_name="sheepgen")


if __name__ == "__main__":
    main()
