from __future__ import annotations

import io
import sys

import pytest
from PIL import Image
from rich.console import Console

from sheepgen.errors import UsageError
from sheepgen.output.terminal_picture import (
    can_show_pictures,
    check_terminal_pictures,
    draw_in_terminal,
)


def console(*, terminal: bool = True, quiet: bool = False, height: int = 40) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        color_system="truecolor",
        quiet=quiet,
        width=100,
        height=height,
    )


@pytest.mark.parametrize(("height", "rows"), [(40, 20), (18, 10), (3, 1)])
def test_half_blocks_have_the_pictures_colours_and_leave_room(height: int, rows: int) -> None:
    picture = Image.new("RGB", (64, 64), (1, 2, 3))
    picture.paste((200, 100, 50), (0, 0, 64, 32))
    drawn = console(height=height)
    drawn.print(draw_in_terminal(picture, drawn))
    assert isinstance(drawn.file, io.StringIO)
    lines = drawn.file.getvalue().splitlines()
    assert len(lines) == rows
    assert lines[0].count("▀") == 2 * rows
    if rows > 1:
        assert "38;2;200;100;50;48;2;200;100;50" in lines[0]
        assert "38;2;1;2;3;48;2;1;2;3" in lines[-1]


def test_only_a_terminal_shows_pictures() -> None:
    assert can_show_pictures(console())
    assert not can_show_pictures(console(terminal=False))
    assert not can_show_pictures(console(quiet=True))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    check_terminal_pictures("--preview")
    monkeypatch.setitem(sys.modules, "textual_image", None)
    with pytest.raises(UsageError, match="--preview needs the package textual-image"):
        check_terminal_pictures("--preview")
