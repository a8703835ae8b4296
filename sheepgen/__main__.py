"""``sheepgen`` and ``python -m sheepgen``: what has to be so before anything large is imported."""

from __future__ import annotations

import os

from sheepgen.cli.interrupt import exit_on_interrupt

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    exit_on_interrupt()
    # OpenMP's idle threads would spin, and so slow down every other process, which takes as much
    # from this one. It reads this once, when torch is loaded. A program that imports sheepgen
    # decides for itself.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from sheepgen.cli.app import app

    app(prog_name="sheepgen")


if __name__ == "__main__":
    main()
