"""``python -m sheepgen`` is the same as ``sheepgen``."""

from __future__ import annotations

from sheepgen.cli.app import main

if __name__ == "__main__":
    main()
