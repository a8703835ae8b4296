"""The table says everything about a field, and all that speaks of fields is made from it."""

from __future__ import annotations

import json
import shlex
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.batch.jobs import KEYS, parse_job
from sheepgen.errors import UsageError
from sheepgen.execution.image_key import image_key
from sheepgen.fields import FIELDS, PER_IMAGE_FIELDS, find_field
from sheepgen.metadata.a1111 import to_parameters
from sheepgen.metadata.a1111_reader import read_parameters
from sheepgen.metadata.record_json import RECORD_FORMAT, from_json, to_json
from sheepgen.output.template import PLACEHOLDERS, parse_output
from sheepgen.request import DEFAULTS, TEMPLATES, GenerationRequest
from sheepgen.resolved_request import ResolvedRequest
from sheepgen.schedulers import SCHEDULERS
from sheepgen.shell_command import to_command
from sheepgen.sweep.grid import AXES, combine
from sheepgen.sweep.names import readable_names
from tests.cli.conftest import run, typed
from tests.samples import sample_record, sample_request, values_of

if TYPE_CHECKING:
    from tests.cli.conftest import Run, Typed

__all__ = ["run", "typed"]

NAMES = list(FIELDS)
NUMBERS = [name for name, field in FIELDS.items() if field.kind is not str]


named_values = st.sampled_from(NAMES).flatmap(
    lambda name: st.tuples(st.just(name), values_of(FIELDS[name]))
)


def resolved(name: str, value: object) -> ResolvedRequest:
    """Return a request in which one field has a value, and has an effect."""
    needed: dict[str, Any] = {}
    if FIELDS[name].needs:
        needed["scheduler"] = next(each for each in SCHEDULERS if FIELDS[name].has_effect(each))
    if name in ("variation_seed", "variation_strength"):
        needed |= {"variation_seed": 7, "variation_strength": 0.5}
    if FIELDS[name].needs_image:
        needed["image"] = "a picture.png"
    return sample_request(**needed | {name: value})


def an_example(name: str) -> Any:
    """Return a value that is not the default."""
    field = FIELDS[name]
    if field.choices:
        return field.choices[-1]
    if field.kind is str:
        return field.example or {"scheduler": "heun", "model": "org/name"}.get(name, "a goat")
    return {int: field.high, float: 0.25}[field.kind]


def test_every_field_of_a_request_has_its_row() -> None:
    hints, resolved_hints = get_type_hints(GenerationRequest), get_type_hints(ResolvedRequest)
    asked = {each.name for each in fields(GenerationRequest)} - set(TEMPLATES.values())
    assert set(FIELDS) == asked == set(hints) - set(TEMPLATES.values())
    for name, field in FIELDS.items():
        assert field.name == name
        assert hints[name] in (field.kind, field.kind | None)
        decided = hints[name] != resolved_hints[name] == field.kind
        assert field.from_model == decided, f"the model decides {name}"
        assert not field.from_model or DEFAULTS[name] is None
        assert (field.low < field.high) == (field.kind is not str)
        assert field.since <= RECORD_FORMAT


def test_no_two_fields_share_a_spelling() -> None:
    spellings = [
        spelling
        for field in FIELDS.values()
        for spelling in {
            each.replace("-", "_")
            for each in (field.name, field.key, field.option[2:], *field.options, *field.aliases)
        }
    ]
    assert len(set(spellings)) == len(spellings)
    for name, field in FIELDS.items():
        assert all(
            find_field(each) is field
            for each in (name, field.key, field.option.removeprefix("--"), *field.aliases)
        )


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_outside_of_its_range_is_refused_by_its_label(name: str) -> None:
    field = FIELDS[name]
    for wrong in (field.low - 1, field.high + 1):
        values: dict[str, Any] = {"prompt": "x", "seed": 1, name: wrong}
        with pytest.raises(UsageError, match=f"^{field.label} must be between {field.low} and "):
            GenerationRequest(**values)


@given(named_values)
def test_records_keep_every_value(named: tuple[str, Any]) -> None:
    record = replace(sample_record(), request=resolved(*named))
    assert from_json(to_json(record)) == record


@given(named_values)
def test_jobs_take_every_value_by_its_label(named: tuple[str, Any]) -> None:
    name, value = named
    request = resolved(name, value)
    asked = {each: getattr(request, each) for each in FIELDS}
    line = {FIELDS[each].key: value for each, value in asked.items()}
    assert parse_job(json.dumps(line), {}).request == GenerationRequest(**asked)
    assert set(FIELDS) < set(KEYS)


@given(
    named_values.filter(
        # A picture to start from is not in the parameters, and a strength is nothing without it.
        lambda named: FIELDS[named[0]].a1111 != () and not FIELDS[named[0]].needs_image
    )
)
def test_the_web_uis_parameters_bring_every_value_back(named: tuple[str, Any]) -> None:
    name, value = named
    record = replace(sample_record(), request=resolved(name, value))
    read = read_parameters(to_parameters(record))
    has_effect = name != "variation_seed" or record.request.variation_strength
    assert not has_effect or getattr(read.request(), name) == value


@given(named_values.filter(lambda named: not FIELDS[named[0]].is_weights))
def test_images_differ_by_every_value(named: tuple[str, Any]) -> None:
    name, value = named
    keys = {
        image_key(request, model_sha256="00", dtype="fp32")
        for request in (resolved(name, value), resolved(name, an_example(name)))
    }
    is_named_by_hash = name in ("model", "variant") or FIELDS[name].is_file
    assert (len(keys) == 2) == (not is_named_by_hash and value != an_example(name))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "prompt"])
def test_the_option_says_what_the_command_line_means(typed: Typed, name: str) -> None:
    field, value = FIELDS[name], an_example(name)
    needed = ["--variation-seed", "7"] if name == "variation_strength" else []
    needed += ["--image", "a picture.png"] if field.needs_image else []
    needed += ["a sheep"] if name != "blend" else []
    for option in (*field.options, *(f"--{alias}" for alias in field.aliases)):
        assert getattr(typed(*needed, option, str(value)), name) == value
    words = shlex.split(to_command(resolved(name, value)))
    assert getattr(typed(*words[1:]), name) == value


@pytest.mark.parametrize("command", ["generate", "sweep", "batch", "rerun"])
def test_every_command_has_every_option(run: Run, command: str) -> None:
    shown = run(command, "--help").stdout
    for name, field in FIELDS.items():
        hidden = name == "prompt" and command != "rerun"
        hidden |= bool(field.axis) and command == "sweep"
        assert (f"{field.option} " in shown) != hidden, field.option
    assert "--size " in shown


@pytest.mark.parametrize("name", NAMES)
def test_a_sweep_varies_every_field_and_says_so_in_names(name: str) -> None:
    field, one = FIELDS[name], an_example(name)
    axis = field.axis or name
    assert AXES[axis] == (field.axis or field.label)
    another = one + "s" if name == "prompt" else DEFAULTS.get(name, 0)
    values: dict[str, Any] = {"prompt": ["a sheep"], "seed": [1], "variation_seed": [7]}
    if field.needs_image:
        values["image"] = ["a picture.png"]
    if name == "blend":
        values["prompt"], another = [""], "a goat:1"
    values[axis] = [(64, 32), (32, 64)] if field.axis else [one, another]
    grid = combine(values)
    assert len({getattr(cell.request, name) for cell in grid.cells}) == 2
    template = parse_output(readable_names(values), several=True)
    requests = [
        sample_request(
            **{each: value for each in NAMES if (value := getattr(cell.request, each)) is not None}
        )
        for cell in grid.cells
    ]
    assert len({template.target(request, 1, "key").path for request in requests}) == 2


def test_templates_know_every_field() -> None:
    assert set(PLACEHOLDERS) == {field.key for field in FIELDS.values()} | {"index", "key"}
    request = sample_request(eta=0.5, width=64)
    filled = {
        parse_output(f"{{{name}}}.png", several=False).target(request, 3, "k" * 64).stem
        for name in PLACEHOLDERS
    }
    assert {"0.5", "64", "a-red-sheep", "3", "k" * 10} <= filled


def test_images_of_one_batch_may_differ_in_words_and_noise() -> None:
    assert {
        "prompt",
        "blend",
        "negative_prompt",
        "seed",
        "variation_seed",
        "variation_strength",
    } == PER_IMAGE_FIELDS
    for name in FIELDS:
        one = sample_request(variation_seed=7, image="a picture.png")
        without = {"prompt": ""} if name == "blend" else {}
        other = replace(one, **without | {name: an_example(name)})
        assert (one.batch_key == other.batch_key) == (name in PER_IMAGE_FIELDS)
