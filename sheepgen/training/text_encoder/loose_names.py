"""Which names of concepts are loose: what they name is something else than what is shown.

They are listed with the everyday words as "near" ("nurse" of a woman doctor), or name other people
than the concept does: a cycling boy is shown as a cycling man, dancing people as dancing women.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.embedded.prompt import phrase_key
from sheepgen.training.data.words import plural_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["loose_names"]

_PEOPLE: Mapping[str, frozenset[str]] = {
    word: frozenset(kinds.split())
    for kinds, words in {
        "woman": "woman women lady ladies girlfriend wife housewife bride queen princess witch "
        "sorceress superheroine businesswoman ballerina mermaid mother",
        "man": "man men guy guys gentleman gentlemen boyfriend husband dude groom king prince "
        "wizard superhero businessman father",
        "girl": "girl girls schoolgirl daughter",
        "boy": "boy boys schoolboy lad son",
        "child": "child children kid kids",
        "person": "person people persons human somebody someone friends",
        "woman man": "couple couples lovers family families",
    }.items()
    for word in words.split()
}
"""Words for people, and for whom."""


def loose_names(
    forms: Mapping[str, str], plurals: Mapping[str, str], near: Mapping[str, str]
) -> Iterator[str]:
    """Yield the names that are loose.

    Args:
        forms: All names, and their concepts.
        plurals: Each concept, and what several of it are called.
        near: Words that come near to concepts.
    """
    listed = {
        phrase_key(form): name
        for phrase, name in near.items()
        # "Schoolbus" is a name, too.
        for one in (phrase, phrase.replace(" ", ""))
        for form in (one, plural_of(one))
    }
    for phrase, name in forms.items():
        own = {phrase_key(name), phrase_key(plurals[name])}
        is_loose = listed.get(phrase) == name or _is_of_others(phrase, name)
        if phrase not in own and is_loose:
            yield phrase


def _is_of_others(phrase: str, name: str) -> bool:
    """Return whether a phrase names people and the concept names different or unspecific ones."""
    said, shown = _people(phrase), _people(name)
    return bool(said) and (
        not said <= shown and (said != {"person"} or bool(shown & {"man", "woman"}))
    )


def _people(phrase: str) -> frozenset[str]:
    return frozenset(kind for word in phrase.split() for kind in _PEOPLE.get(word, ()))
