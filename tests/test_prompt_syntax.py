"""Prompts with marks are read as AUTOMATIC1111's web UI reads them."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.errors import UsageError
from sheepgen.prompt_syntax import check_prompt, marks_in, parse_prompt, split_loras, uses_marks
from sheepgen.request import GenerationRequest

EXAMPLES = {
    # Those of modules/prompt_parser.py there.
    "normal text": [("normal text", 1.0)],
    "an (important) word": [("an ", 1.0), ("important", 1.1), (" word", 1.0)],
    "(unbalanced": [("unbalanced", 1.1)],
    r"\(literal\]": [("(literal]", 1.0)],
    "(unnecessary)(parens)": [("unnecessaryparens", 1.1)],
    "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).": [
        ("a ", 1.0),
        ("house", 1.573),
        (" ", 1.1),
        ("on", 1.0),
        (" a ", 1.1),
        ("hill", 0.55),
        (", sun, ", 1.1),
        ("sky", 1.4641),
        (".", 1.1),
    ],
    # Those of its wiki.
    "a ((word))": [("a ", 1.0), ("word", 1.21)],
    "a [word]": [("a ", 1.0), ("word", 1 / 1.1)],
    "a (word:1.5)": [("a ", 1.0), ("word", 1.5)],
    "a (word:0.25)": [("a ", 1.0), ("word", 0.25)],
    r"a \(word\)": [("a (word)", 1.0)],
    # What else its expression says.
    "": [],
    "(word: 1.3 )": [("word", 1.3)],
    "(word:-1)": [("word", -1.0)],
    "(word:1e3)": [("word:1e3", 1.1)],
    "(a: b:1.3)": [("a: b", 1.3)],
    "word:1.3)": [("word:1.3)", 1.0)],
    "a) b]": [("a) b]", 1.0)],
    "[word:1.3)": [("word:1.3)", 1 / 1.1)],
    "([a)b]": [("a", 1.0), ("b", 1 / 1.1)],
    "[[unbalanced": [("unbalanced", 1 / 1.1 / 1.1)],
    r"a \\ b\c\[": [("a \\ bc[", 1.0)],
    "(:1.3)": [],
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples(text: str) -> None:
    (section,) = parse_prompt(text)
    assert [part.text for part in section] == [word for word, _ in EXAMPLES[text]]
    weights = [weight for _, weight in EXAMPLES[text]]
    assert [part.weight for part in section] == pytest.approx(weights, rel=1e-12)


def test_breaks() -> None:
    sections = parse_prompt("a BREAK b (c BREAK d:1.2)\nBREAK\n BREAKS, e BREAK")
    texts = [[(part.text, part.weight) for part in section] for section in sections]
    assert texts == [
        [("a", 1.0)],
        [("b ", 1.0), ("c", 1.2)],
        [("d", 1.2)],
        [("BREAKS, e", 1.0)],
        [],
    ]
    assert parse_prompt("BREAK BREAK a")[:2] == ((), ())


@given(st.text("ab()[]\\:1.|,< >BREAK", max_size=40))
def test_every_character_is_where_it_was_typed(text: str) -> None:
    try:
        parts = [*chain.from_iterable(parse_prompt(text))]
    except UsageError:  # a weight
        return
    offsets = [*chain.from_iterable(part.offsets for part in parts)]
    assert [text[at] for at in offsets] == [*"".join(part.text for part in parts)]
    assert offsets == sorted(set(offsets))
    if not uses_marks(text):
        assert "".join(part.text for part in parts) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(a:1.2.3)", '"1.2.3" is not a weight'),
        ("(a:101)", "between -100 and 100, got 101"),
        ("((((((((a:90))))))))", "between -100 and 100, got 175.385"),
        ("(a:" + "9" * 400 + ")", "got inf"),
        ("(" * 51, "More than 50 brackets"),
        ("a AND b", "The prompt has AND between prompts, which is not supported: AND"),
        ("a AND b :1.2", "has AND"),
        ("[a:b:0.5]", r"has prompt editing, which is not supported: \[a:b:0.5\]"),
        ("[a:10]", "has prompt editing"),
        ("[a::10]", "has prompt editing"),
        ("x ([(a:1.2):b: 0.3 ]:1.1)", "has prompt editing"),
        ("[a|b]", "has prompt editing"),
        ("[a|(b)|]", "has prompt editing"),
        ("a <hypernet:b:0.5>", "has a hypernetwork"),
        ("a <lora:ink:0.8>", "The prompt names a LoRA, ink, without a file"),
        ("<lyco:ink><lora:b:1> a", "The prompt names LoRAs, ink, b, without a file"),
        ("<lora:ink:0.8:0.5>", "does not name a LoRA"),
        ("<lora::1>", "does not name a LoRA"),
        ("<lora:a:nan>", "does not name a LoRA"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_prompt("prompt", text)
    for name in ("prompt", "negative_prompt"):
        fields: dict[str, Any] = {"prompt": "x", "seed": 1, name: text}
        GenerationRequest(**fields)
        with pytest.raises(UsageError):
            GenerationRequest(**fields, prompt_syntax="a1111")


@pytest.mark.parametrize(
    "text",
    [
        "a and b",
        "BRAND",
        "a|b",
        "[a:b]",
        r"\[a|b\]",
        r"\[a:0.5\]",
        "[a (b:0.5)]",
        "(a|b)",
        "a:0.5]",
    ],
)
def test_what_is_not_a_schedule(text: str) -> None:
    check_prompt("prompt", text)


def test_a_lora_says_what_to_do() -> None:
    with pytest.raises(UsageError) as caught:
        check_prompt("negative prompt", "a <lora:ink:0.8>")
    assert caught.value.hint == (
        "Remove it from the negative prompt, and give the file with --lora PATH:0.8."
    )


def test_loras_are_taken_out() -> None:
    assert split_loras("a <lora:ink:0.8>, b <lyco: x.y > <hypernet:h:1>") == (
        "a , b  <hypernet:h:1>",
        (("ink", 0.8), ("x.y", 1.0)),
    )
    assert split_loras("a fox <lora:ink:-1>") == ("a fox", (("ink", -1.0),))
    for untouched in (" a fox ", "1 < 2 > 1", "<lora>", "<model:x:1>", "<lora:a"):
        assert split_loras(untouched) == (untouched, ())


def test_which_prompts_have_marks() -> None:
    plain = ["", "a fox", "a fox, 3:4", "a) fox", "BREAKfast", "a | b", "<3"]
    marked = ["(a) fox", "[a] fox", r"a \(fox\)", "a BREAK b", "(a", "a AND b", "<lora:a:1>", "\\"]
    marked += ["(a:1.2.3)", "(" * 60]
    assert [text for text in (*plain, *marked) if uses_marks(text)] == marked


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("a (red fox:1.3)", "(word:1.3)"),
        ("a (red: b: 1.3 )", "(word:1.3)"),
        ("a ((red)) fox", "((word))"),
        ("a (red (fox))", "((word))"),
        ("a [[red]] fox", "[[word]]"),
        ("a fox <lora:ink:1>", "<lora:name>"),
        ("a fox BREAK a cat", "BREAK"),
        ("a fox (animal)", ""),
        ("a fox [1], 16:9, :3) (: <3", ""),
        (r"a \(fox\)", ""),
    ],
)
def test_what_looks_like_a_mark(text: str, form: str) -> None:
    assert marks_in(text) == form


@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "[",
        "(a",
        "[a|",
        "(a)",
        "((a",
        ":",
        ": ",
        "(a:1",
        "\\",
        "<lora:",
        "[(a",
        "BREAK ",
        " BREA",
    ],
)
def test_hostile_text_takes_no_longer_than_honest_text(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    read = split_loras, uses_marks, marks_in, parse_prompt, partial(check_prompt, "prompt")
    results: list[object] = []
    for each in read:
        with suppress(UsageError):
            results.append(each(text))
    assert len(results) >= len(read) - 2
