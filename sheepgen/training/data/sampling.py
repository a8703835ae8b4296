"""Sample scenes: concepts, their relation, style and colours, and a background.

Sampling is stratified: scenes take their anchor concept in turn from a shuffled pool that holds
every concept once, and those with more roles (riding, being ridden, being worn) a few times more.
So concepts are equally frequent whatever the size of their group, and relations are as frequent as
there are pairs to learn.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.captions import sample_caption
from sheepgen.training.data.concepts import Concept, concepts
from sheepgen.training.data.icon_sets import MIXES, TRAINING_SETS
from sheepgen.training.data.scene import Scene
from sheepgen.training.data.splits import held_out_drawings, must_stay_apart

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.embedded.scene_labels import Kind

__all__ = ["concept_pool", "concepts_for", "sample_scene", "styles_for"]

DIGIT_WEIGHT = 4
"""How often the pool holds each of the ten digits."""

ROLE_WEIGHTS = {"rides": 2, "ridden": 5, "hat": 4, "glasses": 4}
"""How many more times the pool holds a concept with the role."""

CONCEPT_WEIGHTS = {"sheep": 8, "motorcycle": 8}
"""How many more times the pool holds the tool's own animal and its vehicle."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KindRule:
    """Which concepts a kind of scene needs, and how often it is sampled.

    Args:
        subject: The role that its subject needs; see `_has_role`.
        other: The role that the other concept needs; empty if there is none.
        as_subject: Weight of this kind for an anchor that can be the subject.
        as_other: Weight of this kind for an anchor that can be the other concept.
    """

    subject: str
    other: str = ""
    as_subject: float
    as_other: float = 0.0


KIND_RULES: dict[Kind, KindRule] = {
    "single": KindRule(subject="any", as_subject=4.0),
    "several": KindRule(subject="counted", as_subject=2.0),
    "next_to": KindRule(subject="any", other="any", as_subject=1.2, as_other=1.2),
    "on_top": KindRule(subject="stands", other="base", as_subject=0.7, as_other=2.5),
    "riding": KindRule(subject="rides", other="ridden", as_subject=6.0, as_other=6.0),
    "wearing": KindRule(subject="wears", other="worn", as_subject=2.0, as_other=14.0),
    "holding": KindRule(subject="holds", other="held", as_subject=2.0, as_other=2.0),
}

COUNTS = (2, 2, 2, 3, 3, 4)
TWO_DIGITS_RATE = 0.35
COLOUR_RATE = 0.22
MIRRORED_RATE = 0.4
DARK_TIMES = ("night",)
DARK_PLACES = ("space", "moon")


def sample_scene(
    seed: str,
    index: int,
    *,
    testing: bool = False,
    mix: str = "styles",
    subset: tuple[str, ...] = (),
) -> Scene:
    """Return scene ``index`` of an endless series; equal arguments give equal scenes.

    Args:
        seed: Names the series.
        index: 0 or more.
        testing: Whether held-out pairs and held-out icons may appear.
        mix: Weights of the icon sets; a key of `MIXES`.
        subset: The concepts to sample from; all of them if empty.

    Raises:
        ValueError: If the caption holds a held-out word, or no set of the mix has an icon of the
            anchor concept; both are mistakes in a table.
    """
    pool = _shuffled_pool(seed, index // len(concept_pool(subset)), subset)
    anchor = pool[index % len(pool)]
    rng = random.Random(f"{seed}/{index}")  # noqa: S311
    if anchor.isdigit():
        second = str(rng.randrange(10)) if rng.random() < TWO_DIGITS_RATE else ""
        scene = Scene(kind="digits", subject=anchor + second)
    else:
        scene = _sample_concepts(rng, concepts()[anchor], MIXES[mix], subset, testing=testing)
        scene = _sample_colours(rng, scene)
    scene = _sample_background(rng, scene)
    scene = replace(scene, layout_seed=rng.getrandbits(32))
    scene = replace(scene, caption=sample_caption(rng, scene))
    if any("written" in concepts()[name].roles for name in scene.things) or not scene.things:
        return scene
    return replace(scene, mirrored=rng.random() < MIRRORED_RATE)


@cache
def concept_pool(subset: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the anchor concepts of one pass, each as often as its weight.

    Args:
        subset: The concepts in it; all of them, and the digits, if empty.
    """
    pool = [] if subset else [str(digit) for digit in range(10)] * DIGIT_WEIGHT
    for name in concepts_for("any", subset):
        roles = (weight for role, weight in ROLE_WEIGHTS.items() if name in concepts_for(role))
        pool += [name] * (1 + sum(roles) + CONCEPT_WEIGHTS.get(name, 0))
    return tuple(pool)


@lru_cache(maxsize=4)
def _shuffled_pool(seed: str, number: int, subset: tuple[str, ...]) -> tuple[str, ...]:
    pool = list(concept_pool(subset))
    random.Random(f"{seed}/deal/{number}").shuffle(pool)  # noqa: S311
    return tuple(pool)


@cache
def concepts_for(role: str, subset: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the names of the concepts that have a role, in the table's order.

    Args:
        role: A key of `ROLES`, or one that follows from a concept's other columns: "any",
            "counted", "stands", "ridden", "worn" or "holds".
        subset: The concepts to choose from; all of them if empty.
    """
    return tuple(
        concept.name
        for concept in concepts().values()
        if _has_role(concept, role) and (not subset or concept.name in subset)
    )


def styles_for(kind: Kind, subject: str, other: str, *, testing: bool = False) -> list[str]:
    """Return the training sets that can show a scene, in order.

    A set must have both icons; what is ridden needs a seat there, and a holder a body.

    Args:
        kind: The scene's kind.
        subject: A concept's name.
        other: The second concept's name, or empty.
        testing: Whether held-out icons count.
    """
    shown = [concepts()[name] for name in (subject, other) if name]
    sets = [name for name in TRAINING_SETS if all(name in concept.drawings for concept in shown)]
    if kind == "riding":
        sets = [name for name in sets if name in shown[1].seats]
    if kind == "holding":
        holder = shown[0]
        sets = [name for name in sets if "holds" in holder.roles or name not in holder.heads]
    if not testing:
        held_out = held_out_drawings()
        sets = [name for name in sets if not any((name, c.name) in held_out for c in shown)]
    return sets


def _has_role(concept: Concept, role: str) -> bool:
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


def _sample_concepts(
    rng: random.Random,
    anchor: Concept,
    shares: Mapping[str, float],
    subset: tuple[str, ...],
    *,
    testing: bool,
) -> Scene:
    """Sample kind, second concept and style for an anchor; rejects impossible combinations."""
    if not shares.keys() & {*styles_for("single", anchor.name, "", testing=testing)}:
        raise ValueError(f"no set of {list(shares)} can show {anchor.name!r}")
    choices: list[tuple[Kind, bool, float]] = []
    for kind, rule in KIND_RULES.items():
        if _has_role(anchor, rule.subject):
            choices.append((kind, True, rule.as_subject))
        if rule.other and _has_role(anchor, rule.other):
            choices.append((kind, False, rule.as_other))
    weights = [weight for _, _, weight in choices]
    while True:
        kind, is_subject, _ = rng.choices(choices, weights)[0]
        rule = KIND_RULES[kind]
        subject, other = anchor.name, ""
        if rule.other:
            partners = concepts_for(rule.other if is_subject else rule.subject, subset)
            if not partners:
                continue
            partner = rng.choice(partners)
            subject, other = (anchor.name, partner) if is_subject else (partner, anchor.name)
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


def _sample_colours(rng: random.Random, scene: Scene) -> Scene:
    def colour_of(name: str) -> str:
        if not name or "own-colour" in concepts()[name].roles or rng.random() > COLOUR_RATE:
            return ""
        return rng.choice(list(COLOURS))

    return replace(scene, colour=colour_of(scene.subject), other_colour=colour_of(scene.other))


def _sample_background(rng: random.Random, scene: Scene) -> Scene:
    """Return the scene with a pale tint, a plain colour, a place, a time or weather.

    No concept has the background's colour, and nothing black is in the dark.
    """
    used = {scene.colour, scene.other_colour} - {""}
    choice = rng.random()
    if choice < 0.24:
        return scene
    if choice < 0.42 or scene.kind == "digits":
        return replace(scene, background=rng.choice([c for c in COLOURS if c not in used]))
    dark = "black" in used
    places = [name for name in PLACES if not (dark and name in DARK_PLACES)]
    times = [name for name in TIMES if not (dark and name in DARK_TIMES)]
    if choice < 0.5:
        return replace(scene, time=rng.choice(times))
    place = rng.choice(places)
    if not PLACES[place].open_air or rng.random() < 0.5:
        return replace(scene, place=place)
    if rng.random() < 0.6:
        return replace(scene, place=place, time=rng.choice(times))
    return replace(scene, place=place, weather=rng.choice(list(WEATHERS)))
