"""The prompts that models are measured with: the fixed table ``prompts.tsv``.

The table's columns:

    group       prompts that are counted together
    prompt      what the model is told
    kind        which of `KINDS`
    subject     a concept's name, or a digit
    other       the second concept's name, if there are two
    count, colour, style, place, time, weather, background
                as in `Scene`, where the prompt says it; these must be seen, besides the things

A cell is empty where the prompt says nothing: then the scene is in the house style, and whatever
is drawn is right. Of two things the relation must be seen, too.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from sheepgen.errors import UsageError
from sheepgen.training.data.icon_sets import HOUSE_STYLE
from sheepgen.training.data.scene import Kind, Scene
from sheepgen.training.evaluation.attributes import ATTRIBUTES, concepts_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["Prompt", "prompt_groups", "read_prompts"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One row of the table.

    Args:
        group: What kind of prompt.
        text: What the model is told.
        scene: A scene that shows it.
        asked: The right answers to those of `ATTRIBUTES` that the prompt decides, by their names.
    """

    group: str
    text: str
    scene: Scene
    asked: Mapping[str, str]

    @property
    def things(self) -> frozenset[str]:
        """What must be there."""
        return concepts_in(self.scene)


@cache
def read_prompts() -> tuple[Prompt, ...]:
    """Return the table's prompts in its order, each group in one piece."""
    text = files(__package__).joinpath("prompts.tsv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return tuple(_prompt(row) for row in rows)


def prompt_groups(names: Collection[str] = ()) -> dict[str, list[Prompt]]:
    """Return the prompts by group.

    Args:
        names: Which groups; all if empty.

    Raises:
        UsageError: If there is no group of such a name.
    """
    groups: dict[str, list[Prompt]] = {}
    for prompt in read_prompts():
        groups.setdefault(prompt.group, []).append(prompt)
    for name in names:
        if name not in groups:
            known = "; ".join(groups)
            raise UsageError(f"There are no prompts called {name!r}.", f"There are: {known}.")
    return {name: prompts for name, prompts in groups.items() if not names or name in names}


def _prompt(row: dict[str, str]) -> Prompt:
    house = "" if row["kind"] == "digits" else HOUSE_STYLE
    scene = Scene(
        kind=cast("Kind", row["kind"]),
        subject=row["subject"],
        other=row["other"],
        count=int(row["count"] or 1),
        colour=row["colour"],
        style=row["style"] or house,
        place=row["place"],
        time=row["time"],
        weather=row["weather"],
        background=row["background"],
        caption=row["prompt"],
    )
    asked = {name: row[name] for name in ATTRIBUTES if row.get(name)}
    if scene.relation:
        asked["relation"] = scene.relation
    return Prompt(group=row["group"], text=row["prompt"], scene=scene, asked=asked)
