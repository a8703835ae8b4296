from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.blend import (
    MAX_PROMPTS,
    WeightedPrompt,
    blend_to_text,
    blend_to_words,
    parse_blend,
)
from sheepgen.errors import UsageError
from sheepgen.prompt_template import expand_request
from sheepgen.request import GenerationRequest
from sheepgen.shell_command import to_command
from tests.samples import blends, sample_spec, texts

KING = "a king:1, a man:-1, a woman:1"


@pytest.mark.parametrize(
    ("text", "prompts", "canonical"),
    [
        (KING, [("a king", 1), ("a man", -1), ("a woman", 1)], KING),
        ("a king", [("a king", 1)], "a king:1"),
        (" a king : .5 ,a man:+0.50", [("a king", 0.5), ("a man", 0.5)], "a king:0.5, a man:0.5"),
        ("a king,a king", [("a king", 1), ("a king", 1)], "a king:1, a king:1"),
        ('"a cat, asleep":0.5', [("a cat, asleep", 0.5)], '"a cat, asleep":0.5'),
        ('"at 9:30", fog:-2.', [("at 9:30", 1), ("fog", -2)], '"at 9:30":1, fog:-2'),
        ('"say ""baa"""', [('say "baa"', 1)], '"say ""baa""":1'),
        ('6" nails:0.1', [('6" nails', 0.1)], '"6"" nails":0.1'),
        ('"a (red:1.3) fox":0.000001', [("a (red:1.3) fox", 1e-6)], '"a (red:1.3) fox":0.000001'),
        ("{a|b} [c]\nd", [("{a|b} [c]\nd", 1)], "{a|b} [c]\nd:1"),
    ],
)
def test_blends(text: str, prompts: list[tuple[str, float]], canonical: str) -> None:
    parsed = parse_blend(text)
    assert list(parsed) == [WeightedPrompt(*each) for each in prompts]
    assert blend_to_text(parsed) == canonical
    assert parse_blend(canonical) == parsed


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty"),
        ("a king,", "empty"),
        (", a king", "empty"),
        ('"":1', "empty"),
        (":0.5", "empty"),
        ("a king:x", 'The weight of "a king" must be a number of at most six decimals, got "x"'),
        ("a king:", "must be a number"),
        ("a (red:1.3) king:0.5", "must be a number"),
        ("a king:0.1234567", "six decimals"),
        ("a king:nan", "must be a number"),
        ("a king:٣", "must be a number"),
        ("a king:0", "must be between -10 and 10, and not 0; got 0"),
        ("a king:-10.5", "got -10.5"),
        ('"a king', "not closed"),
        ('"a king" of hearts', "text follows it"),
        (",".join(["a king"] * (MAX_PROMPTS + 1)), "at most 32 prompts, got 33"),
    ],
)
def test_what_is_wrong_is_said(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_blend(text)


@given(texts | st.text(',:" 0.5a-', max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        prompts = parse_blend(text)
    except UsageError:
        return
    assert parse_blend(blend_to_text(prompts)) == prompts


def test_long_texts_are_read_at_once() -> None:
    for text in (" " * 20_000, '"' * 19_999, "a:" * 10_000, '"a' + '""' * 9_999, "a\t" * 10_000):
        with suppress(UsageError):
            parse_blend(text)


def test_a_blend_in_words() -> None:
    assert blend_to_words(parse_blend(KING)) == "a king - a man + a woman"
    assert blend_to_words(parse_blend("a sheep:0.25,a goat:.75")) == "0.25 a sheep + 0.75 a goat"
    assert blend_to_words(parse_blend("fog:-0.5,a goat")) == "- 0.5 fog + a goat"


def test_a_request_has_the_blend_and_what_it_is_in_words() -> None:
    request = GenerationRequest(blend=" a king , a man:-1,a woman", seed=1)
    assert request.blend == KING
    assert request.prompt == "a king - a man + a woman"
    assert request.prompts == parse_blend(KING)
    assert replace(request, seed=2).blend == KING
    assert replace(request, blend="a goat", prompt="").prompt == "a goat"
    assert GenerationRequest(prompt="a king", seed=1).prompts == (WeightedPrompt("a king", 1.0),)


def test_a_prompt_beside_a_blend_is_refused() -> None:
    with pytest.raises(UsageError, match="both a prompt and a blend"):
        GenerationRequest(prompt="a king", blend="a king:1, a man:-1", seed=1)


def test_marks_are_checked_in_every_prompt_of_a_blend() -> None:
    GenerationRequest(blend='"a (red:1.3) fox", a dog', prompt_syntax="a1111", seed=1)
    with pytest.raises(UsageError):
        GenerationRequest(blend='a dog, "[a:b:0.5]"', prompt_syntax="a1111", seed=1)


def test_braces_in_a_blend_are_text() -> None:
    request = GenerationRequest(blend="a {red|blue} fox, a dog", seed=1)
    assert expand_request(request) == request


@given(blends)
def test_the_command_has_the_blend_and_no_prompt(blend: str) -> None:
    request = GenerationRequest(blend=blend, seed=1)
    assert request.blend == blend
    words = to_command(request)
    assert words.startswith("sheepgen generate --blend ")


def test_a_family_that_cannot_blend_is_named() -> None:
    from sheepgen.models.families import FAMILIES

    request = GenerationRequest(blend="a king, a man:-1", seed=1)
    spec = sample_spec()
    assert spec.resolve(request).blend == "a king:1, a man:-1"
    for family in FAMILIES:
        if "blend" in family.fields:
            continue
        other = replace(spec, checkpoint=replace(spec.checkpoint, family=family))
        with pytest.raises(UsageError) as caught:
            other.resolve(request)
        assert caught.value.message == f"Prompts cannot be added up for {family.name}."
        assert "Leave out --blend" in caught.value.hint
