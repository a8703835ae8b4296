"""What the text encoder tells the U-Net of a prompt: a state for each of its tokens.

A state's numbers are, in this order:

    look        of a slot's cell, see `sheepgen.training.looks`
    mark        of which thing, and which cell of it, see `sheepgen.training.slots`
    colour      the one that is said of the slot's thing, one number for each
    facts       what is said of the whole picture, see `sheepgen.training.facts`

States, too, are in an order: the prompt's words, which are all zero; the padding behind them, which
knows the facts; and at the end the slots, which know them as well. Of the empty prompt all states
are zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from sheepgen.training.facts import COLOUR_NAMES, FACTS, as_told, facts_of
from sheepgen.training.looks import Drawing
from sheepgen.training.slots import ALL, MARKS, PARTS, SLOTS, Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from sheepgen.training.data.scenes import Scene
    from sheepgen.training.looks import Looks

__all__ = ["Layout", "States", "slot_things"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where in a state what is.

    Args:
        look_width: Numbers of a look.
    """

    look_width: int

    @property
    def look(self) -> slice:
        """What a cell looks like."""
        return slice(0, self.look_width)

    @property
    def mark(self) -> slice:
        """Which cell it is."""
        return slice(self.look.stop, self.look.stop + MARKS)

    @property
    def colour(self) -> slice:
        """In which colour."""
        return slice(self.mark.stop, self.mark.stop + len(COLOUR_NAMES))

    @property
    def facts(self) -> slice:
        """What is said of the picture."""
        return slice(self.colour.stop, self.colour.stop + FACTS)

    @property
    def width(self) -> int:
        """Numbers of a state."""
        width: int = self.facts.stop
        return width


def slot_things(told: Scene) -> list[tuple[str, str, Part]]:
    """Return whose slots are whose: name, colour said of it, and which slots."""
    if told.kind == "digits":
        return []
    if told.kind == "single":
        return [(told.subject, told.colour, ALL)]
    things = [(told.subject, told.colour, PARTS[0])]
    return things + ([(told.other, told.other_colour, PARTS[1])] if told.other else [])


@dataclass(frozen=True)
class States:
    """Writes the states of prompts that name known drawings.

    Args:
        looks: Of the drawings.
        rows: Which of them is whose.
        words: Tokens before the slots.
    """

    looks: Looks
    rows: Mapping[Drawing, int]
    words: int

    @cached_property
    def layout(self) -> Layout:
        """Where in a state what is."""
        return Layout(self.looks.to_alone.shape[-1])

    @cached_property
    def _alone(self) -> Tensor:
        return self.looks.alone(self.looks.codes).half()

    @cached_property
    def _companion(self) -> Tensor:
        return self.looks.companion(self.looks.codes).half()

    @cached_property
    def _marks(self) -> dict[Part, Tensor]:
        return {part: part.marks for part in (ALL, *PARTS)}

    def row(self, style: str, name: str) -> int:
        """Return which of the drawings shows a thing, in another style if there is none in this."""
        found = self.rows.get(Drawing(style, name))
        if found is None:
            found = next(row for drawing, row in self.rows.items() if drawing.name == name)
        return found

    def of(self, scenes: Sequence[Scene]) -> Tensor:
        """Return the states of scenes' captions, (scenes, tokens, numbers), float32."""
        states = torch.zeros(len(scenes), self.words + SLOTS, self.layout.width)
        for state, scene in zip(states, map(as_told, scenes), strict=True):
            # As many tokens as words, and one before them.
            state[min(len(scene.caption.split()) + 1, self.words) :, self.layout.facts] = facts_of(
                scene
            )
            slots = state[self.words :]
            for name, colour, part in slot_things(scene):
                row = self.row(scene.style, name)
                looks = self._alone if part == ALL else self._companion
                slots[part.slots, self.layout.look] = looks[row].float()
                slots[part.slots, self.layout.mark] = self._marks[part]
                if colour:
                    number = torch.tensor(COLOUR_NAMES.index(colour))
                    slots[part.slots, self.layout.colour] = functional.one_hot(
                        number, len(COLOUR_NAMES)
                    ).float()
        return states
