"""Words of other languages: whether a prompt is foreign, and what its phrases name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.embedded.prompt_pieces import Piece, mention_of
from sheepgen.embedded.spelling import SHORTEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sheepgen.embedded.prompt_pieces import How, Word
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["foreign_forms", "foreign_phrase", "is_foreign"]

_FOREIGN_PLURALS = ("s", "es", "e", "n", "en", "er", "x")


def is_foreign(words: Sequence[Word], vocabulary: Vocabulary) -> bool:
    """Return whether a prompt is in another language.

    It is if one of its words can only be foreign, or if all can, but for a single one that means
    something in English.
    """
    if any(_is_only_foreign(word, vocabulary) for word in words):
        return True
    can_be = (not vocabulary.foreign.keys().isdisjoint(foreign_forms(word.text)) for word in words)
    return not (len(words) == 1 and _is_english(words[0].text, vocabulary)) and all(can_be)


def foreign_phrase(words: Sequence[Word], start: int, vocabulary: Vocabulary) -> Piece | None:
    """Return the longest foreign phrase that starts at a word, or None."""
    longest, others = vocabulary.longest.get(words[start].text, 1), vocabulary.foreign
    for stop in range(min(len(words), start + longest), start, -1):
        found = tuple(words[start:stop])
        phrase = " ".join(word.text for word in found)
        for form in foreign_forms(phrase):
            read = others.get(form, "")
            if read in vocabulary.concepts:
                # "Chats" is listed itself, and the plural of "chat".
                same = [other for other in foreign_forms(phrase) if others.get(other) == read]
                is_guess = len(words) == 1 and form in vocabulary.ambiguous
                how: How = "near" if is_guess and not words[0].is_accented else "name"
                return mention_of(found, read, vocabulary, plural=same != [phrase], how=how)
            if read and form == phrase:
                return Piece(found, tuple(read.split()))
    return None


def _is_only_foreign(word: Word, vocabulary: Vocabulary) -> bool:
    """Return whether a word can only be foreign."""
    forms = {*foreign_forms(word.text)} & vocabulary.foreign.keys()
    if word.is_accented:
        return bool(forms)
    english = (vocabulary.forms, vocabulary.near, vocabulary.ids, vocabulary.real)
    return bool(forms - vocabulary.ambiguous) and not any(word.text in table for table in english)


def _is_english(word: str, vocabulary: Vocabulary) -> bool:
    """Return whether a word alone means something that can be shown, or is polite, in English."""
    tables = (vocabulary.forms, vocabulary.near, vocabulary.ids, vocabulary.evoked)
    return word in vocabulary.ignored or any(word in table for table in tables)


def foreign_forms(phrase: str) -> Iterator[str]:
    """Yield a phrase, and what it may be the plural of in another language."""
    yield phrase
    for ending in _FOREIGN_PLURALS:
        if phrase.endswith(ending) and len(phrase) - len(ending) >= SHORTEST:
            yield phrase.removesuffix(ending)
