from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from sheepgen.metadata.a1111 import to_command, to_parameters
from sheepgen.request import GenerationRequest
from sheepgen.sanitize import printable
from sheepgen.schedulers import SCHEDULERS
from tests.samples import records, requests, sample_record, sample_request

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


def test_the_command_spells_everything_out() -> None:
    request = sample_request(
        negative_prompt="blue",
        variation_seed=0,
        variation_strength=0.1,
        eta=0.5,
        guidance_rescale=0.25,
        model="./my model",
    )
    assert to_command(request) == (
        "sheepgen generate 'a red sheep' --negative-prompt blue --seed 42 --variation-seed 0 "
        "--variation-strength 0.1 --steps 3 --guidance 7.5 --guidance-rescale 0.25 "
        "--eta 0.5 --width 32 --height 24 --scheduler dpmpp_2m_karras --model './my model'"
    )


def test_the_command_leaves_out_what_a_request_leaves_open() -> None:
    request = GenerationRequest(prompt="a sheep", seed=0, guidance_scale=0.0)
    assert to_command(request) == "sheepgen generate 'a sheep' --seed 0 --guidance 0"


def test_a_prompt_that_looks_like_an_option_comes_behind_two_dashes() -> None:
    assert to_command(sample_request(prompt="--help")).endswith(" -- --help")


@given(requests)
def test_showing_the_command_is_harmless(request: GenerationRequest) -> None:
    command = to_command(request)
    assert printable(command) == command


@pytest.mark.parametrize(
    "prompt",
    [
        'it\'s \\ "q" $HOME `id` !',
        "\x1b]8;;http://x\x07link",
        "a\u202eb\x9bc",
        "two\nlines\t",
        "🐑 羊",
    ],
)
def test_a_shell_reads_the_command_back(prompt: str) -> None:
    words = to_command(sample_request(prompt=prompt))
    shell = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {words.removeprefix('sheepgen generate ')}"],
        capture_output=True,
        check=True,
        env={"LC_ALL": "C.UTF-8", "HOME": "/"},
    )
    assert shell.stdout.decode().split("\0")[0] == prompt
    if printable(prompt) == prompt:
        assert shlex.split(words)[2] == prompt
