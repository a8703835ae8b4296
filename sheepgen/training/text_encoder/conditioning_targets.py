"""What the text encoder tells the U-Net of a prompt: a state for each of its tokens.

A state's numbers are, in this order:

    look        of a slot's cell, see `sheepgen.training.text_encoder.appearance`
    mark        of which thing, and which cell of it, see
        `sheepgen.training.text_encoder.memory_tokens` colour      the one that is said of the
        slot's thing, one number for each facts       what is said of the whole picture, see
        `sheepgen.training.text_encoder.attributes`

States, too, are in an order: the prompt's words, which are all zero; the padding behind them, which
knows the facts; and at the end the slots, which know them as well. Of the empty prompt all states
are zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from sheepgen.training.text_encoder.appearance import COMPANION_SIDE, Drawing
from sheepgen.training.text_encoder.attributes import COLOUR_NAMES, FACTS, as_told, facts_of
from sheepgen.training.text_encoder.memory_tokens import ALL, MARKS, PARTS, SLOTS, Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sheepgen.training.data.scene import Scene
    from sheepgen.training.text_encoder.appearance import Looks

__all__ = ["Layout", "Notes", "States", "slot_things"]

OWNERS = len(PARTS) + 1
"""Of slots: the first and the second thing, and nobody."""


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
    if not told.things:
        return []
    if told.kind == "single":
        return [(told.subject, told.colour, ALL)]
    things = [(told.subject, told.colour, PARTS[0])]
    return things + ([(told.other, told.other_colour, PARTS[1])] if told.other else [])


class Notes(NamedTuple):
    """What captions tell, in short: `States` writes it out.

    Args:
        drawings: Whose the slots of each part are, (scenes, `OWNERS`), int64: rows of the drawings'
            codes, and as many as there are for nobody, as always in the last column.
        colours: What is said of each of them, (scenes, `OWNERS`), int64.
        alone: Whether a thing has all slots, (scenes,), bool.
        facts: (scenes, `FACTS`), float32.
        padding: The first token behind the words, (scenes,), int64.
    """

    drawings: Tensor
    colours: Tensor
    alone: Tensor
    facts: Tensor
    padding: Tensor

    def of(self, chosen: Tensor) -> Notes:
        """Return those of some scenes, by their numbers."""
        return Notes(*(column[chosen] for column in self))

    def to(self, device: torch.device) -> Notes:
        """Return them on another device."""
        return Notes(*(column.to(device) for column in self))


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

    def row(self, style: str, name: str) -> int:
        """Return which of the drawings shows a thing, in another style if there is none in this."""
        found = self.rows.get(Drawing(style, name))
        if found is None:
            found = next(row for drawing, row in self.rows.items() if drawing.name == name)
        return found

    def of(self, scenes: Sequence[Scene]) -> Tensor:
        """Return the states of scenes' captions, (scenes, tokens, numbers), float32."""
        return self.written(self.noted(scenes))

    def noted(self, scenes: Sequence[Scene]) -> Notes:
        """Return what scenes' captions tell."""
        count = len(scenes)
        notes = Notes(
            drawings=torch.full((count, OWNERS), len(self.looks.codes)),
            colours=torch.full((count, OWNERS), len(COLOUR_NAMES)),
            alone=torch.zeros(count, dtype=torch.bool),
            facts=torch.stack([facts_of(as_told(scene)) for scene in scenes]),
            # As many tokens as words, and one before them.
            padding=torch.tensor([len(scene.caption.split()) + 1 for scene in scenes]),
        )
        for index, scene in enumerate(scenes):
            for name, colour, part in slot_things(scene):
                notes.drawings[index, part.thing] = self.row(scene.style, name)
                notes.alone[index] = part == ALL
                if colour:
                    notes.colours[index, part.thing] = COLOUR_NAMES.index(colour)
        return notes

    def written(self, notes: Notes) -> Tensor:
        """Return the states that tell what notes do, (scenes, tokens, numbers), float32."""
        tables = self._tables(notes.facts.device)
        alone = notes.alone.long()
        owner = tables.owner[alone]
        drawing, colour = (of.gather(1, owner) for of in (notes.drawings, notes.colours))
        owned = (drawing < len(self.looks.codes))[..., None]
        slots = torch.cat(
            [
                tables.looks[drawing, tables.cell[alone]],
                tables.marks[alone] * owned,
                tables.colours[colour],
            ],
            dim=2,
        )
        words = slots.new_zeros(len(slots), self.words, slots.shape[2])
        tokens = torch.arange(self.words + SLOTS, device=slots.device)
        knowing = tokens >= notes.padding.clamp(max=self.words)[:, None]
        facts = notes.facts[:, None] * knowing[..., None]
        return torch.cat([torch.cat([words, slots], dim=1), facts], dim=2)

    def _tables(self, device: torch.device) -> _Tables:
        if device not in self._tables_on:
            self._tables_on[device] = _Tables(*(table.to(device) for table in self._cpu_tables))
        return self._tables_on[device]

    @cached_property
    def _tables_on(self) -> dict[torch.device, _Tables]:
        return {}

    @cached_property
    def _cpu_tables(self) -> _Tables:
        looks = torch.cat(
            [self.looks.companion(self.looks.codes), self.looks.alone(self.looks.codes)], dim=1
        )
        parts = [part for part in PARTS for _ in range(part.side**2)]
        left_over = SLOTS - len(parts)
        shared = torch.cat([part.marks for part in PARTS])
        nothing = torch.zeros(left_over, MARKS)
        return _Tables(
            # The last row is nobody's.
            looks=functional.pad(looks, (0, 0, 0, 0, 0, 1)).half(),
            owner=torch.tensor(
                [[part.thing for part in parts] + [OWNERS - 1] * left_over, [ALL.thing] * SLOTS]
            ),
            cell=torch.stack(
                [
                    torch.arange(SLOTS) % COMPANION_SIDE**2,
                    torch.arange(SLOTS) + COMPANION_SIDE**2,
                ]
            ),
            marks=torch.stack([torch.cat([shared, nothing]), ALL.marks]),
            colours=functional.pad(torch.eye(len(COLOUR_NAMES)), (0, 0, 0, 1)),
        )


class _Tables(NamedTuple):
    """What states are put together from, of things that are not alone, and of those that are.

    Args:
        looks: (drawings and none, cells of a companion and then of a thing alone, numbers).
        owner: Which of the `OWNERS` a slot belongs to, (2, `SLOTS`).
        cell: Which cell it shows, (2, `SLOTS`).
        marks: (2, `SLOTS`, `MARKS`).
        colours: (colours and none, colours).
    """

    looks: Tensor
    owner: Tensor
    cell: Tensor
    marks: Tensor
    colours: Tensor
