"""The pictures of an explanation, as they are saved beside the page and shown in it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from PIL import Image

from sheepgen.explain.heat import colour_map, difference_picture, overlay
from sheepgen.metadata.image_file import encode_image
from sheepgen.output.template import slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sheepgen.explain.report import Ablation, Explanation, HeatMap, Step

__all__ = [
    "STEP_SIDE",
    "UNNAMED",
    "WordPictures",
    "encode_pictures",
    "shown_steps",
    "word_pictures",
]

MAX_SHOWN_STEPS = 24
"""Steps that have pictures; of more, as many are chosen, evenly, the last among them."""

UNNAMED = "tokens without a thing"
"""What tokens are called that no word, and no thing, has."""

STEP_SIDE = 256
"""Longer side of a step's pictures at most: those of a large image would fill the memory."""

_STRIP_SIDE = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class WordPictures:
    """What is shown of one word, or of other tokens.

    Args:
        name: What its file names begin with: safe in any file system.
        text: As typed, or what the tokens are.
        heat_map: Where the network looks for it; None if it has no tokens of its own.
        ablation: The image without it, if that was made.
        pictures: By what they show: ``heat``, ``overlay``, ``without``, ``difference``.
    """

    name: str
    text: str
    heat_map: HeatMap | None
    ablation: Ablation | None
    pictures: Mapping[str, Image.Image]


def word_pictures(explanation: Explanation) -> list[WordPictures]:
    """Return what is shown of each word, in the prompt's order, and then of other tokens."""
    ablations = {each.plan.words: each for each in explanation.ablations or ()}
    entries: list[tuple[str, HeatMap | None, Ablation | None]] = [
        (each.group.text, each, ablations.pop(each.group.words, None)) for each in explanation.named
    ]
    entries += [(each.plan.text, None, each) for each in ablations.values()]
    entries.sort(key=lambda entry: _place(*entry[1:]))
    entries += [
        (each.group.text or UNNAMED, each, None)
        for each in explanation.heat_maps
        if not each.group.is_named
    ]
    return [
        WordPictures(
            name=f"{number:02}-{slug(text, empty=heat.group.kind if heat else 'word')}",
            text=text,
            heat_map=heat,
            ablation=ablation,
            pictures=dict(_pictures(explanation.image, heat, ablation)),
        )
        for number, (text, heat, ablation) in enumerate(entries, start=1)
    ]


def _place(heat: HeatMap | None, ablation: Ablation | None) -> tuple[int, ...]:
    """Return where in the prompt a word is; what no word names comes last."""
    words = heat.group.words if heat else ablation.plan.words if ablation else ()
    return words or (2**31,)


def _pictures(
    image: Image.Image, heat: HeatMap | None, ablation: Ablation | None
) -> Iterator[tuple[str, Image.Image]]:
    if heat is not None:
        yield "overlay", overlay(image, heat.mean)
        yield "heat", colour_map(heat.mean, image.size)
    if ablation is not None:
        yield "without", ablation.image
        yield "difference", difference_picture(image, ablation.image)


def shown_steps(steps: Sequence[Step]) -> list[Step]:
    """Return the steps that have pictures, the last among them."""
    count = min(len(steps), MAX_SHOWN_STEPS)
    ends = [round((number + 1) * len(steps) / count) for number in range(count)]
    return [steps[end - 1] for end in ends]


def encode_pictures(
    explanation: Explanation, words: Sequence[WordPictures], *, key: str
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of each PNG.

    Args:
        explanation: Has the steps.
        words: From `word_pictures`.
        key: The image's `sheepgen.execution.image_key.image_key`, which each file names.
    """
    for word in words:
        for kind, picture in word.pictures.items():
            yield f"{word.name}_{kind}.png", _encode(picture, key)
    steps = shown_steps(explanation.steps)
    yield "clean.png", _encode(_strip([step.clean for step in steps]), key)
    yield "noisy.png", _encode(_strip([step.noisy for step in steps]), key)


def _encode(picture: Image.Image, key: str) -> bytes:
    texts = {"sheepgen-explains": key}
    return encode_image(picture.convert("RGB"), None, ".png", texts=texts)


def _strip(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return pictures side by side, of one height."""
    small = [
        each.resize((max(1, round(_STRIP_SIDE * each.width / each.height)), _STRIP_SIDE))
        for each in pictures
    ]
    lefts = [0]
    for each in small:
        lefts.append(lefts[-1] + each.width)
    strip = Image.new("RGB", (lefts[-1], _STRIP_SIDE))
    for each, (left, _) in zip(small, pairwise(lefts), strict=True):
        strip.paste(each, (left, 0))
    return strip
