"""What words name, and what their letters and roles are folded to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.embedded.vocabulary import CLASSES, normalise, role_class
from tests.embedded.vocabularies import tiny_vocabulary


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("kitten", ("cat",)),
        ("hound", ("wolf",)),
        ("animal", ("cat", "wolf", "elephant")),
        ("truck", ("fire truck",)),
        ("dragon", ()),
        ("", ()),
    ],
)
def test_concepts_can_be_searched(word: str, found: tuple[str, ...]) -> None:
    assert tiny_vocabulary().search(word) == found


def test_the_closest_name_is_suggested() -> None:
    assert tiny_vocabulary().closest("elephanto") == "elephant"
    assert tiny_vocabulary().closest("dragon") == ""


def test_text_is_folded_to_plain_letters() -> None:
    assert normalise("Müßig, ÉCLAIR, smørrebrød\u2019s") == "mussig, eclair, smorrebrod's"


@given(
    st.frozensets(
        st.sampled_from(["rides", "ridden", "hat", "glasses", "held", "base", "sky", "own-colour"])
    ),
    st.booleans(),
)
def test_every_concept_has_a_class(roles: frozenset[str], plural: bool) -> None:
    assert role_class(roles, plural=plural) in CLASSES
