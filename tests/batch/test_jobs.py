from __future__ import annotations

import io
import json
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.batch.jobs import (
    KEYS,
    MAX_LINE_CHARACTERS,
    Job,
    job_id,
    job_schema,
    parse_job,
    read_lines,
)
from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS, MAX_PROMPT_CHARACTERS
from sheepgen.hires import canonical_hires
from sheepgen.request import GenerationRequest
from tests.samples import blends, requests

if TYPE_CHECKING:
    from collections.abc import Mapping


def job(defaults: Mapping[str, Any] | None = None, **values: Any) -> Job:
    return parse_job(json.dumps({"prompt": "sheep"} | values), defaults or {})


def complaint(line: str) -> tuple[str, str]:
    with pytest.raises(UsageError) as caught:
        parse_job(line, {})
    return caught.value.message, caught.value.hint


@given(requests)
def test_every_request_can_be_written_as_a_job(request: GenerationRequest) -> None:
    request = GenerationRequest(**{name: getattr(request, name) for name in FIELDS})
    line = {name: value for name, value in asdict(request).items() if name in FIELDS}
    job = parse_job(json.dumps(line), {"seed": 1, "width": 8})
    assert job == Job(request=request, output=None, id=None)


def test_what_a_line_leaves_out_comes_from_the_defaults() -> None:
    defaults = {"num_inference_steps": 5, "model": "./m", "width": 64, "seed": 3}
    request = job(defaults, seed=4, height=32, model=None).request
    assert (request.num_inference_steps, request.model, request.seed) == (5, "./m", 4)
    assert (request.width, request.height) == (64, 32)


def test_seeds_are_drawn_where_they_are_missing() -> None:
    assert len({job(seed=None).request.seed for _ in range(9)}) == 9
    assert job({"seed": None}).request.variation_seed is None
    assert job(variation_strength=0.5).request.variation_seed is not None
    assert job(variation_strength=0.5, variation_seed=0).request.variation_seed == 0


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("steps", 5, "num_inference_steps"),
        ("num-inference-steps", 5, "num_inference_steps"),
        ("inference_steps", 5, "num_inference_steps"),
        ("guidance", 2.5, "guidance_scale"),
        ("cfg_scale", 2.5, "guidance_scale"),
        ("negative", "blue", "negative_prompt"),
        ("negative-prompt", "blue", "negative_prompt"),
        ("sampler", "ddim", "scheduler"),
        ("subseed", 8, "variation_seed"),
    ],
)
def test_keys_may_be_spelled_like_options(key: str, value: object, field: str) -> None:
    line = json.dumps({"prompt": "sheep", key: value})
    assert getattr(parse_job(line, {}).request, field) == value


def test_an_output_may_be_spelled_like_an_option() -> None:
    assert job(outdir="flock/sheep.png").output == "flock/sheep.png"


@pytest.mark.parametrize(
    ("line", "prompt"),
    [
        ("a red sheep", "a red sheep"),
        ("\ufeff  a red sheep, {big|small}\t\r\n", "a red sheep, {big|small}"),
        ('"x"', '"x"'),
        ("[1]", "[1]"),
        ("7", "7"),
    ],
)
def test_a_line_without_a_brace_in_front_is_a_prompt(line: str, prompt: str) -> None:
    request = parse_job(line, {"seed": 3, "num_inference_steps": 5}).request
    assert request == GenerationRequest(prompt=prompt, seed=3, num_inference_steps=5)
    assert job_id(line) is None


def test_blank_lines_and_comments_are_no_jobs_but_are_counted() -> None:
    file = io.BytesIO(b"# farm\n\na sheep\n  # more\n{}\n")
    assert list(read_lines(file)) == [(3, "a sheep\n"), (5, "{}\n")]


def test_a_size_is_both_sides() -> None:
    request = job({"width": 8, "height": 8}, size="64X32").request
    assert (request.width, request.height) == (64, 32)


def test_whole_floats_are_integers_and_integers_are_numbers() -> None:
    request = job(seed=7.0, guidance_scale=3).request
    assert (repr(request.seed), repr(request.guidance_scale)) == ("7", "3.0")


def test_output_and_id_are_not_part_of_the_request() -> None:
    made = job(output="sub/{seed}.png", id="a1", seed=1)
    assert (made.output, made.id) == ("sub/{seed}.png", "a1")
    assert made.request == job(seed=1).request


@pytest.mark.parametrize("value", ["", "a", 0, -1.5, 10**400])
def test_an_id_is_any_text_or_number(value: object) -> None:
    assert job(id=value).id == value


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ('{"prompt": "x"', "The line is not JSON at character 15.", "or a prompt alone"),
        ('{"prompt": ' + "[" * 100_000, "The line is not JSON.", ""),
        (f'{{"seed": {"9" * 5000}}}', "The line is not JSON.", ""),
        (" " * (MAX_LINE_CHARACTERS + 1), "more than 500,000 characters", "Shorten"),
        ('{"prompt": " "}', "The prompt is empty.", ""),
        ('{"promt": "x"}', 'Unknown key "promt".', "Did you mean prompt?"),
        ('{"step": 1}', 'Unknown key "step".', "Did you mean steps?"),
        ('{"device": "cpu"}', 'Unknown key "device".', "Known: prompt, blend, negative"),
        ('{"": 1}', 'Unknown key "".', ""),
        ('{"a\\u001b[31m": 1}', 'Unknown key "a[31m".', ""),
        ('{"seed": 1, "seed": 1}', "seed is given twice.", ""),
        ('{"seed": null, "seed": 1}', "seed is given twice.", ""),
        ('{"steps": 1, "cfg": 2, "num_inference_steps": 1}', "num_inference_steps is given", ""),
        ('{"size": "8x8", "width": 8}', "size sets both sides already.", "Leave out width"),
        ('{"size": "8x"}', '"8x" is not a size.', "512x768"),
        ('{"seed": "1"}', "seed must be a whole number, got text.", ""),
        ('{"seed": true}', "seed must be a whole number, got true or false.", ""),
        ('{"seed": 1.5}', "seed must be a whole number, got 1.5.", ""),
        ('{"eta": "1"}', "eta must be a number, got text.", ""),
        ('{"eta": []}', "eta must be a number, got a list.", ""),
        ('{"eta": {}}', "eta must be a number, got an object.", ""),
        ('{"prompt": 1}', "prompt must be text, got 1.", ""),
        ('{"id": false}', "id must be text or a number, got true or false.", ""),
        ('{"id": NaN}', "id must be text or a number, got nan.", ""),
        ('{"prompt": "x", "eta": NaN}', "eta must be between 0 and 1, got nan.", ""),
        (f'{{"prompt": "x", "eta": 1{"0" * 400}}}', "eta must be between 0 and 1, got inf.", ""),
        ('{"prompt": "x", "sampler": "dimm"}', 'Unknown scheduler "dimm".', "ddim"),
        ('{"prompt": "\\ud800"}', "The prompt is not valid UTF-8.", ""),
    ],
)
def test_a_bad_line_is_told_by_its_key(line: str, message: str, hint: str) -> None:
    said, advice = complaint(line)
    assert message in said
    assert hint in advice


@pytest.mark.parametrize(
    "output",
    [
        "/etc/x.png",
        "\\x.png",
        "C:x.png",
        "x.png:stream",
        "../x.png",
        "a/../../x.png",
        "a\\..\\x.png",
        ".hidden.png",
        "a/.sheepgen-0/x.png",
        ".claim-{key}.png",
    ],
)
def test_an_output_stays_inside_the_folder(output: str) -> None:
    said, _ = complaint(json.dumps({"prompt": "x", "output": output}))
    assert said.startswith("output is outside the batch's folder")


@pytest.mark.parametrize("output", ["", " ", "a\0.png", "\x1b[31m.png", "\u202egnp.png", "\ud800"])
def test_an_output_is_a_plain_name(output: str) -> None:
    assert complaint(json.dumps({"prompt": "x", "output": output}))[0].startswith("output is no")


def wrong_values(schema: Mapping[str, Any]) -> list[Any]:
    return [
        True,
        [],
        {},
        *([] if "string" in schema["type"] else ["text", "1"]),
        *(["x" * (schema["maxLength"] + 1)] if "maxLength" in schema else []),
        *([] if schema["type"] != "string" else [1, 1.5]),
        *([schema["minimum"] - 1, float("nan")] if "minimum" in schema else []),
        *([schema["maximum"] + 1, float("inf")] if "maximum" in schema else []),
    ]


@pytest.mark.parametrize("key", KEYS)
def test_what_the_table_forbids_is_refused(key: str) -> None:
    for value in wrong_values(KEYS[key]):
        line = json.dumps({"prompt": "x", key: value})
        with pytest.raises(UsageError):
            parse_job(line, {"variation_seed": 1})


def allowed(key: str, schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
    if key == "output":
        return st.sampled_from(["a.png", "a/{seed}.jpg", "a b/", "ü/{prompt}.webp"])
    if key == "size":
        return st.sampled_from(["1x1", "8192X8192"])
    if key == "blend":
        return st.just("") | blends
    if key == "hires":  # its numbers have ranges that no pattern says
        return st.sampled_from(["", "none", "2", "1.5:0.25", "4:1"])
    if key == "guidance_interval":
        return st.sampled_from(["0-1", "0.1-0.8", "0.25-1"])
    if key == "branch":
        return st.sampled_from(["", FIELDS["branch"].example])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "examples" in schema:
        return st.sampled_from(schema["examples"])
    match schema["type"]:
        case "string" if schema.get("pattern", "").startswith("^"):
            return st.from_regex(schema["pattern"][1:-1], fullmatch=True)
        case "string":
            words = st.text(st.characters(categories=["L", "N", "So"]), min_size=1, max_size=50)
            # Of one key only: more would not fit into what hypothesis prints.
            return words | st.just("x" * schema["maxLength"]) if key == "prompt" else words
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "number":
            return st.floats(schema["minimum"], schema["maximum"])
        case _:
            return st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)


def lines_of(schema: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    keys = {key: allowed(key, KEYS[key]) for key in schema["properties"]}
    optional = {key: values | st.none() for key, values in keys.items()}
    whole = st.fixed_dictionaries({}, optional=optional)
    needing = schema["dependentRequired"]
    return whole.filter(
        lambda line: (
            ("size" not in line or not {"width", "height"} & line.keys())
            and not (line.get("prompt") and line.get("blend"))
            and (line.get("image") is not None or not needing.keys() & line.keys())
            # What keeps an image's size, and what makes it larger.
            and sum(
                line.get(key) not in (None, "", "none") for key in ("mask", "hires", "upscaler")
            )
            <= 1
        )
    )


@given(lines_of(job_schema()))
def test_what_the_schema_allows_is_taken(values: dict[str, Any]) -> None:
    made = parse_job(json.dumps(values), {})
    for key, value in values.items():
        if key in ("id", "output"):
            assert getattr(made, key) == value
        elif key == "hires":
            assert getattr(made.request, key) == canonical_hires(value or "")
        elif key != "size" and value not in (None, -1):  # which stands for a random seed
            assert getattr(made.request, key) == value


def test_the_schema_names_every_field_with_its_type_range_and_default() -> None:
    schema = job_schema()
    properties = schema["properties"]
    assert set(properties) == {*FIELDS, "size", "output", "id"}
    assert all(each["description"] for each in properties.values())
    assert properties["seed"]["type"] == ["integer", "null"]
    assert properties["seed"]["maximum"] == 2**64 - 1
    assert properties["prompt"]["type"] == ["string", "null"]
    assert properties["prompt"]["maxLength"] == MAX_PROMPT_CHARACTERS
    assert properties["id"]["type"] == ["string", "number", "null"]
    assert properties["model"]["default"] == "sheepgen"
    assert "default" not in properties["width"]
    assert "required" not in schema
    assert "default" not in properties["prompt"]
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
jobs = st.dictionaries(st.sampled_from([*KEYS, "steps"]) | st.text(), anything)


@given(jobs.map(json.dumps) | st.text())
def test_no_line_does_worse_than_a_usage_error(line: str) -> None:
    assert job_id(line) is None or '"id"' in line
    with suppress(UsageError):
        parse_job(line, {})


def test_an_id_is_found_in_a_bad_line() -> None:
    assert job_id('{"colour": 1, "seed": NaN, "id": 7, "id": 8}') == 7
    assert job_id('{"id": true}') is None
    assert job_id('{"id": 7') is None


def test_lines_are_numbered_and_blank_ones_left_out() -> None:
    file = io.BytesIO(b'\xef\xbb\xbf{"prompt": "x"}\r\n\n  \t\n\xef\xbb\xbf\n{"prompt": "y"}')
    lines = list(read_lines(file))
    assert [number for number, _ in lines] == [1, 5]
    assert [parse_job(text, {}).request.prompt for _, text in lines] == ["x", "y"]


def test_bytes_that_are_no_text_are_refused_by_their_key() -> None:
    ((_, text),) = read_lines(io.BytesIO(b'{"id": 3, "prompt": "\xff"}\n'))
    assert complaint(text)[0] == "The prompt is not valid UTF-8."
    assert job_id(text) == 3


def test_a_line_without_end_takes_no_memory_without_end() -> None:
    most = 4 * MAX_LINE_CHARACTERS + 1
    ends = [most - 1, most, most + 1, 3 * most]
    file = io.BytesIO(b"\n".join(b"x" * end for end in ends) + b'\n{"prompt": "x"}')
    lines = list(read_lines(file))
    assert [number for number, _ in lines] == [1, 2, 3, 4, 5]
    assert all(len(text) <= most for _, text in lines)
    assert "more than 500,000" in complaint(lines[3][1])[0]
    assert parse_job(lines[4][1], {}).request.prompt == "x"


@pytest.mark.parametrize(
    ("schedule", "scheduler"),
    [("Karras", "dpmpp_2m_karras"), ("Automatic", "dpmpp_2m"), (None, "dpmpp_2m")],
)
def test_the_web_uis_names_are_understood(schedule: str | None, scheduler: str) -> None:
    line = {
        "prompt": "a sheep",
        "seed": -1,
        "subseed": -1,
        "subseed_strength": 0.1,
        "sampler_name": "DPM++ 2M",
        "scheduler": schedule,
        "cfg_scale": 3.5,
        "steps": 7,
    }
    given = {name: value for name, value in line.items() if value is not None}
    request = parse_job(json.dumps(given), {}).request
    assert request.scheduler == scheduler
    assert (request.guidance_scale, request.num_inference_steps) == (3.5, 7)
    assert request.seed >= 0
    assert request.variation_seed is not None


def test_a_seed_of_minus_one_is_random() -> None:
    first, second = (
        parse_job('{"prompt": "a sheep", "seed": -1, "variation_seed": -1}', {}).request
        for _ in range(2)
    )
    assert first.seed != second.seed
    assert first.variation_seed != second.variation_seed
