"""Describe scenes in words, and label what is said; plain captions are to test with."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from sheepgen.embedded.scene_labels import SceneLabels, Thing
from sheepgen.training.data.backgrounds import PLACES, TIMES, WEATHERS
from sheepgen.training.data.concepts import Concept, concepts
from sheepgen.training.data.icon_sets import DRAWING_SETS, HOUSE_STYLE
from sheepgen.training.data.splits import find_held_out_word
from sheepgen.training.data.words import NUMBERS, article, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sheepgen.embedded.scene_labels import Kind
    from sheepgen.training.data.scene import Scene

__all__ = ["MAX_WORDS", "caption_labels", "plain_caption", "sample_caption"]

MAX_WORDS = 20
SYNONYM_RATE = 0.3
OMISSION_RATE = 0.12
NAMED_HOUSE_STYLE_RATE = 0.15
LEAD_IN_RATE = 0.22
BACKGROUND_FIRST_RATE = 0.12
TYPO_RATE = 0.03

# The first of each is the plainest, and more frequent than all the others together.
RELATION_PHRASES: dict[Kind, tuple[str, ...]] = {
    "riding": ("riding", "on", "sitting on", "that rides", "driving around on"),
    "next_to": ("next to", "beside", "and", "with", "near", "by the side of"),
    "on_top": ("on top of", "on", "standing on", "sitting on"),
    "wearing": ("wearing", "with", "that wears", "dressed in"),
    "holding": ("holding", "with", "carrying", "that holds"),
}
DIGIT_NAMES = (
    "the digit",
    "the number",
    "a handwritten",
    "digit",
    "number",
    "a handwritten digit",
)
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


def sample_caption(rng: random.Random, scene: Scene) -> str:
    """Return a random caption of a scene, at most `MAX_WORDS` words long.

    Raises:
        ValueError: If it holds a held-out word.
    """
    caption = _describe(rng, scene, varied=True)
    if len(caption.split()) > MAX_WORDS:
        caption = _describe(rng, scene, varied=False)
    if word := find_held_out_word(caption):
        raise ValueError(f"{word!r} is held out, and in {caption!r}")
    return _as_typed(rng, caption)


def plain_caption(scene: Scene) -> str:
    """Return the caption that describes all of a scene in the plainest words."""
    return _describe(random.Random(0), scene, varied=False)  # noqa: S311


def caption_labels(scene: Scene) -> SceneLabels:
    """Return a scene's labels, without what its caption leaves out of the surroundings.

    Its things are labelled in any case: a caption names them, with their colours and number.
    """
    caption = scene.caption.lower()

    def mentioned(answer: str, phrases: Iterable[str]) -> str:
        return answer if any(phrase in caption for phrase in phrases) else ""

    colour = scene.background
    backgrounds = (f"{colour} background", f"{colour} wall", f"against {colour}") if colour else ()
    is_digits = scene.kind == "digits"
    colours = (scene.colour, scene.other_colour)
    return SceneLabels(
        kind=scene.kind,
        things=tuple(
            Thing(name=name, colour=own) for name, own in zip(scene.things, colours, strict=False)
        ),
        count=scene.count,
        style=scene.style,
        place=mentioned(scene.place, PLACES[scene.place].phrases) if scene.place else "",
        time=mentioned(scene.time, TIMES[scene.time].phrases) if scene.time else "",
        weather=mentioned(scene.weather, WEATHERS[scene.weather].phrases) if scene.weather else "",
        background=mentioned(colour, backgrounds),
        digits=scene.subject if is_digits else "",
    )


def _describe(rng: random.Random, scene: Scene, *, varied: bool) -> str:
    def happens(rate: float) -> bool:
        return varied and rng.random() < rate

    name = _name_digits if scene.kind == "digits" else _name_concepts
    concepts_named = name(rng, scene, varied)
    background = "" if happens(OMISSION_RATE) else _name_background(rng, scene, varied)
    lead_in = f"{rng.choice(LEAD_INS)} " if happens(LEAD_IN_RATE) else ""
    can_be_first = background and scene.has_scenery and not lead_in
    background_first = can_be_first and happens(BACKGROUND_FIRST_RATE)
    if background_first:
        caption = f"{background}, {concepts_named}"
    else:
        caption = f"{lead_in}{concepts_named} {background}".rstrip()
    styles = DRAWING_SETS[scene.style].style_words if scene.style else ()
    # A caption without a style means the house style; all others must be named.
    if styles and (scene.style != HOUSE_STYLE or happens(NAMED_HOUSE_STYLE_RATE)):
        forms = STYLE_FORMS[: 2 if lead_in or background_first else None]
        form = _mostly_first(rng, forms, varied)
        caption = form.format(caption=caption, style=_mostly_first(rng, styles, varied))
        caption = caption.replace("style a ", "style ").replace("style an ", "style ")
    return caption


def _name_concepts(rng: random.Random, scene: Scene, varied: bool) -> str:
    subject = _noun(rng, concepts()[scene.subject], scene.count, scene.colour, varied)
    if not scene.other:
        return subject
    other = _noun(rng, concepts()[scene.other], 1, scene.other_colour, varied)
    return f"{subject} {_mostly_first(rng, _relation_phrases(scene), varied)} {other}"


def _relation_phrases(scene: Scene) -> tuple[str, ...]:
    """Return the phrases for a scene's relation.

    "With" is only for what is worn or held, so that "a cat with a hat" has one meaning.
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
    """Name one or several of a concept, with article or number, and colour."""
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


def _name_digits(rng: random.Random, scene: Scene, varied: bool) -> str:
    names = DIGIT_NAMES if len(scene.subject) == 1 else DIGIT_NAMES[1:3]
    spoken = len(scene.subject) == 1 and not (varied and rng.random() < 0.5)
    value = NUMBERS[int(scene.subject)] if spoken else scene.subject
    return f"{_mostly_first(rng, names, varied)} {value}"


def _name_background(rng: random.Random, scene: Scene, varied: bool) -> str:
    """Name place, time, weather or background colour; empty for a pale tint."""
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
    if len(phrases) > 1 and varied and rng.random() < OMISSION_RATE:
        phrases.pop(rng.randrange(len(phrases)))
    return " ".join(phrases)


def _mostly_first(rng: random.Random, choices: tuple[str, ...], varied: bool) -> str:
    return rng.choice(choices) if varied and rng.random() < 0.5 else choices[0]


def _as_typed(rng: random.Random, caption: str) -> str:
    """Vary case and full stop, and now and then mistype a word."""
    if rng.random() < TYPO_RATE:
        mistyped = _with_typo(rng, caption)
        caption = caption if find_held_out_word(mistyped) else mistyped
    choice = rng.random()
    if choice < 0.1:
        caption = caption[0].upper() + caption[1:]
    elif choice < 0.13:
        caption = caption.upper()
    return caption + ("." if rng.random() < 0.05 else "")


def _with_typo(rng: random.Random, caption: str) -> str:
    """Swap, drop or double a letter of one of the longer words."""
    long_words = [word for word in words_of(caption) if len(word) > 4]
    if not long_words:
        return caption
    word = rng.choice(long_words)
    at = rng.randrange(1, len(word) - 2)
    before, letter, after, rest = word[:at], word[at], word[at + 1], word[at + 2 :]
    typo = rng.choice((after + letter, after, letter * 2 + after))
    return caption.replace(word, before + typo + rest, 1)
