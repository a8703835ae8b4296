"""Puts scenes into words: many ways to say the same, none that says what is not in the picture."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sheepgen.training.data.backgrounds import PLACES, TIMES, WEATHERS
from sheepgen.training.data.concepts import Concept, concepts
from sheepgen.training.data.icon_sets import DRAWING_SETS, HOUSE_STYLE
from sheepgen.training.data.splits import find_held_out_word
from sheepgen.training.data.words import NUMBERS, article, words_of

if TYPE_CHECKING:
    from sheepgen.training.data.scene import Kind, Scene

__all__ = ["MOST_WORDS", "caption_of", "plain_caption"]

MOST_WORDS = 20
SYNONYM_RATE = 0.3
LEAVE_OUT_RATE = 0.12
HOUSE_STYLE_RATE = 0.15
LEAD_IN_RATE = 0.22
STAGE_FIRST_RATE = 0.12
TYPO_RATE = 0.03

# The first of each is the plain way to say it, and comes more often than all others together.
RELATION_PHRASES: dict[Kind, tuple[str, ...]] = {
    "riding": ("riding", "on", "sitting on", "that rides", "driving around on"),
    "next_to": ("next to", "beside", "and", "with", "near", "by the side of"),
    "on_top": ("on top of", "on", "standing on", "sitting on"),
    "wearing": ("wearing", "with", "that wears", "dressed in"),
    "holding": ("holding", "with", "carrying", "that holds"),
}
DIGIT_NAMES = ("the digit", "the number", "a handwritten", "digit", "number", "a handwritten digit")
LEAD_INS = (
    "a picture of",
    "a drawing of",
    "an image of",
    "an illustration of",
    "please draw",
    "please draw me",
    "draw",
    "draw me",
    "can you draw",
    "could you paint",
    "show me",
    "i want to see",
    "i would like",
    "there is",
    "make a picture of",
)
STYLE_FORMS = (
    "{caption}, {style}",
    "{caption} in {style}",
    "{style} {caption}",
    "{style}, {caption}",
)
COLOUR_PHRASES = (
    "on {a} {colour} background",
    "{colour} background",
    "in front of {a} {colour} wall",
    "against {colour}",
)


def caption_of(rng: random.Random, scene: Scene) -> str:
    """Return one caption of a scene, at most `MOST_WORDS` long.

    Raises:
        ValueError: If it holds a held-out word.
    """
    said = _sentence(rng, scene, varied=True)
    if len(said.split()) > MOST_WORDS:
        said = _sentence(rng, scene, varied=False)
    if held_out := find_held_out_word(said):
        raise ValueError(f"{held_out!r} is held out, and in {said!r}")
    return _as_typed(rng, said)


def plain_caption(scene: Scene) -> str:
    """Return the caption that says everything in the plainest words; of tests and sheets."""
    return _sentence(random.Random(0), scene, varied=False)  # noqa: S311


def _sentence(rng: random.Random, scene: Scene, *, varied: bool) -> str:
    def now_and_then(rate: float) -> bool:
        return varied and rng.random() < rate

    cast = _digits(rng, scene, varied) if scene.kind == "digits" else _cast(rng, scene, varied)
    stage = "" if now_and_then(LEAVE_OUT_RATE) else _stage(rng, scene, varied)
    lead_in = f"{rng.choice(LEAD_INS)} " if now_and_then(LEAD_IN_RATE) else ""
    stage_first = stage and scene.has_scenery and not lead_in and now_and_then(STAGE_FIRST_RATE)
    said = f"{stage}, {cast}" if stage_first else f"{lead_in}{cast} {stage}".rstrip()
    styles = DRAWING_SETS[scene.style].style_words if scene.style else ()
    # Who names no style gets the house's; whatever else is drawn in must be said.
    if styles and (scene.style != HOUSE_STYLE or now_and_then(HOUSE_STYLE_RATE)):
        forms = STYLE_FORMS[: 2 if lead_in or stage_first else None]
        form = _mostly_first(rng, forms, varied)
        said = form.format(caption=said, style=_mostly_first(rng, styles, varied))
        said = said.replace("style a ", "style ").replace("style an ", "style ")
    return said


def _cast(rng: random.Random, scene: Scene, varied: bool) -> str:
    subject = _noun(rng, concepts()[scene.subject], scene.count, scene.colour, varied)
    if not scene.other:
        return subject
    other = _noun(rng, concepts()[scene.other], 1, scene.other_colour, varied)
    return f"{subject} {_mostly_first(rng, _relation_phrases(scene), varied)} {other}"


def _relation_phrases(scene: Scene) -> tuple[str, ...]:
    """Return how to say a scene's relation.

    "With" is left to what is worn or held, lest "a cat with a hat" mean two pictures.
    """
    phrases = RELATION_PHRASES[scene.kind]
    if scene.kind == "next_to" and concepts()[scene.other].roles & {"hat", "glasses", "held"}:
        phrases = tuple(phrase for phrase in phrases if phrase != "with")
    return phrases


def _noun(
    rng: random.Random,
    concept: Concept,
    count: int,
    colour: str,
    varied: bool,
) -> str:
    """Name so many of a concept, with article or number, and colour."""
    colour = f"{colour} " if colour else ""
    if count > 1:
        number = str(count) if varied and rng.random() < 0.3 else NUMBERS[count]
        return f"{number} {colour}{concept.plural}"
    word = rng.choice(concept.words) if varied and rng.random() < SYNONYM_RATE else concept.name
    phrase = f"{colour}{word}"
    choice = rng.random() if varied else 0.0
    if "bare" in concept.roles or choice > 0.95:
        return phrase
    if choice > 0.9:
        return f"{'one' if choice > 0.93 else 'the'} {phrase}"
    return f"{article(phrase)} {phrase}"


def _digits(rng: random.Random, scene: Scene, varied: bool) -> str:
    names = DIGIT_NAMES if len(scene.subject) == 1 else DIGIT_NAMES[1:3]
    spoken = len(scene.subject) == 1 and not (varied and rng.random() < 0.5)
    value = NUMBERS[int(scene.subject)] if spoken else scene.subject
    return f"{_mostly_first(rng, names, varied)} {value}"


def _stage(rng: random.Random, scene: Scene, varied: bool) -> str:
    """Name place, hour, weather or background colour; empty for a pale tint."""
    if scene.background:
        form = _mostly_first(rng, COLOUR_PHRASES, varied)
        return form.format(a=article(scene.background), colour=scene.background)
    phrases = [
        _mostly_first(rng, table[key].phrases, varied)
        for table, key in (
            (PLACES, scene.place),
            (TIMES, scene.time),
            (WEATHERS, scene.weather),
        )
        if key
    ]
    if len(phrases) > 1 and varied and rng.random() < LEAVE_OUT_RATE:
        phrases.pop(rng.randrange(len(phrases)))
    return " ".join(phrases)


def _mostly_first(rng: random.Random, choices: tuple[str, ...], varied: bool) -> str:
    return rng.choice(choices) if varied and rng.random() < 0.5 else choices[0]


def _as_typed(rng: random.Random, said: str) -> str:
    """Change case and end as people do, and slip now and then."""
    if rng.random() < TYPO_RATE:
        slipped = _with_slip(rng, said)
        said = said if find_held_out_word(slipped) else slipped
    choice = rng.random()
    if choice < 0.1:
        said = said[0].upper() + said[1:]
    elif choice < 0.13:
        said = said.upper()
    return said + ("." if rng.random() < 0.05 else "")


def _with_slip(rng: random.Random, said: str) -> str:
    """Return the sentence with one letter of one longer word swapped, lost or doubled."""
    long_words = [word for word in words_of(said) if len(word) > 4]
    if not long_words:
        return said
    word = rng.choice(long_words)
    at = rng.randrange(1, len(word) - 2)
    before, letter, after, rest = word[:at], word[at], word[at + 1], word[at + 2 :]
    slip = rng.choice((after + letter, after, letter * 2 + after))
    return said.replace(word, before + slip + rest, 1)
