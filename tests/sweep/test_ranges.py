from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.errors import UsageError
from sheepgen.sweep.ranges import (
    MAX_VALUES,
    parse_integers,
    parse_numbers,
    parse_sizes,
    parse_words,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("7", (7,)),
        (" 3, 1 ,2 ", (3, 1, 2)),
        ("1,2,1,3,2", (1, 2, 3)),
        ("1-5", (1, 2, 3, 4, 5)),
        ("5-1", (5, 4, 3, 2, 1)),
        ("4-4", (4,)),
        ("-2-2", (-2, -1, 0, 1, 2)),
        ("-1--3", (-1, -2, -3)),
        ("1-10:2", (1, 3, 5, 7, 9)),
        ("1 - 10 : 3", (1, 4, 7, 10)),
        ("10-1:3", (10, 7, 4, 1)),
        ("10-1:-3", (10, 7, 4, 1)),
        ("1-10 (+2)", (1, 3, 5, 7, 9)),
        ("1-10(2)", (1, 3, 5, 7, 9)),
        ("10-1 (-3)", (10, 7, 4, 1)),
        ("1-10:100", (1,)),
        ("1-5 [3]", (1, 3, 5)),
        ("1-10 [5]", (1, 3, 5, 7, 10)),
        ("10-1 [5]", (10, 7, 5, 3, 1)),
        ("1-3 [5]", (1, 2, 3)),
        ("1-9 [1]", (1,)),
        ("1-3,42, 2-6:2", (1, 2, 3, 42, 4, 6)),
        ("18446744073709551614-18446744073709551615", (2**64 - 2, 2**64 - 1)),
        (f"1-{MAX_VALUES}", tuple(range(1, MAX_VALUES + 1))),
    ],
)
def test_whole_numbers(text: str, values: tuple[int, ...]) -> None:
    assert parse_integers("--seeds", text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3,5,7.5", (3.0, 5.0, 7.5)),
        ("0.0-1.0:0.25", (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("0-1:0.1", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)),
        ("1-0 (-.5)", (1.0, 0.5, 0.0)),
        ("1.0-2.0 (+0.3)", (1.0, 1.3, 1.6, 1.9)),
        ("0-1 [4]", (0.0, 1 / 3, 2 / 3, 1.0)),
        ("7.-8. [3]", (7.0, 7.5, 8.0)),
        ("3-6", (3.0, 4.0, 5.0, 6.0)),
        ("1e-3, 1E+1", (0.001, 10.0)),
        ("1e-1-3e-1:1e-1", (0.1, 0.2, 0.3)),
        ("0.5,0.50,.5", (0.5,)),
    ],
)
def test_numbers(text: str, values: tuple[float, ...]) -> None:
    parsed = parse_numbers("--guidance", text)
    assert parsed == values
    assert all(type(value) is float for value in parsed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ddim", ("ddim",)),
        ("ddim, DPM++ 2M Karras ,ddim", ("ddim", "DPM++ 2M Karras")),
        ('"one, two", three', ("one, two", "three")),
        ('a 5" nail,b', ('a 5" nail', "b")),
    ],
)
def test_words(text: str, words: tuple[str, ...]) -> None:
    assert parse_words("--scheduler", text) == words


def test_sizes() -> None:
    assert parse_sizes("--size", "512x512, 512X768,512x512") == ((512, 512), (512, 768))


@pytest.mark.parametrize(
    ("parse", "text", "complaint"),
    [
        (parse_integers, "", "an empty value is not a whole number or a range"),
        (parse_integers, "1,,2", "an empty value is not a whole number"),
        (parse_integers, "1,two", "two is not a whole number"),
        (parse_integers, "1.5", "1.5 is not a whole number"),
        (parse_integers, "1-", "1- is not a whole number"),
        (parse_integers, "1-5:", "1-5: is not a whole number"),
        (parse_integers, "1-5 [x]", "1-5 [x] is not a whole number"),
        (parse_integers, "1-5 (+2", "1-5 (+2 is not a whole number"),
        (parse_integers, "3:2", "3:2 is not a whole number"),
        (parse_integers, "٣", "٣ is not a whole number"),
        (parse_integers, "\x1b[31m1", "[31m1 is not a whole number"),
        (parse_integers, "9" * 5000, "99… is not a whole number"),
        (parse_integers, "1-5:0", "1-5:0 never reaches its end"),
        (parse_integers, "1-5 (-1)", "1-5 (-1) never reaches its end"),
        (parse_integers, "5-1:+1", "5-1:+1 never reaches its end"),
        (parse_integers, "1-5 [0]", "1-5 [0] asks for zero values"),
        (parse_integers, "1-10001", "1-10001 has 10,001 values, at most 10,000 are allowed"),
        (parse_integers, "1-9 [10001]", "1-9 [10001] has 10,001 values"),
        (parse_integers, "1-10000,10001", "1-10000,10001 has 10,001 values"),
        (parse_numbers, "nan", "nan is not a number or a range"),
        (parse_numbers, "1e999", "1e999 is not a number"),
        (parse_numbers, "0-1:0.00001", "0-1:0.00001 has 100,001 values"),
        (parse_words, "", "an empty value is not a word"),
        (parse_words, "a,,b", "an empty value is not a word"),
        (parse_words, '"a,b', '"a,b has unmatched quotes'),
        (parse_words, '"a"b', '"a"b has unmatched quotes'),
        (parse_words, ",".join(map(str, range(10_001))), "has 10,001 values"),
        (parse_sizes, "512", "512 is not a size"),
        (parse_sizes, "512x512,", "an empty value is not a size"),
        (parse_sizes, ",".join(f"8x{side}" for side in range(10_001)), "has 10,001 values"),
    ],
)
def test_errors_name_the_option_the_item_and_an_example(
    parse: Callable[[str, str], tuple[Any, ...]], text: str, complaint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse("--option", text)
    assert caught.value.message.startswith("--option: ")
    assert complaint in caught.value.message
    example = caught.value.hint.removeprefix("For example: --option ").removesuffix(".")
    for each in example.split(" or "):
        assert parse("--option", each)


@pytest.mark.parametrize("text", ["0.0-1.0", "1-2.5", ".1-5"])
def test_a_range_with_a_point_needs_a_step(text: str) -> None:
    with pytest.raises(UsageError, match=f"--eta: {text} needs a step or a count") as caught:
        parse_numbers("--eta", f"7,{text}")
    assert caught.value.hint == f"Write {text}:0.25, a step, or {text} [5], a count."
    assert len(parse_numbers("--eta", f"{text} [5]")) == 5


numbers = st.integers(-1000, 1000)


@given(start=numbers, stop=numbers, step=st.integers(1, 50))
def test_a_range_has_its_members(start: int, stop: int, step: int) -> None:
    sign = 1 if start <= stop else -1
    members = tuple(range(start, stop + sign, sign * step))
    assert parse_integers("x", f"{start}-{stop}:{step}") == members
    assert parse_numbers("x", f"{start}-{stop}:{step}") == members
    if start != stop:
        assert parse_integers("x", f"{start}-{stop} ({sign * step:+})") == members


@given(start=numbers, step=st.integers(1, 50), count=st.integers(1, 40), places=st.integers(0, 6))
def test_steps_are_exact_decimals(start: int, step: int, count: int, places: int) -> None:
    members = [Decimal(start + step * index).scaleb(-places) for index in range(count)]
    size = Decimal(step).scaleb(-places)
    expected = tuple(float(str(member)) for member in members)
    assert parse_numbers("x", f"{members[0]:f}-{members[-1]:f}:{size:f}") == expected
    assert parse_numbers("x", f"{members[0]:f}-{members[-1]:f} [{count}]") == expected


@given(start=numbers, stop=numbers, count=st.integers(2, 100))
def test_values_are_spread_from_end_to_end(start: int, stop: int, count: int) -> None:
    values = parse_integers("x", f"{start}-{stop} [{count}]")
    assert (values[0], values[-1]) == (start, stop)
    assert list(values) == sorted(set(values), reverse=start > stop)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, unique=True))
def test_listed_whole_numbers_come_back(values: list[int]) -> None:
    assert parse_integers("x", ",".join(map(str, values))) == tuple(values)


@given(st.lists(st.floats(1e-99, 1e20) | st.just(0.0), min_size=1, unique=True))
def test_listed_numbers_come_back(values: list[float]) -> None:
    assert parse_numbers("x", ", ".join(map(repr, values))) == tuple(values)


@given(st.text(max_size=30) | st.text("0123456789-+.,: ()[]xe", max_size=12))
def test_anything_else_is_a_usage_error(text: str) -> None:
    for parse in (parse_integers, parse_numbers, parse_sizes, parse_words):
        values: tuple[Any, ...] = ()
        with suppress(UsageError):
            values = parse("x", text)
            assert values
        assert len(set(values)) == len(values) <= MAX_VALUES
