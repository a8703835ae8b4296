"""What is asked of a text encoder's space: `MeaningQuery`, checked before anything is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sheepgen.embedded.vocabulary_file import read_vocabulary
from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS
from sheepgen.line_file import read_line_file
from sheepgen.models.resolve import find_model
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = [
    "MAX_NEAREST",
    "MAX_PROMPTS",
    "Analogy",
    "MeaningQuery",
    "Term",
    "bare",
    "default_words",
    "parse_analogy",
    "read_words",
]

MAX_PROMPTS = 40
MAX_TERMS = 8
MAX_ANALOGIES = 20
MAX_WORDS = 5_000
MAX_WORD_CHARACTERS = 200
MAX_NEAREST = 100

_MAX_FILE_BYTES = 1_000_000
_OPERATOR = re.compile(r"\s+([+\u2212-])\s+")
_ARTICLE = re.compile(r"^(a|an|the)\s+(?=\S)")


class Term(NamedTuple):
    """A text that is added or taken away.

    Args:
        sign: 1 or -1.
        text: A word or phrase.
    """

    sign: int
    text: str


@dataclass(frozen=True, slots=True)
class Analogy:
    """A sum of texts.

    Args:
        terms: The first is added.
    """

    terms: tuple[Term, ...]

    @property
    def text(self) -> str:
        """The sum as it is written."""
        first, *rest = self.terms
        signs = {1: "+", -1: "-"}
        return " ".join([first.text, *(f"{signs[sign]} {text}" for sign, text in rest)])


@dataclass(frozen=True, kw_only=True, slots=True)
class MeaningQuery:
    """Texts to compare.

    Args:
        prompts: To be compared with each other; each counts once.
        analogies: Sums whose nearest words are wanted.
        words: To look for what is near in; their mean is the middle of the space.
        nearest: How many near words are wanted of each prompt and analogy.
        centred: Whether the mean of the words is subtracted from every vector first. Text encoders
            put all texts into a narrow cone (https://arxiv.org/abs/1909.00512), so that without
            that all are near (https://arxiv.org/abs/1702.01417).

    Raises:
        UsageError: If there is nothing to compare, there is too much, or a text is not one.
    """

    prompts: tuple[str, ...]
    analogies: tuple[Analogy, ...] = ()
    words: tuple[str, ...]
    nearest: int = 5
    centred: bool = True

    def __post_init__(self) -> None:
        """Check the texts."""
        object.__setattr__(self, "prompts", tuple(dict.fromkeys(self.prompts)))
        object.__setattr__(self, "words", tuple(dict.fromkeys(self.words)))
        if not self.prompts and not self.analogies:
            raise UsageError(
                "No prompts given.",
                "For example: sheepgen meaning 'a sheep' 'a ewe' 'a motorcycle'",
            )
        limits = (
            ("prompts", self.prompts, MAX_PROMPTS),
            ("analogies", self.analogies, MAX_ANALOGIES),
            ("words", self.words, MAX_WORDS),
        )
        for name, given, most in limits:
            if len(given) > most:
                raise UsageError(
                    f"There may be at most {most:,} {name}, got {len(given):,}.", "Leave some out."
                )
        if not 0 <= self.nearest <= MAX_NEAREST:
            raise UsageError(
                f"nearest must be between 0 and {MAX_NEAREST}, got {excerpt(self.nearest)}."
            )
        if len(self.words) < 2:
            raise UsageError("There must be at least 2 words to compare with.", "Add some.")
        for text in (*self.prompts, *self.words, *_texts(self.analogies)):
            FIELDS["prompt"].check(text)
        if too_long := [word for word in self.words if len(word) > MAX_WORD_CHARACTERS]:
            raise UsageError(
                f'"{excerpt(too_long[0], 40)}" is longer than {MAX_WORD_CHARACTERS} characters.',
                "Write one word or phrase per line.",
            )

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts, each once."""
        return tuple(dict.fromkeys((*self.prompts, *_texts(self.analogies), *self.words)))


def _texts(analogies: Iterable[Analogy]) -> Sequence[str]:
    return [term.text for analogy in analogies for term in analogy.terms]


def parse_analogy(typed: str) -> Analogy:
    """Return a sum as it was typed: ``king - man + woman``.

    Plus and minus stand between spaces, so that words may have hyphens.

    Raises:
        UsageError: If it is not one.
    """
    first, *rest = _OPERATOR.split(typed.strip())
    pairs = zip(rest[::2], rest[1::2], strict=True)
    terms = (Term(1, first), *(Term(1 if sign == "+" else -1, text) for sign, text in pairs))
    if len(terms) == 1 or len(terms) > MAX_TERMS or not all(text.strip() for _, text in terms):
        raise UsageError(
            f'"{excerpt(typed)}" is not a sum of 2 to {MAX_TERMS} words.',
            "Write plus and minus between spaces: --analogy 'king - man + woman'",
        )
    return Analogy(terms)


def read_words(path: Path) -> tuple[str, ...]:
    """Return the words of a file, one word or phrase per line.

    Raises:
        UsageError: If it cannot be read, is too large, or has no words.
    """
    words = read_line_file(path, "word", max_bytes=_MAX_FILE_BYTES)
    if not words:
        raise UsageError(f"{excerpt(path, 200)} has no words.", "Write one per line.")
    return words


def default_words() -> tuple[str, ...]:
    """Return the names of what the installed model can show.

    Raises:
        ModelError: If it is not installed, or damaged.
    """
    spec = find_model(EMBEDDED_MODEL, offline=True)
    assert spec.family.vocabulary is not None, "it parses prompts"
    return tuple(read_vocabulary(spec.folder / spec.family.vocabulary).concepts)


def bare(text: str) -> str:
    """Return a text in lower case and without an article in front, to tell whether two are one."""
    return _ARTICLE.sub("", " ".join(text.casefold().split()))
