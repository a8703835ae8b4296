"""The sentences follow from the numbers: of spaces made by hand in which things hold, or not."""

from __future__ import annotations

import torch

from sheepgen.meaning.atlas import Atlas
from sheepgen.meaning.geometry import normalise
from sheepgen.meaning.probes import ANALOGIES, PAIRS, PROBES, check_geometry, describe_check

WORDS = ("goat", "bus", "spoon")


def space() -> Atlas:
    """Return a space of random directions in which relatives are near, and all sums lead right."""
    generator = torch.Generator().manual_seed(0)
    texts = [*dict.fromkeys((*PROBES, *WORDS))]
    vectors = {text: torch.randn(64, generator=generator) for text in texts}
    for word, relative in PAIRS:
        vectors[relative] = vectors[word] + 0.3 * torch.randn(64, generator=generator)
    for analogy, expected in ANALOGIES:
        total = sum(term.sign * normalise(vectors[term.text][None])[0] for term in analogy.terms)
        assert isinstance(total, torch.Tensor)
        vectors[expected] = total
    return atlas(vectors)


def atlas(vectors: dict[str, torch.Tensor]) -> Atlas:
    rows = {text: row for row, text in enumerate(vectors)}
    return Atlas(rows, normalise(torch.stack([*vectors.values()])))


def test_where_all_holds_it_says_so() -> None:
    check = check_geometry(space(), WORDS)
    assert (check.nearer, check.comparisons) == (132, 132)
    pairs, sheep, analogies = describe_check(check)
    assert pairs == (
        "What is near in meaning is near here: in 132 of 132 comparisons a word is nearer to its "
        "relative than to another's (by chance in 66)."
    )
    assert sheep.startswith("A sheep is nearer to a ewe than to a motorcycle: 0.0")
    assert analogies == (
        "king - man + woman leads to queen. Analogies tried: 6; leading to the word expected: 6."
    )


def test_where_nothing_holds_it_says_so() -> None:
    generator = torch.Generator().manual_seed(3)
    vectors = {text: torch.randn(8, generator=generator) for text in (*PROBES, *WORDS)}
    vectors["a ewe"] = -vectors["a sheep"]
    vectors["queen"] = vectors["man"] - vectors["king"]
    check = check_geometry(atlas(vectors), WORDS)
    pairs, sheep, analogies = describe_check(check)
    assert pairs.startswith("What is near in meaning is not reliably near here: in ")
    assert sheep.startswith("A sheep is not nearer to a ewe than to a motorcycle: 2.00 and ")
    first = check.analogies[0]
    assert first.rank > 1
    assert f"but to {first.first}; queen is number {first.rank} of {first.words} words" in analogies


def test_words_that_are_one_to_the_model_count_nowhere() -> None:
    vectors = {text: torch.eye(len(PROBES))[at] for at, text in enumerate(dict.fromkeys(PROBES))}
    vectors["a ewe"] = vectors["a sheep"]
    vectors["queen"] = vectors["king"]
    check = check_geometry(atlas(vectors), ())
    assert check.same == (("a sheep", "a ewe"),)
    assert check.comparisons == 11 * 10
    assert "queen" not in [each.expected for each in check.analogies]
    sentences = describe_check(check)
    assert (
        sentences[1] == "To this model a sheep and a ewe are the same; a motorcycle is 1.00 away."
    )


def test_where_nothing_is_known_nothing_is_claimed() -> None:
    check = check_geometry(atlas({"goat": torch.ones(2), "bus": torch.ones(2)}), ("goat", "bus"))
    assert check.unknown == tuple(dict.fromkeys(PROBES))
    assert [sentence.partition(" to ")[0] for sentence in describe_check(check)] == [
        "The model knows too few words",
        "The model knows too few words",
    ]


def test_ties_are_not_won() -> None:
    vectors = {text: torch.eye(len(PROBES))[at] for at, text in enumerate(dict.fromkeys(PROBES))}
    check = check_geometry(atlas(vectors), ())
    # All words but those of the sum are at a right angle to it.
    assert check.analogies[0].rank == check.analogies[0].words
    assert check.analogies[0].first != "queen"
    assert check.nearer == 0
