"""One grammar, two uses: every alternative, or the one that the seed picks."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.errors import UsageError
from sheepgen.fields import MAX_PROMPT_CHARACTERS
from sheepgen.prompt_template import (
    MAX_PROMPTS,
    describe_picks,
    escape_template,
    expand_alternatives,
    expand_request,
    literal_notes,
)
from sheepgen.request import GenerationRequest
from sheepgen.wildcards import Wildcards

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "prompts"),
    [
        ("a red sheep", ["a red sheep"]),
        (
            "a {sheep|goat} riding a {motorcycle|bicycle}",
            [
                "a sheep riding a motorcycle",
                "a sheep riding a bicycle",
                "a goat riding a motorcycle",
                "a goat riding a bicycle",
            ],
        ),
        ("{a|b|a}", ["a", "b"]),
        ("a {red|} sheep", ["a red sheep", "a sheep"]),
        ("{red|} sheep", ["red sheep", "sheep"]),
        ("sheep {asleep|}", ["sheep asleep", "sheep"]),
        ("sheep{s|}, asleep", ["sheeps, asleep", "sheep, asleep"]),
        ("a {x|} {y|} b", ["a x y b", "a x b", "a y b", "a b"]),
        ("a {x|}{y|} b", ["a xy b", "a x b", "a y b", "a b"]),
        ("a { big | small } sheep", ["a big sheep", "a small sheep"]),
        ("a  b {c|d}", ["a  b c", "a  b d"]),
        ("{a|}", ["a", ""]),
        ("a {b {c|d}|e} f", ["a b c f", "a b d f", "a e f"]),
        ("{{a|b}|c}", ["a", "b", "c"]),
        ("{{a|b}}", ["{a}", "{b}"]),
        ("{a} and {{b}}", ["{a} and {{b}}"]),
        ("{} | }{", ["{} | }{"]),
        ("a {b {c|d}", ["a {b c", "a {b d"]),
        ("{a|b}}", ["a}", "b}"]),
        (r"\{a\|b\}", ["{a|b}"]),
        (r"{a\|b|\}}", ["a|b", "}"]),
        (r"a \(b:1.2\) \ {c|d}", [r"a \(b:1.2\) \ c", r"a \(b:1.2\) \ d"]),
        ("line\nline {a|b}", ["line\nline a", "line\nline b"]),
    ],
)
def test_alternatives(text: str, prompts: list[str]) -> None:
    assert list(expand_alternatives(text)) == prompts


@pytest.mark.parametrize("text", ["a {b|c", "{{a|b}|c", "{a|{b}", "{a|b{"])
def test_an_open_group_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not closed") as caught:
        expand_alternatives(text)
    assert text in caught.value.message


def test_prompts_are_not_without_number() -> None:
    ten = "{0|1|2|3|4|5|6|7|8|9}"
    assert len(expand_alternatives(ten * 4)) == MAX_PROMPTS
    for text in (ten * 5, ten * 1000, "{" + "|".join(map(str, range(MAX_PROMPTS + 1))) + "}"):
        with pytest.raises(UsageError, match="more than 10,000 prompts"):
            expand_alternatives(text)


def test_depth_does_not_matter() -> None:
    deep = "{" * 5000 + "a" + "}" * 5000
    assert expand_alternatives(deep) == (deep,)


words = st.text("abc", min_size=1, max_size=3)


@given(st.lists(st.lists(words, min_size=2, max_size=3, unique=True), min_size=1, max_size=4))
def test_groups_make_their_product(groups: list[list[str]]) -> None:
    text = " ".join("{" + "|".join(group) + "}" for group in groups)
    assert expand_alternatives(text) == tuple(map(" ".join, product(*groups)))


@given(st.text(max_size=50))
def test_escaped_text_is_itself(text: str) -> None:
    escaped = text.translate({ord(character): f"\\{character}" for character in "{|}"})
    assert expand_alternatives(escaped) == (text.strip(),)


def request(prompt: str, seed: int = 1, **fields: Any) -> GenerationRequest:
    return GenerationRequest(prompt=prompt, seed=seed, **fields)


def picked(prompt: str, seed: int = 1, wildcards: Wildcards | None = None) -> str:
    return expand_request(request(prompt, seed), wildcards).prompt


@pytest.fixture
def wildcards(tmp_path: Path) -> Wildcards:
    """Return a folder of wildcards, some of which name others."""
    files = {
        "place": "forest\n# nowhere\n\n  town of {tin|gold}  \nsea",
        "animals/birds": "a __colour__ owl\na wren, __place__",
        "colour": "red\nblue",
        "maybe": "{|big}",
        "deep0": "bottom",
        **{f"deep{number}": f"__deep{number - 1}__" for number in range(1, 12)},
        "loop": "__pool__",
        "pool": "a __loop__",
        "bomb": "__boom__ " * 40,
        "boom": "__colour__ " * 40,
        "long": "x" * 15_000,
    }
    for name, text in files.items():
        path = tmp_path / f"{name}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return Wildcards(tmp_path)


def test_picks_are_what_they_were(wildcards: Wildcards) -> None:
    """A change here changes what a seed picks, everywhere."""
    template = "{red|blue} {fox|owl} in a __place__, __animals/birds__"
    assert [picked(template, seed, wildcards) for seed in range(4)] == [
        "red fox in a town of tin, a red owl",
        "red fox in a town of tin, a red owl",
        "red fox in a forest, a wren, forest",
        "blue fox in a sea, a wren, town of gold",
    ]


def test_picks_do_not_depend_on_the_process() -> None:
    program = (
        "from sheepgen.prompt_template import expand_request\n"
        "from sheepgen.request import GenerationRequest as R\n"
        "for seed in range(9): print(expand_request(R(prompt='{a|b|c} {d|e}', seed=seed)).prompt)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {"".join(f"{picked('{a|b|c} {d|e}', seed)}\n" for seed in range(9))}


@given(st.integers(0, 2**64 - 1), st.lists(st.lists(words, min_size=2, max_size=9), max_size=4))
def test_a_pick_is_one_of_all(seed: int, groups: list[list[str]]) -> None:
    text = " ".join(["a", *("{" + "|".join(group) + "}" for group in groups)])
    assert picked(text, seed) in expand_alternatives(text)


def test_every_alternative_is_picked_about_equally_often() -> None:
    counts = Counter(picked("a {red|blue|red|green} fox", seed) for seed in range(4000))
    assert 1900 < counts["a red fox"] < 2100
    assert 900 < counts["a blue fox"] < 1100
    assert 900 < counts["a green fox"] < 1100


def test_a_pick_does_not_depend_on_what_stands_beside_it() -> None:
    for seed in range(20):
        alone = picked("a {red|blue} fox", seed)
        assert picked("{big|small}, a {red|blue} fox, {ink|oil}", seed).split(", ")[1] == alone


def test_the_same_group_twice_is_picked_twice() -> None:
    pairs = {picked("{a|b} {a|b}", seed) for seed in range(50)}
    assert pairs == {"a a", "a b", "b a", "b b"}
    negative = {
        (each.prompt, each.negative_prompt)
        for seed in range(50)
        if (each := expand_request(request("{a|b}", seed, negative_prompt="{a|b}")))
    }
    assert len(negative) == 4


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("  a fox, {asleep}  ", "  a fox, {asleep}  "),
        ("a __place__", "a __place__"),
        (r"a \{red\|blue\} fox", "a {red|blue} fox"),
        (r"a \__place__", "a __place__"),
        ("__init__, a|b and [a|b] (x:1.2)", "__init__, a|b and [a|b] (x:1.2)"),
    ],
)
def test_nothing_is_picked_from_a_text(template: str, prompt: str) -> None:
    assert expand_request(request(template)) == request(prompt)


def test_templates_are_kept_beside_what_was_picked() -> None:
    asked = request("a {red|red} fox", negative_prompt="{blur|blur}", num_inference_steps=3)
    made = expand_request(asked)
    assert (made.prompt, made.prompt_template) == ("a red fox", "a {red|red} fox")
    assert (made.negative_prompt, made.negative_prompt_template) == ("blur", "{blur|blur}")
    assert made.num_inference_steps == 3
    assert describe_picks(made) == "a red fox; negative prompt: blur"
    assert describe_picks(asked) == ""


def test_what_was_picked_is_not_picked_from_again() -> None:
    made = expand_request(request(r"{a|a} \{b\|c\}"))
    assert made.prompt == "a {b|c}"
    assert expand_request(made) == made
    plain = request("{a|b}", negative_prompt="{c|c}")
    assert expand_request(plain, texts=["negative_prompt"]).prompt == "{a|b}"


@given(st.text(max_size=40) | st.text(r"\{|}_ab /", max_size=40))
def test_an_escaped_text_stands_for_itself(text: str) -> None:
    if text.strip() and "\0" not in text:
        made = expand_request(request(escape_template(text)))
        assert (made.prompt, made.prompt_template) == (text, None)


def test_only_what_has_a_meaning_is_escaped() -> None:
    for text in ("a {masterpiece} fox", "[a|b]", "a_b __c", r"\(a\)"):
        assert escape_template(text) == text


def test_wildcards_become_lines(wildcards: Wildcards) -> None:
    places = {picked("a __place__", seed, wildcards) for seed in range(50)}
    assert places == {"a forest", "a town of tin", "a town of gold", "a sea"}
    birds = {picked("__animals/birds__!", seed, wildcards) for seed in range(100)}
    assert birds == {
        *("a red owl!", "a blue owl!"),
        *(f"a wren, {place.removeprefix('a ')}!" for place in places),
    }
    assert {picked("a __maybe__ fox", seed, wildcards) for seed in range(9)} == {
        "a fox",
        "a big fox",
    }
    assert picked("__{deep0|deep0}__", wildcards=wildcards) == "bottom"
    assert picked(r"\__place__ __deep9__", wildcards=wildcards) == "__place__ bottom"


def test_braces_have_no_meaning_after_a_sweep_expanded_them(wildcards: Wildcards) -> None:
    made = expand_request(request("{a|b} __deep0__"), wildcards, alternatives=False)
    assert (made.prompt, made.prompt_template) == ("{a|b} bottom", "{a|b} __deep0__")


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{2::red|blue}", "Weights of alternatives are not supported: {2::red|blue}"),
        ("{red|0.5 ::blue}", "Weights of alternatives"),
        ("{2$$red|blue}", "Picking several alternatives is not supported"),
        ("{1-2$$red|blue}", "Picking several alternatives"),
        ("a {red|blue", "A group of alternatives is not closed: a {red|blue"),
        ("__nothing__", "Unknown wildcard __nothing__"),
        ("__loop__", "Wildcards refer to each other in a circle: __loop__ → __pool__ → __loop__."),
        ("__deep11__", "Wildcards are nested more than 10 deep"),
        ("__bomb__", "more than 1,000 picks"),
        ("__long__ __long__", "With __long__ the prompt has more than 20,000 characters"),
    ],
)
def test_what_cannot_be_picked_is_said(template: str, complaint: str, wildcards: Wildcards) -> None:
    with pytest.raises(UsageError) as caught:
        expand_request(request(template), wildcards)
    assert complaint in caught.value.message
    assert caught.value.hint


def test_a_template_is_as_long_as_a_prompt_may_be() -> None:
    template = "{a|a}" * (MAX_PROMPT_CHARACTERS // 5)
    with pytest.raises(UsageError, match="more than 1,000 picks"):
        expand_request(request(template))
    with pytest.raises(UsageError, match="20,001 characters"):
        request("x", prompt_template="x" * (MAX_PROMPT_CHARACTERS + 1))


def test_names_that_look_like_wildcards_are_noted() -> None:
    (note,) = literal_notes(["a __place__, __place__", r"\__sea__"])
    assert note.startswith("__place__ is taken literally.")
