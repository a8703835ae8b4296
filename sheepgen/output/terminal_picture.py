"""Pictures in a terminal: kitty's graphics or sixels where it has them, else half blocks.

What the terminal can show, textual-image asks it once, by an escape code whose answer it reads from
standard input. So the input has to be a terminal, too, wherever the output is one.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rich.segment import Segments

from sheepgen.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.console import Console

__all__ = ["can_show_pictures", "check_terminal_pictures", "draw_in_terminal"]

_MAX_ROWS = 20
_SPARE_ROWS = 8
"""What else is on the screen: bars, and the prompt of the shell."""


def can_show_pictures(console: Console) -> bool:
    """Return whether a console is a terminal that can be asked what it shows."""
    if console.quiet or not console.is_terminal:
        return False
    if not _is_terminal(sys.__stdout__):
        return True  # and nothing is asked
    return _is_terminal(sys.__stdin__) and all(os.get_terminal_size())


def _is_terminal(stream: object) -> bool:
    return bool(getattr(stream, "isatty", bool)())


def check_terminal_pictures(option: str) -> None:
    """Check that the library for it is installed.

    Raises:
        UsageError: If it is not.
    """
    if find_spec("textual_image") is None:
        raise UsageError(
            f"{option} needs the package textual-image.", 'Install "sheepgen[preview]".'
        )


def draw_in_terminal(image: Image, console: Console) -> Segments:
    """Return a picture as what is to be written, at most 20 rows high and no wider than the screen.

    Args:
        image: Of any size.
        console: `can_show_pictures`.
    """
    logging.getLogger("textual_image").setLevel(logging.ERROR)  # it warns of terminals without size
    from textual_image.renderable import HalfcellImage
    from textual_image.renderable import Image as BestImage

    # Of a standard output that is none, it takes the best image for grey letters.
    kind = BestImage if _is_terminal(sys.__stdout__) else HalfcellImage
    rows = max(1, min(_MAX_ROWS, console.height - _SPARE_ROWS))
    options = console.options.update(height=rows)
    return Segments(console.render(kind(image, width="auto", height=rows), options))
