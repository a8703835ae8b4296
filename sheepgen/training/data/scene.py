"""A scene as plain data: everything that is in the picture, before it is painted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, get_args

__all__ = ["KINDS", "RELATIONS", "Kind", "Scene"]

Kind = Literal["single", "several", "riding", "next_to", "on_top", "wearing", "holding", "digits"]
KINDS: tuple[Kind, ...] = get_args(Kind)
RELATIONS: tuple[Kind, ...] = ("riding", "next_to", "on_top", "wearing", "holding")
"""The kinds with two things in them: subject and other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One scene.

    Args:
        kind: Which of `KINDS`; the relation between subject and other if there are two.
        subject: A concept's name; for digits, the digits themselves ("7", "42"); empty where a
            prompt tells no thing.
        other: The second concept's name: what is ridden, stood on, worn, held or beside it.
        count: How many of the subject; above 1 for "several" only.
        colour: The colour that the subject is shown in; empty for its own.
        other_colour: The same for the other.
        style: The drawing set that everything comes from; empty for digits.
        place: A key of `PLACES`; empty for a plain background, or where only the hour is known.
        time: A key of `TIMES`; empty for plain daylight.
        weather: A key of `WEATHERS`, or empty.
        background: The plain background's colour; empty for a pale tint.
        caption: What the picture shows, in words; it may leave things out, but says nothing untrue.
        layout_seed: Fixes sizes, positions, tints and directions.
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
    caption: str = ""
    layout_seed: int = 0

    @property
    def things(self) -> dict[str, int]:
        """Every concept in the picture and how many of it; empty for digits."""
        if self.kind == "digits" or not self.subject:
            return {}
        return {self.subject: self.count} | ({self.other: 1} if self.other else {})

    @property
    def relation(self) -> str:
        """The kind, if there are two things; else empty."""
        return self.kind if self.kind in RELATIONS else ""

    @property
    def has_backdrop(self) -> bool:
        """Whether there is a place, an hour or weather, and not just a plain colour."""
        return bool(self.place or self.time or self.weather)

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> Scene:
        """Read what `to_json` wrote."""
        return cls(**json.loads(line))
