"""Draws scenes: who takes part, in which relation, and in which style.

Scenes are dealt from a shuffled deck that holds every concept once, and those that can do more
(ride, be ridden, be worn) a few times more. So every concept leads equally often as its
neighbours, whatever its group, and relations come as often as there is much to learn about them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from sheepgen.training.data.captions import caption_of
from sheepgen.training.data.concepts import Concept, concepts
from sheepgen.training.data.icon_sets import MIXES, TRAINING_SETS
from sheepgen.training.data.sample_background import in_colours, on_stage
from sheepgen.training.data.scene import Kind, Scene
from sheepgen.training.data.splits import held_out_drawings, must_stay_apart

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FAVOURITES", "candidates", "deck", "sample_label", "sample_scene", "styles_for"]

FAVOURITES = {"sheep": 8, "motorcycle": 8}
"""The tool's own animal and its vehicle are dealt this many times more."""

DIGIT_CARDS = 4
"""How often each of the ten digits is in the deck."""

ROLE_CARDS = {"rides": 1, "ridden": 2, "hat": 4, "glasses": 4}


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """How a kind of scene is cast.

    Args:
        subject: The role that its subject needs; see `_fits`.
        other: The role that the other needs; empty if there is no other.
        as_subject: How readily a lead that fits takes the subject's part.
        as_other: The same for the other's part.
    """

    subject: str
    other: str = ""
    as_subject: float
    as_other: float = 0.0


PARTS: dict[Kind, Part] = {
    "single": Part(subject="any", as_subject=4.0),
    "several": Part(subject="counted", as_subject=2.0),
    "next_to": Part(subject="any", other="any", as_subject=1.2, as_other=1.2),
    "on_top": Part(subject="stands", other="base", as_subject=0.7, as_other=2.5),
    "riding": Part(subject="rides", other="ridden", as_subject=6.0, as_other=6.0),
    "wearing": Part(subject="wears", other="worn", as_subject=2.0, as_other=14.0),
    "holding": Part(subject="holds", other="held", as_subject=1.2, as_other=1.2),
}

COUNTS = (2, 2, 2, 3, 3, 4)

LABELS_OF_ONE = 0.75
"""How many labels name one thing alone."""


def sample_scene(
    seed: str,
    index: int,
    *,
    testing: bool = False,
    mix: str = "styles",
    cast: tuple[str, ...] = (),
) -> Scene:
    """Draw scene ``index`` of an endless series; equal arguments give equal scenes.

    Args:
        seed: Names the series.
        index: 0 or more.
        testing: Whether held-out pairs and held-out drawings may appear.
        mix: Which drawing sets, and how often; a key of `MIXES`.
        cast: The concepts that may take part; all of them if empty.

    Raises:
        ValueError: If the caption holds a held-out word, or no set of the mix has a drawing of who
            leads; both would be mistakes in a table.
    """
    cards = _shuffled(seed, index // len(deck(cast)), cast)
    lead = cards[index % len(cards)]
    rng = random.Random(f"{seed}/{index}")  # noqa: S311
    if lead.isdigit():
        scene = _cast_digits(rng, lead)
    else:
        scene = _cast(rng, concepts()[lead], MIXES[mix], cast, testing=testing)
        scene = in_colours(rng, scene)
    scene = on_stage(rng, scene)
    scene = replace(scene, layout_seed=rng.getrandbits(32))
    return replace(scene, caption=caption_of(rng, scene))


def sample_label(
    rng: random.Random, *, mix: str = "styles", cast: tuple[str, ...] = (), lead: str = ""
) -> Scene:
    """Return a scene whose caption names a thing or two and their style, and no place or hour.

    Any drawing leads as often as any other; scenes show most in the mix's first style, some hardly
    ever.

    Args:
        rng: Chooses.
        mix: Which drawing sets; a key of `MIXES`.
        cast: The concepts that may take part; all of them if empty.
        lead: Whom it names first; anyone if empty.
    """
    everyone = candidates("any", cast)
    subject, other = lead or rng.choice(everyone), ""
    style = rng.choice([set_ for set_ in styles_for("single", subject, "") if set_ in MIXES[mix]])
    if rng.random() > LABELS_OF_ONE:
        partner = rng.choice(everyone)
        possible = _is_possible("next_to", subject, partner, testing=False)
        if possible and style in styles_for("next_to", subject, partner):
            other = partner
    kind: Kind = "next_to" if other else "single"
    scene = in_colours(rng, Scene(kind=kind, subject=subject, other=other, style=style))
    return replace(scene, caption=caption_of(rng, scene))


@cache
def deck(cast: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the cards that leads are dealt from, some more than once.

    Args:
        cast: Whom they show; all concepts, and digits, if empty.
    """
    cards = [] if cast else [str(digit) for digit in range(10)] * DIGIT_CARDS
    for concept in concepts().values():
        if cast and concept.name not in cast:
            continue
        extra = sum(number for role, number in ROLE_CARDS.items() if _fits(concept, role))
        cards += [concept.name] * (1 + extra + FAVOURITES.get(concept.name, 0))
    return tuple(cards)


@lru_cache(maxsize=4)
def _shuffled(seed: str, deal: int, cast: tuple[str, ...]) -> tuple[str, ...]:
    cards = list(deck(cast))
    random.Random(f"{seed}/deal/{deal}").shuffle(cards)  # noqa: S311
    return tuple(cards)


@cache
def candidates(role: str, cast: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the concepts that can take a part, of ``cast`` or of all, in the table's order."""
    return tuple(
        concept.name
        for concept in concepts().values()
        if _fits(concept, role) and (not cast or concept.name in cast)
    )


def styles_for(kind: Kind, subject: str, other: str, *, testing: bool = False) -> list[str]:
    """Return the training sets that can show a cast, in order.

    A set must have both drawings; in it, what is ridden needs a seat, and who holds something needs
    a body.
    """
    cast = [concepts()[name] for name in (subject, other) if name]
    sets = [name for name in TRAINING_SETS if all(name in who.drawings for who in cast)]
    if kind == "riding":
        sets = [name for name in sets if name in cast[1].seats]
    if kind == "holding":
        sets = [name for name in sets if name not in cast[0].heads]
    if not testing:
        sets = [
            name
            for name in sets
            if all((name, who.name) not in held_out_drawings() for who in cast)
        ]
    return sets


def _fits(concept: Concept, role: str) -> bool:
    match role:
        case "any":
            return True
        case "counted":
            return "bare" not in concept.roles
        case "stands":
            return "sky" not in concept.roles
        case "ridden":
            return bool(concept.seats)
        case "worn":
            return bool(concept.roles & {"hat", "glasses"})
        case "holds":
            return "rides" in concept.roles
        case _:
            return role in concept.roles


def _cast_digits(rng: random.Random, lead: str) -> Scene:
    digits = lead + (str(rng.randrange(10)) if rng.random() < 0.35 else "")
    return Scene(kind="digits", subject=digits)


def _cast(
    rng: random.Random,
    lead: Concept,
    shares: Mapping[str, float],
    cast: tuple[str, ...],
    *,
    testing: bool,
) -> Scene:
    """Choose kind, partner and style around a lead; what cannot be is drawn again."""
    if not shares.keys() & {*styles_for("single", lead.name, "", testing=testing)}:
        raise ValueError(f"no set of {list(shares)} can show {lead.name!r}")
    choices: list[tuple[Kind, bool, float]] = []
    for kind, part in PARTS.items():
        if _fits(lead, part.subject):
            choices.append((kind, True, part.as_subject))
        if part.other and _fits(lead, part.other):
            choices.append((kind, False, part.as_other))
    weights = [weight for _, _, weight in choices]
    while True:
        kind, leads, _ = rng.choices(choices, weights)[0]
        part = PARTS[kind]
        subject, other = lead.name, ""
        if part.other:
            partners = candidates(part.other if leads else part.subject, cast)
            if not partners:
                continue
            partner = rng.choice(partners)
            subject, other = (lead.name, partner) if leads else (partner, lead.name)
        if _is_possible(kind, subject, other, testing=testing):
            styles = styles_for(kind, subject, other, testing=testing)
            styles = [style for style in styles if style in shares]
            if styles:
                style = rng.choices(styles, [shares[style] for style in styles])[0]
                count = rng.choice(COUNTS) if kind == "several" else 1
                return Scene(kind=kind, subject=subject, other=other, count=count, style=style)


def _is_possible(kind: Kind, subject: str, other: str, *, testing: bool) -> bool:
    if subject == other or (not testing and must_stay_apart(subject, other)):
        return False
    glasses = kind == "wearing" and "glasses" in concepts()[other].roles
    return not glasses or "glassable" in concepts()[subject].roles
