"""Which thing of ours a word brings to mind that is none itself: birthday, gift; music, note.

The table is computed from what people tagged emoji with (emojibase, after Unicode's CLDR): a word
brings to mind that thing, of those tagged with it, which the sentence encoder finds it most like.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from sheepgen.training.data.backgrounds import COLOURS, PLACES, TIMES, WEATHERS
from sheepgen.training.data.captions import DIGIT_NAMES, LEAD_INS, RELATION_PHRASES
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icon_sets import DRAWING_SETS
from sheepgen.training.data.wide_vocabulary import emoji_entries
from sheepgen.training.data.words import NUMBERS, plural_of, words_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from sheepgen.training.data.sentence_encoder import SentenceEncoder

__all__ = ["evoked_concepts"]


LEAST = 0.25
"""Tags that are less like their thing than this speak of something else, as of eggs over easy."""

OF_PEOPLE = {
    "accessibility", "ass", "body", "buddhism", "cancer", "cops", "dead", "deaf", "death", "face",
    "family", "female", "french", "gang", "genderqueer", "hinduism", "irish", "life", "mad", "male",
    "men", "mexican", "person", "ugly", "women",
}  # fmt: skip
"""Words that speak of people without being theirs alone; no thing is to answer to them."""


def evoked_concepts(
    modules: Path, encoder: SentenceEncoder, said: Collection[str], excluded: Collection[str]
) -> dict[str, str]:
    """Return the name of the concept that a word brings to mind, for all that do.

    Args:
        modules: The ``node_modules`` folder with emojibase in it.
        encoder: Says how alike words are.
        said: The words of captions. They tell something themselves, but for those that are only
            found in things' longer names: love letter, birthday cake.
        excluded: Further words that bring nothing to mind; nor do their plurals.
    """
    tagged = _tagged(modules)
    silent = {*excluded, *map(plural_of, excluded), *OF_PEOPLE}
    words = sorted(tagged.keys() - ({*said} - _only_in_longer_names()) - silent)
    names = list(concepts())
    alike = encoder.meanings(words) @ encoder.meanings(names).T
    evoked = {}
    for word, row in zip(words, alike.tolist(), strict=True):
        likeness = dict(zip(names, row, strict=True))
        best = max(sorted(tagged[word]), key=likeness.__getitem__)
        if likeness[best] >= LEAST:
            evoked[word] = best
    return evoked


def _tagged(modules: Path) -> dict[str, set[str]]:
    """Return the concepts whose drawings bear each tag."""
    drawn = defaultdict(set)
    for concept in concepts().values():
        for drawing in concept.drawings.values():
            drawn[drawing].add(concept.name)
    tagged: dict[str, set[str]] = defaultdict(set)
    for entry in emoji_entries(modules):
        # The drawing sets name their drawings so.
        drawing = re.sub("[^a-z0-9]+", "-", entry["label"].lower()).strip("-")
        for tag in entry.get("tags", ()):
            if re.fullmatch("[a-z]{3,}", tag):
                tagged[tag] |= drawn.get(drawing, set())
    return {tag: names for tag, names in tagged.items() if names}


def _only_in_longer_names() -> set[str]:
    """Return words of things' names that captions use for nothing else."""
    names = [name for concept in concepts().values() for name in concept.forms]
    stage = (entry.phrases for table in (PLACES, TIMES, WEATHERS) for entry in table.values())
    styles = (entry.style_words for entry in DRAWING_SETS.values())
    phrases = (*stage, *styles, *RELATION_PHRASES.values(), LEAD_INS, DIGIT_NAMES)
    elsewhere = {
        *(name for name in names if " " not in name),
        *(word for several in phrases for phrase in several for word in words_of(phrase)),
        *COLOURS,
        *NUMBERS,
    }
    return {word for name in names if " " in name for word in words_of(name)} - elsewhere
