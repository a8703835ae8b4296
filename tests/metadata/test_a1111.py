from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from sheepgen.metadata.a1111 import to_parameters
from sheepgen.metadata.a1111_reader import read_parameters
from sheepgen.schedulers import SCHEDULERS
from tests.samples import records, sample_record

if TYPE_CHECKING:
    from sheepgen.metadata.record import ImageRecord

WEB_UI_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
"""How AUTOMATIC1111's web UI takes the last line apart (``re_param`` in its source)."""


def web_ui_pairs(parameters: str) -> dict[str, str]:
    pairs = dict(WEB_UI_PAIR.findall(parameters.rpartition("\n")[2]))
    return {
        key: json.loads(value) if value.startswith('"') and value.endswith('"') else value
        for key, value in pairs.items()
    }


def test_parameters_are_automatic1111s() -> None:
    record = sample_record(prompt="a sheep,\nred", negative_prompt="blue: yes", guidance_scale=7)
    assert to_parameters(record) == (
        "a sheep,\nred\n"
        "Negative prompt: blue: yes\n"
        "Steps: 3, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 42, Size: 32x24, "
        "Model hash: ababababab, Model: sheepgen, RNG: CPU, Version: sheepgen 0.1.0"
    )


def test_what_is_off_is_left_out_and_what_is_on_is_not() -> None:
    assert "Negative prompt" not in to_parameters(sample_record())
    pairs = web_ui_pairs(to_parameters(sample_record(eta=0.5, guidance_rescale=0.25)))
    assert pairs["Eta"] == "0.5"
    assert pairs["Guidance rescale"] == "0.25"
    assert "Variation" not in to_parameters(sample_record(variation_seed=7))
    pairs = web_ui_pairs(to_parameters(sample_record(variation_seed=7, variation_strength=0.1)))
    assert pairs["Variation seed"] == "7"
    assert pairs["Variation seed strength"] == "0.1"


def test_templates_are_called_as_the_wildcard_extension_calls_them() -> None:
    record = sample_record(
        prompt_template="a {red|blue} sheep", negative_prompt_template="{fog, rain|}"
    )
    text = to_parameters(record)
    assert text.startswith("a red sheep\nSteps: 3, ")
    pairs = web_ui_pairs(text)
    assert pairs["Template"] == "a {red|blue} sheep"
    assert pairs["Negative Template"] == "{fog, rain|}"
    read = read_parameters(text)
    assert read.settings["prompt_template"] == "a {red|blue} sheep"
    assert read.settings["negative_prompt_template"] == "{fog, rain|}"


@given(records)
def test_the_web_ui_reads_every_value_back(record: ImageRecord) -> None:
    pairs = web_ui_pairs(to_parameters(record))
    request = record.request
    assert request.scheduler is not None
    assert int(pairs["Steps"]) == request.num_inference_steps
    assert pairs["Sampler"] == SCHEDULERS[request.scheduler].sampler
    assert float(pairs["CFG scale"]) == request.guidance_scale
    assert int(pairs["Seed"]) == request.seed
    assert pairs["Size"] == f"{request.width}x{request.height}"
    assert float(pairs.get("Variation seed strength", 0)) == request.variation_strength
    if request.variation_strength:
        assert int(pairs["Variation seed"]) == request.variation_seed


@pytest.mark.parametrize(
    "model", ["a, b", "C:\\models\\x", "line\nbreak", 'a "b", c', '"a"', "plain"]
)
def test_values_with_the_grammars_own_characters_are_quoted(model: str) -> None:
    assert web_ui_pairs(to_parameters(sample_record(model=model)))["Model"] == model


@pytest.mark.parametrize(
    ("prompt", "syntax", "emphasis"),
    [
        ("a fox", "plain", None),
        ("a (red:1.2) fox", "a1111", None),
        ("a (red:1.2) fox", "plain", "None"),
        ("a fox", "a1111", "Original"),
    ],
)
def test_emphasis_is_written_where_the_prompt_does_not_say_it(
    prompt: str, syntax: str, emphasis: str | None
) -> None:
    record = sample_record(prompt=prompt, prompt_syntax=syntax, clip_skip=2)
    parameters = to_parameters(record)
    assert parameters.startswith(f"{prompt}\n")
    pairs = web_ui_pairs(parameters)
    assert (pairs.get("Emphasis"), pairs["Clip skip"]) == (emphasis, "2")
