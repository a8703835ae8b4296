"""The words that link two things of a prompt, and the relations that they can mean.

    an owl on a tree        on top of
    a sheep on a bus        riding, because that can be ridden
    an owl in a tree        nothing shows that: on top of comes nearest
    a cat behind a house    nor that: next to comes nearest
    a cat or a dog          both are shown, next to each other
    a tree with gifts       next to, or what its owner holds or wears; but not on top of
    a rabbit in a hat       wearing comes nearest, where a man in a hat wears it
    a gift for a cat        nothing shows that either

Which of several is meant is the prompt parser's choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sheepgen.embedded.noun_phrases import describes
from sheepgen.embedded.vocabulary import NUMBER, OTHER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sheepgen.embedded.prompt import Mention, PromptWords
    from sheepgen.embedded.prompt_pieces import Word
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["Link", "can_relate", "find_link"]

_DETERMINERS = {
    *("a", "an", "the", "my", "your", "his", "her", "our", "their", "its", "this", "that"),
    *("these", "those", "some", "another", "all", "both"),
}


class _Meaning(NamedTuple):
    """Relations of the earlier thing to the later one; turned, those of the later to the earlier.

    What comes nearest is shown where these cannot be.
    """

    relations: frozenset[str] = frozenset()
    turned: frozenset[str] = frozenset()
    nearest: frozenset[str] = frozenset()


_ONTO = frozenset({"riding", "on_top"})
_ON_TOP = frozenset({"on_top"})
_BESIDE = frozenset({"next_to"})
_WORN = frozenset({"wearing"})
_OWNED = frozenset({"next_to", "holding", "wearing"})

_ALL = frozenset({"riding", "on_top", "next_to", "wearing", "holding"})

_OPEN = {"of", "to", "for", "from", "at", "against", "through", "across", "along", "into"}
"""Words that leave open how two things relate, and whether they do; no relation means what they
do."""

_WITHIN = ("in", "inside")

_MEANINGS: Mapping[str, _Meaning] = {
    # A hat on a cat is worn by it.
    **dict.fromkeys(("on", "on top of", "upon"), _Meaning(_ONTO, turned=_WORN)),
    **dict.fromkeys(_WITHIN, _Meaning(_WORN | {"riding"}, nearest=_ON_TOP)),
    **dict.fromkeys(("over", "above"), _Meaning(nearest=_ON_TOP)),
    **dict.fromkeys(("under", "below"), _Meaning(turned=_ON_TOP, nearest=_BESIDE)),
    **dict.fromkeys(
        ("behind", "in front of", "between", "around", "or"), _Meaning(nearest=_BESIDE)
    ),
    **dict.fromkeys(("and", ",", "next to", "beside", "near"), _Meaning(_BESIDE)),
    "with": _Meaning(_OWNED),
    # Nothing but a verb that nobody knows: a man eating a pizza.
    "": _Meaning(_OWNED),
}

_LONGEST = max(phrase.count(" ") for phrase in _MEANINGS) + 1

_TOO_LARGE = ("building", "clothing")
"""Groups of what other things are shown next to if they are in it, unless it is made to bear them:
a teacher in a school, a girl in a coat."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """What stands between two things.

    Args:
        words: Its words; none if the things only stand in one sentence.
        meant: The relations of the first thing to the second that it can mean.
        nearest: Those that come nearest to what it means, if that cannot be shown.
        is_open: Whether the two may be unrelated.
    """

    words: tuple[Word, ...]
    meant: frozenset[str]
    nearest: frozenset[str]
    is_open: bool = False


def find_link(
    words: PromptWords, first: Mention, second: Mention, vocabulary: Vocabulary
) -> Link | None:
    """Return what links a scene's first thing to its second, or None if that leaves all open.

    Args:
        words: The prompt's.
        first: What could ride, wear, hold or stand on the other; it may come last.
        second: The other.
        vocabulary: The words' meanings.
    """
    start, stop = sorted((first.symbol, second.symbol))
    between = words.symbols[start + 1 : stop]
    is_apart = any(start < mention.symbol < stop for mention in words.mentions)
    if is_apart:
        return None
    end = _without_noun_phrase(between, vocabulary)
    lengths = (n for n in range(min(_LONGEST, end), 0, -1) if _phrase(between, end, n) in _MEANINGS)
    length = next(lengths, 0)
    is_repeated = first.concept == second.concept  # home sweet home
    if not length and (is_repeated or (end and between[end - 1] != OTHER)):
        if _phrase(between, end, min(end, 1)) not in _OPEN or _relates(between[:end], vocabulary):
            return None
        words_of_link = words.places[start + end]
        return Link(words=words_of_link, meant=frozenset(), nearest=_ALL, is_open=True)
    phrase = _phrase(between, end, length)
    meaning = _MEANINGS[phrase]
    if start == first.symbol:
        meant, nearest = meaning.relations, meaning.nearest
    elif phrase == "with" and words.symbols[stop + 1 : stop + 2] in (("on",), ("in",)):
        meant, nearest = _ONTO, frozenset[str]()  # a box with a cat on it
    else:
        meant, nearest = meaning.turned, frozenset()
    concept = vocabulary.concepts[second.concept]
    if nearest and phrase in _WITHIN and concept.group in _TOO_LARGE:
        nearest = _BESIDE | (_ON_TOP if "base" in concept.roles else frozenset())
    if phrase in _WITHIN and vocabulary.concepts[first.concept].group == "animal":
        # A rabbit in a hat need not wear it.
        meant, nearest = meant - _WORN, nearest | (meant & _WORN)
    places = words.places[start + 1 + end - length : start + 1 + end]
    return Link(
        words=tuple(word for place in places for word in place), meant=meant, nearest=nearest
    )


def can_relate(relation: str, first: Mention, second: Mention, vocabulary: Vocabulary) -> bool:
    """Return whether one concept can stand in a relation to another, whatever links them."""
    if first.concept == second.concept:
        return relation == "next_to"
    ours, theirs = (vocabulary.concepts[each.concept].roles for each in (first, second))
    match relation:
        case "riding":
            return "rides" in ours and "ridden" in theirs
        case "wearing":
            wears_hat = "rides" in ours and "hat" in theirs
            return wears_hat or ("glassable" in ours and "glasses" in theirs)
        case "holding":
            # In a portrait, what is held would hide the face.
            return "rides" in ours and "holds" not in ours and "held" in theirs
        case _:
            return True


def _phrase(symbols: Sequence[str], end: int, length: int) -> str:
    return " ".join(symbols[end - length : end])


def _relates(symbols: Sequence[str], vocabulary: Vocabulary) -> bool:
    """Return whether a word for a relation comes before the last: "held by", "on the back of"."""
    cues = (cue for symbol in symbols[-2:-1] for cue in vocabulary.cues.get(symbol, ()))
    return any(cue.startswith("kind=") for cue in cues)


def _without_noun_phrase(symbols: Sequence[str], vocabulary: Vocabulary) -> int:
    """Return how many symbols stand before the article and the adjectives of a noun."""
    end = len(symbols)
    while end and (symbols[end - 1] in (OTHER, NUMBER) or describes(symbols[end - 1], vocabulary)):
        end -= 1
    return end - 1 if end and symbols[end - 1] in _DETERMINERS else end
