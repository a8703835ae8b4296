"""Pages of HTML from a package's templates: everything is escaped, and a page can do little.

Prompts, and what tokenizers make of them, are hostile text: the template escapes all that it is
given, and the page's own policy allows no style and no script but its own, and no request except
for the pictures that it names.
"""

from __future__ import annotations

import base64
import hashlib
import io
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from sheepgen.sanitize import printable

if TYPE_CHECKING:
    from jinja2 import Environment
    from PIL.Image import Image

__all__ = ["picture_uri", "render_html"]

_QUALITY = 82


def render_html(package: str, name: str, *, pictures: str = "data:", **values: object) -> str:
    """Return a page.

    Args:
        package: Has ``NAME.html.jinja``, ``NAME.css``, which is added to the style that all pages
            share, and ``NAME.js``.
        name: Of the three files.
        pictures: Where pictures may come from, as a content security policy says it.
        values: What the template shows. It also gets ``style``, ``script`` and ``policy``.
    """
    style = _read("sheepgen.output", "base.css") + _read(package, f"{name}.css")
    script = _read(package, f"{name}.js")
    policy = (
        f"default-src 'none'; img-src {pictures}; style-src {_hash(style)}; "
        f"script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    template = _environment().from_string(_read(package, f"{name}.html.jinja"))
    return template.render(style=style, script=script, policy=policy, **values)


def picture_uri(image: Image, side: int) -> str:
    """Return a picture as a URI that holds it; a larger one is made smaller.

    Args:
        image: RGBA for a PNG, any other mode for a WebP.
        side: Largest width and height, in pixels.
    """
    small = image.copy()
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    if small.mode == "RGBA":
        small.save(buffer, "PNG", optimize=True)
        kind = "png"
    else:
        small.convert("RGB").save(buffer, "WEBP", quality=_QUALITY)
        kind = "webp"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.1f}%"
    environment.filters["printable"] = lambda text: printable(str(text))
    return environment


def _read(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    """Return what a content security policy calls an inline text."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
