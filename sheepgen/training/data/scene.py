"""A scene as plain data: everything in a picture, before it is painted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sheepgen.embedded.scene_labels import RELATIONS

if TYPE_CHECKING:
    from sheepgen.embedded.scene_labels import Kind

__all__ = ["Scene"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One scene.

    Args:
        kind: One of `KINDS`; with two concepts, the relation of the subject to the other.
        subject: A concept's name; for digits, the digits themselves ("7", "42"); empty for a
            prompt that names no concept.
        other: The second concept's name: what is ridden, stood on, worn, held or beside the
            subject.
        count: How many of the subject; above 1 for "several" only.
        colour: The subject's colour; empty for its own.
        other_colour: The other's colour.
        style: The icon set of both; empty for digits.
        place: A key of `PLACES`; empty for a plain background, or if only the time is known.
        time: A key of `TIMES`; empty for plain daylight.
        weather: A key of `WEATHERS`, or empty.
        background: The colour of a plain background; empty for a pale tint.
        mirrored: Whether its drawings are shown mirrored.
        caption: A description; it may leave something out, but is never wrong.
        layout_seed: Seeds sizes, positions and tints.
    """

    kind: Kind
    subject: str
    other: str = ""
    count: int = 1
    colour: str = ""
    other_colour: str = ""
    style: str = ""
    place: str = ""
    time: str = ""
    weather: str = ""
    background: str = ""
    mirrored: bool = False
    caption: str = ""
    layout_seed: int = 0

    @property
    def things(self) -> dict[str, int]:
        """Each concept's name and how many of it there are; empty for digits."""
        if self.kind == "digits" or not self.subject:
            return {}
        return {self.subject: self.count} | ({self.other: 1} if self.other else {})

    @property
    def relation(self) -> str:
        """The kind, if there are two concepts; else empty."""
        return self.kind if self.kind in RELATIONS else ""

    @property
    def has_scenery(self) -> bool:
        """Whether there is a place, a time or weather, not only a plain colour."""
        return bool(self.place or self.time or self.weather)

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> Scene:
        """Read a line that `to_json` returned."""
        return cls(**json.loads(line))
