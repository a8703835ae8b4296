"""Puts another word for a thing into a caption: a sheep, an ewe."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.words import article, plural_of

if TYPE_CHECKING:
    from sheepgen.training.data.scene import Scene

__all__ = ["renamed"]


def renamed(caption: str, scene: Scene, name: str, word: str) -> str:
    """Return a scene's caption with another word for one of its things.

    It stays as it is where the name was mistyped, or cannot be told from the other thing's.

    Args:
        caption: The scene's.
        scene: What it tells.
        name: The concept that goes by another word.
        word: That word, singular.
    """
    others = [form for thing in scene.things if thing != name for form in concepts()[thing].forms]
    concept = concepts()[name]
    for form in sorted(concept.forms, key=len, reverse=True):
        if any(form in other for other in others):
            continue
        said = plural_of(word) if form == concept.plural and scene.count > 1 else word
        pattern = rf"\b(?:(an?) )?{re.escape(form)}\b"

        def spelled(found: re.Match[str], said: str = said) -> str:
            return f"{article(said)} {said}" if found[1] else said

        new, count = re.subn(pattern, spelled, caption, count=1, flags=re.IGNORECASE)
        if count:
            return new
    return caption
