"""The prompts that models are evaluated on: the fixed table ``prompts.tsv``.

The table's columns:

    group       prompts that are scored together
    prompt      the text
    kind        which of `KINDS`
    subject     a concept's name, or a digit
    other       the second concept's name, if there are two
    count, colour, style, place, time, weather, background
                as in `Scene`, if the prompt states it; these must be recognised, too

A cell is empty if the prompt states nothing: then real scenes are in the house style, and any value
is correct. Of two concepts the relation must be recognised, too.

``prompts_by_eye.tsv`` lists prompts for a person to judge:

    list        "single things", "compositions" and "as people type" are to be generated and looked
                at; of "understood" what the model states about the prompt is to be judged
    category    what kind of prompt
    prompt      the text
    expected    what a person expects to see
    unused      words that a picture of at most two concepts cannot use
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from sheepgen.embedded.vocabulary_file import read_vocabulary
from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt
from sheepgen.training.data.icon_sets import HOUSE_STYLE
from sheepgen.training.data.scene import Scene
from sheepgen.training.evaluation.attributes import ATTRIBUTES, concepts_in

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sheepgen.embedded.scene_labels import Kind
    from sheepgen.models.spec import ModelSpec

__all__ = [
    "Prompt",
    "known_concepts",
    "known_prompts",
    "prompt_groups",
    "read_prompts",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One row of the table.

    Args:
        group: The prompts it is scored with.
        text: What the model is given.
        scene: A scene that shows it.
        attributes: The values of those of `ATTRIBUTES` that the prompt states, by their names.
    """

    group: str
    text: str
    scene: Scene
    attributes: Mapping[str, str]

    @property
    def concepts(self) -> frozenset[str]:
        """The concepts that must be recognised."""
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
        UsageError: If a group is unknown.
    """
    groups: dict[str, list[Prompt]] = {}
    for prompt in read_prompts():
        groups.setdefault(prompt.group, []).append(prompt)
    for name in names:
        if name not in groups:
            known = ", ".join(f'"{group}"' for group in groups)
            raise UsageError(f'Unknown group "{excerpt(name)}".', f"Known: {known}.")
    return {name: prompts for name, prompts in groups.items() if not names or name in names}


def known_concepts(spec: ModelSpec) -> frozenset[str] | None:
    """Return the concepts that a model knows, or None if it takes any words.

    Raises:
        ModelError: If its list cannot be read.
    """
    file = spec.family.vocabulary
    return None if file is None else frozenset(read_vocabulary(spec.folder / file).concepts)


def known_prompts(
    groups: Mapping[str, Sequence[Prompt]], concepts: Collection[str]
) -> dict[str, list[Prompt]]:
    """Return the prompts whose concepts are all among ``concepts``; empty groups are left out.

    Digits are not concepts, so prompts of handwritten digits always remain.

    Raises:
        UsageError: If no prompt remains.
    """
    known = {
        group: [prompt for prompt in prompts if {*prompt.scene.things} <= {*concepts}]
        for group, prompts in groups.items()
    }
    known = {group: prompts for group, prompts in known.items() if prompts}
    if not known:
        raise UsageError(
            "The model knows the concepts of none of these prompts.",
            "Choose other groups with --group, or another --model.",
        )
    return known


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
    attributes = {name: row[name] for name in ATTRIBUTES if row.get(name)}
    if scene.relation:
        attributes["relation"] = scene.relation
    return Prompt(group=row["group"], text=row["prompt"], scene=scene, attributes=attributes)
