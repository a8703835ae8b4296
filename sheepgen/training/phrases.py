"""Short phrases that the text encoder learns words by, each with what is meant by it.

Words that the U-Net sees no picture of mean the thing that they come nearest to: the student reads
"a lorry next to a cat", its teacher "a truck next to a cat".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sheepgen.training.data.words import article

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from sheepgen.training.vocabulary import Vocabulary

__all__ = ["Phrase", "Piece", "aligned_words", "meaning", "sample_phrase", "wording"]

WORD, ARTICLE = "*", "a"
FORMS = (
    (WORD,),
    (ARTICLE, WORD),
    (ARTICLE, WORD),
    (ARTICLE, WORD, "riding", ARTICLE, WORD),
    (ARTICLE, WORD, "next to", ARTICLE, WORD),
    (ARTICLE, WORD, "on top of", ARTICLE, WORD),
    (ARTICLE, WORD, "wearing", ARTICLE, WORD),
    ("a picture of", ARTICLE, WORD),
)
"""What the vocabulary is said in."""

LEXICON_SHARE = 0.8


class Piece(NamedTuple):
    """Some words of a phrase: what is said, and what is meant by it; as a rule the same."""

    said: str
    meant: str


Phrase = Sequence[Piece]


def wording(phrase: Phrase) -> list[str]:
    """Return the words of what is said."""
    return [word for piece in phrase for word in piece.said.split()]


def meaning(phrase: Phrase) -> str:
    """Return what is meant."""
    return " ".join(piece.meant for piece in phrase)


def aligned_words(phrase: Phrase) -> Iterator[tuple[int, int]]:
    """Yield which word of what is said stands for which of what is meant, by their numbers.

    Of a piece that means something else than it says, only the last words do.
    """
    said, meant = 0, 0
    for piece in phrase:
        words, meanings = len(piece.said.split()), len(piece.meant.split())
        if piece.said == piece.meant:
            yield from zip(range(said, said + words), range(meant, meant + words), strict=True)
        else:
            yield said + words - 1, meant + meanings - 1
        said, meant = said + words, meant + meanings


def sample_phrase(rng: random.Random, vocabulary: Vocabulary) -> Phrase:
    """Say a word or two of the vocabulary as captions do."""
    pieces: list[Piece] = []
    for words in rng.choice(FORMS):
        if words != WORD:
            pieces.append(Piece(words, words))
            continue
        nouns = vocabulary.lexicon and rng.random() < LEXICON_SHARE
        said = rng.choice([*vocabulary.lexicon] if nouns else vocabulary.words)
        meant = vocabulary.lexicon.get(said, said)
        if pieces and pieces[-1].said == ARTICLE:
            pieces[-1] = Piece(article(said), article(meant))
        pieces.append(Piece(said, meant))
    return pieces
