"""Icons are rendered from an Iconify set."""

from __future__ import annotations

import pytest

from sheepgen.errors import ModelError
from sheepgen.training.data.icons import render_icon


def test_icons_are_rendered_trimmed_and_by_alias() -> None:
    icons = {
        "width": 10,
        "height": 10,
        "icons": {
            "bar": {"body": '<rect x="2" y="4" width="6" height="2" fill="#ff0000"/>'},
            "nothing": {"body": ""},
        },
        "aliases": {"stick": {"parent": "bar"}},
    }
    picture = render_icon(icons, "stick", 50)
    assert picture.size == (30, 10)
    assert picture.getpixel((15, 5)) == (255, 0, 0, 255)
    for name in ("nothing", "unknown"):
        with pytest.raises(ModelError):
            render_icon(icons, name, 50)
