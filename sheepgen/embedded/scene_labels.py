"""What a prompt says of a scene: concepts, how they relate, and what surrounds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = [
    "KINDS",
    "OWN_WORDS",
    "PHRASES",
    "RELATIONS",
    "VERBS",
    "Kind",
    "SceneLabels",
    "Thing",
    "attributes_of",
    "describe",
    "with_article",
]

Kind = Literal["single", "several", "riding", "next_to", "on_top", "wearing", "holding", "digits"]
KINDS: tuple[Kind, ...] = get_args(Kind)
RELATIONS: tuple[Kind, ...] = ("riding", "next_to", "on_top", "wearing", "holding")
"""The kinds with two things, the first of which rides, stands on, wears or holds the second."""

VERBS = {
    "riding": "riding",
    "next_to": "next to",
    "on_top": "on top of",
    "wearing": "wearing",
    "holding": "holding",
}
"""How relations are said."""

PHRASES = {
    "beach": "on a beach",
    "road": "on a road",
    "field": "in a field",
    "flowers": "in a flower garden",
    "hills": "in the hills",
    "farm": "on a farm",
    "desert": "in the desert",
    "snow": "in the snow",
    "mountains": "in the mountains",
    "forest": "in a forest",
    "city": "in a city",
    "lake": "by a lake",
    "room": "in a room",
    "stage": "on a stage",
    "sky": "in the sky",
    "space": "in space",
    "moon": "on the moon",
    "underwater": "underwater",
    "night": "at night",
    "sunset": "at sunset",
    "sunrise": "at sunrise",
    "sun": "in the sunshine",
    "clouds": "under a cloudy sky",
    "rain": "in the rain",
    "snowfall": "in falling snow",
    "noto": "cartoon style",
    "fluent-emoji": "glossy style",
    "fluent-emoji-flat": "flat style",
}
"""How places, times, weathers and styles are said; others by their names."""

FAINT = {"rain": "dark clouds, with hardly any drops", "snowfall": "hardly any flakes"}
"""What is to be seen of weathers that the U-Net shows only a little of."""

OWN_WORDS = {
    "beach": {"beach", "seaside", "shore", "seashore", "coast"},
    "road": {"road", "street", "crossroads"},
    "field": {"field", "meadow", "pasture", "grass"},
    "flowers": {"garden", "flower", "flowers"},
    "hills": {"hills"},
    "farm": {"farm", "farmyard", "barnyard"},
    "desert": {"desert", "dunes", "sand", "sahara"},
    "snow": {"snow", "snowy"},
    "mountains": {"mountains"},
    "forest": {"forest", "woods", "trees"},
    "city": {"city", "downtown"},
    "lake": {"lake", "pond"},
    "room": {"room", "indoors"},
    "stage": {"stage"},
    "sky": {"sky"},
    "space": {"space"},
    "moon": {"moon"},
    "underwater": {"underwater", "undersea", "under", "bottom", "floor", "seabed", "deep"},
    "sunset": {"sunset", "dusk", "twilight"},
    "sunrise": {"sunrise", "dawn"},
    "rain": {"rain", "rains", "rainy", "raining"},
    "snowfall": {"snow", "snows", "snowy", "snowing", "snowfall", "snowstorm", "blizzard"},
    "gray": {"gray", "grey"},
}
"""Words that mean just that answer, where others that lead to it mean something near."""

_ARTICLES = {
    **dict.fromkeys(("unicorn", "ufo", "euro", "european"), "a"),
    **dict.fromkeys(("hourglass", "xray"), "an"),
}
"""Articles before words that are not said as they are spelled."""

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, kw_only=True, slots=True)
class Thing:
    """One of the things that a prompt names.

    Args:
        name: Of its concept.
        plural: Of the name; with an s if empty.
        bare: Whether the name takes no article: music.
        written: Whether it bears writing, or means another thing mirrored.
        described: What the prompt says before the name, and all drawings show: wooden, of a chair.
        colour: The colour that the prompt gives it, or empty.
        words: Which of the prompt's words, split at white space, name it; from 0.
    """

    name: str
    plural: str = ""
    bare: bool = False
    written: bool = False
    described: str = ""
    colour: str = ""
    words: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneLabels:
    """What a prompt says, and no more: what it leaves open is empty.

    Args:
        kind: Which of `KINDS`.
        things: At most two; two if the kind is a relation.
        count: How many of the first thing.
        style: The icon set to draw in.
        place: Where.
        time: Of day.
        weather: As it is.
        background: Colour of a plain background.
        digits: One or two handwritten digits, if the kind is ``digits``.
    """

    kind: Kind = "single"
    things: tuple[Thing, ...] = ()
    count: int = 1
    style: str = ""
    place: str = ""
    time: str = ""
    weather: str = ""
    background: str = ""
    digits: str = ""


def attributes_of(labels: SceneLabels, style: str) -> dict[str, str]:
    """Return the answer to each question about the whole scene; empty where it is left open.

    Args:
        labels: Of the scene.
        style: The icon set that its drawings are from.
    """
    is_digits = labels.kind == "digits"
    return {
        "kind": labels.kind,
        "count": "" if is_digits else str(labels.count),
        "style": style,
        "place": labels.place,
        "time": labels.time,
        "weather": labels.weather,
        "background": labels.background,
        "digits": labels.digits[:1],
        "second digit": labels.digits[1:2],
    }


def describe(labels: SceneLabels) -> str:
    """Return in words what will be generated: "two red cats on a beach at night"."""
    subject = _subject(labels)
    answers = (labels.place, labels.time, labels.weather)
    surroundings = (PHRASES.get(each, f"({each})") for each in answers if each)
    # "A city at night" is named with its time.
    parts = [subject, *(phrase for phrase in surroundings if phrase not in subject)]
    if labels.background:
        parts.append(f"on {with_article(labels.background)} background")
    if labels.style:
        parts.append(f"in {PHRASES.get(labels.style, labels.style)}")
    return " ".join(part for part in parts if part)


def _subject(labels: SceneLabels) -> str:
    if labels.kind == "digits":
        return f"the number {labels.digits}"
    if not labels.things:
        return ""
    first, *others = labels.things
    said = _with_number(first, labels.count)
    return " ".join([said, *(f"{VERBS[labels.kind]} {_with_number(each, 1)}" for each in others)])


def _with_number(thing: Thing, count: int) -> str:
    name = thing.name if count == 1 else thing.plural or f"{thing.name}s"
    said = " ".join(filter(None, (thing.colour, thing.described, name)))
    if count != 1:
        return f"{_NUMBERS[count] if count < len(_NUMBERS) else count} {said}"
    return said if thing.bare else with_article(said)


def with_article(name: str) -> str:
    """Return a name after "a" or "an"."""
    return f"{_article(name)} {name}"


def _article(text: str) -> str:
    first = text.split()[0]
    return _ARTICLES.get(first, "an" if first[0] in "aeiou" else "a")
