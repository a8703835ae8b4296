from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.errors import OutputError
from sheepgen.fields import FIELDS
from sheepgen.metadata.record_json import (
    MAX_JSON_CHARACTERS,
    RECORD_FORMAT,
    from_dict,
    from_json,
    to_dict,
    to_json,
)
from sheepgen.prompt_reading import Correction, UnusedWord
from sheepgen.request import DEFAULTS, TEMPLATES
from tests.samples import RESOLVED, records, sample_record, unparsed_records

if TYPE_CHECKING:
    from sheepgen.metadata.record import ImageRecord


ENVIRONMENT_SINCE = {
    "offload": 7,
    "tiled_from": 7,
    "attention_backend": 7,
    "left_out": 9,
    "cache": 11,
    "compiled": 11,
}


@given(records)
def test_every_record_survives_json(record: ImageRecord) -> None:
    assert from_json(to_json(record)) == record


@given(records)
def test_json_is_one_line_of_ascii(record: ImageRecord) -> None:
    text = to_json(record)
    assert text.isascii()
    assert text.isprintable()


def test_whole_numbers_stand_for_floats() -> None:
    data = to_dict(sample_record())
    data["request"]["guidance_scale"] = 7
    assert from_dict(data).request.guidance_scale == 7.0


PARSED = replace(
    sample_record(),
    understood="a sheep",
    unused=(UnusedWord(word="purple"),),
    corrected=(Correction(typed="shep", read="sheep"),),
)
LISTS = ("unused", "corrected")


def test_what_was_understood_is_a_part_of_the_record() -> None:
    data = to_dict(PARSED)
    assert data["format"] == 3
    assert (data["understood"], data["unused"], data["corrected"]) == (
        "a sheep",
        [{"word": "purple", "suggestion": ""}],
        [{"typed": "shep", "read": "sheep"}],
    )


def test_a_record_of_a_model_that_does_not_parse_is_as_older_versions_read_it() -> None:
    data = to_dict(sample_record())
    assert data["format"] == 2
    assert not {"understood", *LISTS} & data.keys()
    with pytest.raises(OutputError, match="unknown"):
        from_dict({**to_dict(PARSED), "format": 2})


def test_a_record_of_an_image_from_a_picture_has_what_it_started_from() -> None:
    started: dict[str, Any] = {"image": "in/fox.png", "image_sha256": "56" * 32}
    started |= {"strength": 0.8, "fit": "crop"}
    data = to_dict(sample_record(**started))
    assert data["format"] == 4
    assert started.items() <= data["request"].items()
    assert "image" not in to_dict(sample_record())["request"]
    with pytest.raises(OutputError, match="format 3 does not know"):
        from_dict({**data, "format": 3})


def test_a_field_that_is_new_makes_the_record_new_only_if_it_is_set() -> None:
    for size, number in ((None, 2), ("64x32", 5)):
        data = to_dict(sample_record(original_size=size))
        assert data["format"] == number
        assert ("original_size" in data["request"]) == ("crop_offset" in data["request"])
        assert ("original_size" in data["request"]) == (number == 5)
        assert from_dict(data).request.original_size == size


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return a good record's data with one entry replaced, or taken out if it is ``...``."""
    data = to_dict(PARSED if path.partition(".")[0] in ("understood", *LISTS) else sample_record())
    *folders, name = path.split(".")
    target = data
    for folder in folders:
        target = target[folder]
    if value is ...:
        del target[name]
    else:
        target[name] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("format", 0, "has format 0"),
        ("format", RECORD_FORMAT + 1, f"has format {RECORD_FORMAT + 1}"),
        ("format", ..., "has format None"),
        ("extra", 1, "unknown"),
        ("truncated", ..., "lacks truncated"),
        ("truncated", "word", "list of words"),
        ("truncated", [1], "list of words"),
        ("noise_sha256", None, "noise_sha256"),
        ("understood", None, "understood is not text"),
        ("understood", ..., "lacks understood"),
        ("unused", ..., "lacks unused"),
        ("unused", {}, "unused is not a list"),
        ("unused", ["purple"], "unused has an entry that is not an object"),
        ("unused", [{"word": "purple"}], "unused lacks suggestion"),
        ("corrected", [{"typed": "a", "read": 1}], "corrected has a word that is not text"),
        ("corrected", [{"typed": "a", "read": "b", "c": "d"}], "unknown"),
        ("request", [], "request is not an object"),
        ("request.seed", ..., "lacks seed"),
        ("request.seed", True, "request.seed"),
        ("request.seed", 1.5, "request.seed"),
        ("request.seed", -1, "seed must be between 0 and 18446744073709551615, got -1"),
        ("request.seed", 10**400, "seed must be between 0 and 18446744073709551615, got 1"),
        ("request.guidance_scale", "7", "request.guidance_scale"),
        ("request.guidance_scale", float("nan"), "guidance must be between 0 and 100, got nan"),
        ("request.guidance_scale", 10**400, "too large"),
        ("request.width", None, "request.width is not of type int"),
        ("request.variation_seed", "7", "request.variation_seed"),
        ("request.variation_strength", 0.5, "without a variation seed"),
        ("request.variation_strength", None, "request.variation_strength"),
        ("request.prompt", " ", "prompt is empty"),
        ("request.prompt", "\ud800", "UTF-8"),
        ("request.scheduler", "nothing", "Unknown scheduler"),
        ("request.command", "rm", "unknown"),
        ("environment", None, "environment is not an object"),
        ("environment.threads", "2", "environment.threads"),
        ("environment.model_revision", 3, "environment.model_revision"),
    ],
)
def test_whatever_is_wrong_is_refused_and_named(path: str, value: Any, complaint: str) -> None:
    with pytest.raises(OutputError, match=complaint):
        from_dict(changed(path, value))


def as_format(number: int, record: ImageRecord) -> dict[str, Any]:
    """Return the record as it was written before some fields were there."""
    request = {
        name: value
        for name, value in asdict(record.request).items()
        if name not in newer_than(number)
    }
    environment = asdict(record.environment)
    environment = {
        name: value
        for name, value in environment.items()
        if ENVIRONMENT_SINCE.get(name, 1) <= number
    }
    return to_dict(record) | {"format": number, "request": request, "environment": environment}


def newer_than(number: int) -> dict[str, Any]:
    """Return the defaults of the fields of a request that came after a format."""
    since = {name: field.since for name, field in {**RESOLVED, **FIELDS}.items()}
    since |= dict.fromkeys(("lora_autov3", *TEMPLATES.values()), 6) | {"stages": 7}
    return {name: DEFAULTS.get(name) for name, first in since.items() if first > number}


def test_a_record_has_the_lowest_number_that_has_all_that_it_says() -> None:
    plain, added = sample_record(), sample_record(lora="a:0.5", lora_sha256="cd" * 32)
    assert to_dict(plain)["format"] == 2
    assert "lora" not in to_dict(plain)["request"]
    assert to_dict(added)["format"] == FIELDS["lora"].since
    assert to_dict(added)["request"]["lora"] == "a:0.5"
    assert from_dict(to_dict(added)) == added


@pytest.mark.parametrize(
    "changes",
    [
        {"offload": "model"},
        {"tiled_from": 2},
        {"attention_backend": "flash"},
        {"left_out": "text_encoder_3"},
        {"compiled": True},
        {"cache": "first-block:0.05"},
    ],
)
def test_an_environment_has_a_field_only_if_it_is_needed(changes: dict[str, Any]) -> None:
    plain = sample_record()
    assert not ENVIRONMENT_SINCE.keys() & to_dict(plain)["environment"].keys()
    record = replace(plain, environment=replace(plain.environment, **changes))
    data = to_dict(record)
    assert data["format"] == max(ENVIRONMENT_SINCE[name] for name in changes)
    assert data["environment"].items() >= changes.items()
    assert from_dict(data) == record
    older = {name: data["request"][name] for name in data["request"].keys() - newer_than(6)}
    with pytest.raises(OutputError, match="environment has fields that format 6 does not know"):
        from_dict({**data, "format": 6, "request": older})


def test_a_template_is_in_the_record_beside_what_was_picked() -> None:
    picked = sample_record(prompt="a red fox", prompt_template="a {red|blue} fox")
    assert to_dict(picked)["format"] == 6
    assert to_dict(picked)["request"]["prompt"] == "a red fox"
    assert to_dict(picked)["request"]["prompt_template"] == "a {red|blue} fox"
    assert from_dict(to_dict(picked)) == picked
    data = to_dict(picked)
    data["request"]["prompt_template"] = "a\0b"
    with pytest.raises(OutputError, match="NUL"):
        from_dict(data)


@given(unparsed_records, st.integers(1, RECORD_FORMAT))
def test_records_of_older_formats_are_read(record: ImageRecord, number: int) -> None:
    old = replace(record, request=replace(record.request, **newer_than(number)))
    assert from_dict(as_format(number, old)) == old


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"request": None}, "request is not an object"),
        ({"request": {"variation_seed": 3}}, "format 1 does not know"),
        ({"request": {}}, "lacks eta"),
        ({"extra": 1}, "unknown"),
    ],
)
def test_format_1_is_read_as_strictly(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OutputError, match=complaint):
        from_dict(as_format(1, sample_record()) | change)


@pytest.mark.parametrize("data", [None, 3, "text", []])
def test_a_record_is_an_object(data: object) -> None:
    with pytest.raises(OutputError, match="not an object"):
        from_dict(data)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "9" * 5_000, '{"a": "\ud800'])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(OutputError):
        from_json(text)


def test_size_is_bounded_before_parsing() -> None:
    with pytest.raises(OutputError, match="characters"):
        from_json(" " * MAX_JSON_CHARACTERS + json.dumps(to_dict(sample_record())))
