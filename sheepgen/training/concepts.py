"""What the embedded model can draw: things, the drawings that show them, colours and places."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

__all__ = [
    "COLOURS",
    "CONCEPTS",
    "DIGITS",
    "PLACES",
    "RIDERS",
    "TINTS",
    "VEHICLES",
    "Concept",
    "Place",
    "held_out_pairs",
    "with_article",
]

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Concept:
    """One thing.

    Args:
        name: The word that captions use most.
        drawing: Its name in the drawing set.
        group: animal, vehicle, food, plant, building or object.
        synonyms: Other words that captions use for it now and then.
        plural: Irregular plural; else the name with an s.
        rides: Whether it can sit on a vehicle (it has a body, seen from the side).
        seat: For vehicles that can be ridden, where the rider's feet are, as fractions of the
            drawing's width and height from its upper left corner.
    """

    name: str
    drawing: str
    group: str
    synonyms: tuple[str, ...] = ()
    plural: str = ""
    rides: bool = False
    seat: tuple[float, float] | None = None

    @property
    def plural_name(self) -> str:
        """The word for several of it."""
        return self.plural or f"{self.name}s"


def _rider(name: str, drawing: str = "", *synonyms: str, plural: str = "") -> Concept:
    return Concept(name, drawing or name, "animal", synonyms, plural, rides=True)


def _vehicle(name: str, drawing: str, seat: tuple[float, float], *synonyms: str) -> Concept:
    return Concept(name, drawing, "vehicle", synonyms, seat=seat)


CONCEPTS: dict[str, Concept] = {
    concept.name: concept
    for concept in (
        _rider("sheep", "ewe", "ewe", plural="sheep"),
        _rider("dog", "", "puppy"),
        _rider("cat", "", "kitty"),
        _rider("horse", "", "mare"),
        _rider("cow", "", "cattle"),
        _rider("pig", "", "piglet"),
        _rider("rabbit", "", "hare"),
        _rider("elephant"),
        _rider("penguin"),
        _rider("monkey", "", "ape"),
        _rider("chicken", "rooster", "rooster", "hen"),
        _rider("duck", "", "mallard"),
        _rider("owl"),
        _rider("turtle", "", "tortoise"),
        _rider("mouse", "", plural="mice"),
        _rider("camel"),
        Concept("frog", "frog", "animal", ("toad",)),
        Concept("lion", "lion", "animal"),
        Concept("panda", "panda", "animal"),
        Concept("fish", "fish", "animal", plural="fish"),
        Concept("whale", "whale", "animal"),
        Concept("butterfly", "butterfly", "animal", plural="butterflies"),
        Concept("fox", "fox", "animal", plural="foxes"),
        _vehicle("motorcycle", "motorcycle", (0.62, 0.5), "motorbike"),
        _vehicle("bicycle", "bicycle", (0.58, 0.32), "bike"),
        _vehicle("scooter", "motor-scooter", (0.66, 0.48), "moped"),
        _vehicle("skateboard", "skateboard", (0.5, 0.34)),
        _vehicle("bus", "bus", (0.5, 0.12)),
        _vehicle("car", "automobile", (0.5, 0.12), "automobile"),
        _vehicle("tractor", "tractor", (0.3, 0.42)),
        _vehicle("train", "locomotive", (0.5, 0.42), "locomotive"),
        _vehicle("truck", "delivery-truck", (0.6, 0.1), "lorry"),
        _vehicle("racing car", "racing-car", (0.5, 0.45), "race car"),
        _vehicle("speedboat", "speedboat", (0.45, 0.5), "motorboat"),
        _vehicle("canoe", "canoe", (0.5, 0.62)),
        Concept("sailboat", "sailboat", "vehicle", ("yacht",)),
        Concept("rocket", "rocket", "vehicle"),
        Concept("airplane", "airplane", "vehicle", ("plane",)),
        Concept("apple", "red-apple", "food"),
        Concept("banana", "banana", "food"),
        Concept("pizza", "pizza", "food"),
        Concept("hamburger", "hamburger", "food", ("burger",)),
        Concept("strawberry", "strawberry", "food", plural="strawberries"),
        Concept("cake", "birthday-cake", "food", ("birthday cake",)),
        Concept("carrot", "carrot", "food"),
        Concept("watermelon", "watermelon", "food"),
        Concept("donut", "doughnut", "food", ("doughnut",)),
        Concept("lemon", "lemon", "food"),
        Concept("cactus", "cactus", "plant", plural="cactuses"),
        Concept("palm tree", "palm-tree", "plant"),
        Concept("tree", "deciduous-tree", "plant"),
        Concept("sunflower", "sunflower", "plant"),
        Concept("tulip", "tulip", "plant"),
        Concept("rose", "rose", "plant"),
        Concept("mushroom", "mushroom", "plant", ("toadstool",)),
        Concept("house", "house", "building", ("home",)),
        Concept("castle", "castle", "building"),
        Concept("tent", "tent", "building"),
        Concept("guitar", "guitar", "object"),
        Concept("umbrella", "umbrella", "object"),
        Concept("crown", "crown", "object"),
        Concept("balloon", "balloon", "object"),
        Concept("soccer ball", "soccer-ball", "object", ("football",)),
        Concept("snowman", "snowman", "object", plural="snowmen"),
        Concept("robot", "robot", "object"),
        Concept("star", "star", "object"),
        Concept("heart", "red-heart", "object"),
        Concept("key", "key", "object"),
    )
}

RIDERS = tuple(concept.name for concept in CONCEPTS.values() if concept.rides)
VEHICLES = tuple(concept.name for concept in CONCEPTS.values() if concept.seat)

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

COLOURS: dict[str, Rgb] = {
    "white": (255, 255, 255),
    "red": (226, 62, 60),
    "orange": (247, 148, 50),
    "yellow": (252, 220, 82),
    "green": (92, 178, 92),
    "blue": (74, 134, 222),
    "purple": (146, 98, 198),
    "pink": (246, 150, 188),
    "gray": (150, 154, 160),
    "black": (28, 28, 32),
}

TINTS: tuple[Rgb, ...] = (
    (205, 228, 250),
    (206, 240, 224),
    (252, 226, 206),
    (230, 218, 248),
    (250, 242, 200),
    (250, 214, 222),
)
"""Backgrounds of scenes whose caption says nothing about it: pale, so that white things show."""


@dataclass(frozen=True, slots=True)
class Place:
    """A backdrop of two gradients that meet at the horizon."""

    phrase: str
    sky: tuple[Rgb, Rgb]
    ground: tuple[Rgb, Rgb]
    extra: str = ""


PLACES: dict[str, Place] = {
    "beach": Place(
        "on a beach", ((120, 196, 246), (206, 238, 252)), ((244, 222, 160), (230, 200, 130)), "sea"
    ),
    "night": Place("at night", ((14, 18, 52), (40, 46, 98)), ((26, 34, 50), (18, 24, 36)), "stars"),
    "snow": Place(
        "in the snow",
        ((176, 200, 222), (222, 234, 244)),
        ((250, 252, 255), (226, 236, 246)),
        "snow",
    ),
    "road": Place(
        "on a road", ((146, 208, 250), (216, 240, 254)), ((112, 116, 122), (88, 92, 98)), "lane"
    ),
    "field": Place(
        "in a field", ((132, 202, 248), (214, 240, 252)), ((128, 196, 92), (88, 160, 66))
    ),
    "desert": Place(
        "in the desert", ((250, 214, 150), (254, 236, 196)), ((226, 170, 98), (202, 140, 74)), "sun"
    ),
    "sunset": Place(
        "at sunset", ((112, 66, 132), (252, 150, 84)), ((82, 50, 78), (54, 34, 56)), "sun"
    ),
    "space": Place("in space", ((8, 8, 26), (24, 16, 54)), ((24, 16, 54), (12, 10, 34)), "stars"),
}


def with_article(phrase: str) -> str:
    """Return the phrase with "a" or "an" before it."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


@cache
def held_out_pairs() -> frozenset[tuple[str, str]]:
    """Return the (subject, vehicle) pairs that no training scene may hold together.

    Read from ``held_out_pairs.txt`` beside this file, one "subject, vehicle" a line.
    """
    lines = files(__package__).joinpath("held_out_pairs.txt").read_text("utf-8").splitlines()
    pairs = {tuple(part.strip() for part in line.split(",")) for line in lines if line.strip()}
    return frozenset((subject, vehicle) for subject, vehicle in pairs)
