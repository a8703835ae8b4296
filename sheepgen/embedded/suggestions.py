"""What an unused word of a prompt may have been meant to name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.embedded.prompt import singulars
from sheepgen.embedded.vocabulary import CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.embedded.prompt import PromptWords
    from sheepgen.embedded.prompt_pieces import Word
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["suggestion_for"]


_VERBAL = ("ing", "ed")

_GESTURES = ("face", "hand", "action")
"""Groups of concepts that words for moods and doings evoke."""


def suggestion_for(phrase: Sequence[Word], words: PromptWords, vocabulary: Vocabulary) -> str:
    """Return the concept that an unused word may have been meant to name, or "".

    By what it evokes, unless it only says more about a thing, or else by spelling; English words
    are not taken for mistyped ones, and nothing is suggested for several words ("without war").
    """
    if len(phrase) > 1:
        return ""
    (word,) = phrase
    named = {mention.concept for mention in words.mentions}
    followed = {
        each: following
        for place, following in zip(words.places, (*words.symbols[1:], ""), strict=False)
        for each in place
    }
    if followed.get(word, "") not in CLASSES and not word.text.endswith(_VERBAL):
        for form in (word.text, *singulars(word.text)):
            concept = vocabulary.concepts.get(vocabulary.evoked.get(form, ""))
            if concept and concept.group not in _GESTURES and concept.name not in named:
                return concept.name
    is_word = word.text in vocabulary.known or word.text in vocabulary.real
    return "" if is_word else vocabulary.closest(word.text)
