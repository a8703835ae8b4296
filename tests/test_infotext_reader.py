from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sheepgen.errors import OutputError
from sheepgen.infotext import to_parameters
from sheepgen.infotext_reader import MAX_CHARACTERS, read_parameters
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest
from sheepgen.schedulers import SCHEDULERS
from tests.samples import records, sample_record

if TYPE_CHECKING:
    from sheepgen.metadata import ImageRecord


def read(settings: str, prompt: str = "a fox") -> GenerationRequest:
    return read_parameters(f"{prompt}\nSeed: 1, RNG: CPU, {settings}").request


def left_over(settings: str) -> list[str]:
    return list(read_parameters(f"a fox\nSeed: 1, RNG: CPU, {settings}").not_mapped)


def test_a_web_ui_image_of_today() -> None:
    recipe = read_parameters(
        "a red fox,\nin the snow\n"
        "Negative prompt: mud,\nrain\n"
        "Steps: 25, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 4294967295, "
        "Size: 512x768, Model hash: abcdef1234, Model: foxmix, VAE: some.vae, Variation seed: 9, "
        "Variation seed strength: 0.15, Denoising strength: 0.4, Clip skip: 2, "
        'Hires upscale: 2, Lora hashes: "a: 12, b: 34", Version: v1.10.1'
    )
    assert recipe.request == GenerationRequest(
        prompt="a red fox,\nin the snow",
        negative_prompt="mud,\nrain",
        seed=4294967295,
        variation_seed=9,
        variation_strength=0.15,
        num_inference_steps=25,
        guidance_scale=6.5,
        width=512,
        height=768,
        scheduler="dpmpp_2m_karras",
    )
    assert recipe.not_mapped == (
        "Model hash: abcdef1234",
        "Model: foxmix",
        "VAE: some.vae",
        "Denoising strength: 0.4",
        "Clip skip: 2",
        "Hires upscale: 2",
        "Lora hashes: a: 12, b: 34",
        "RNG: GPU",
    )


def test_the_model_is_the_callers_choice_alone() -> None:
    text = "a fox\nSteps: 1, Seed: 1, Model: ../../evil, Model hash: 12"
    assert read_parameters(text).request.model == EMBEDDED_MODEL
    assert read_parameters(text, model="org/name").request.model == "org/name"


@pytest.mark.parametrize(
    ("settings", "scheduler", "left"),
    [
        ("Sampler: DPM++ 2M Karras", "dpmpp_2m_karras", []),
        ("Sampler: DPM++ 2M, Schedule type: Karras", "dpmpp_2m_karras", []),
        ("Sampler: DPM++ 2M", "dpmpp_2m", []),
        ("Sampler: Euler, Schedule type: Uniform", "euler", []),
        ("Sampler: Euler a, Schedule type: Automatic", "euler_a", []),
        ("Sampler: k_euler_a", "euler_a", []),
        ("Sampler: PLMS", "pndm", []),
        ("Sampler: DPM++ 2M, Schedule type: Beta", "dpmpp_2m", ["Schedule type: Beta"]),
        ("Sampler: Restart", None, ["Sampler: Restart"]),
        ("Sampler: DPM++ 2S a", None, ["Sampler: DPM++ 2S a"]),
        (
            "Sampler: Restart, Schedule type: Karras",
            None,
            ["Sampler: Restart", "Schedule type: Karras"],
        ),
    ],
)
def test_samplers(settings: str, scheduler: str | None, left: list[str]) -> None:
    assert read(settings).scheduler == scheduler
    assert left_over(settings) == left


@pytest.mark.parametrize(
    ("settings", "eta"),
    [
        ("Sampler: DDIM, Eta: 0.5", 0.5),
        ("Sampler: DDIM, Eta DDIM: 0.5", 0.5),
        ("Eta: 0.5, Sampler: DDIM", 0.5),
        ("Sampler: Euler a, Eta: 0.5", 0.0),
        ("Eta: 0.5", 0.0),
    ],
)
def test_eta_is_ddims(settings: str, eta: float) -> None:
    assert read(settings).eta == eta
    assert left_over(settings) == ([] if eta else ["Eta: 0.5"])


@pytest.mark.parametrize(
    "settings",
    [
        "Steps: many",
        "Steps: 0",
        "Steps: " + "9" * 5000,
        "CFG scale: nan",
        "CFG scale: 1000",
        "Size: 512",
        "Size: 512x",
        "Size: 1x2x3",
        "Size: 99999x64",
        "Guidance rescale: 2",
        "Variation seed: 7",
        "Variation seed strength: 0.5",
        "RNG: NV",
    ],
)
def test_values_that_do_not_fit_are_left_over(settings: str) -> None:
    assert left_over(settings) == [settings]
    assert replace(read(settings), prompt="x") == GenerationRequest(prompt="x", seed=1)


def test_variations_go_together() -> None:
    settings = "Variation seed: 7, Variation seed strength: 2"
    assert read(settings).variation_seed is None
    assert left_over(settings) == settings.split(", ")


def test_networks_in_the_prompts_are_told_and_stay() -> None:
    recipe = read_parameters(
        "fox <lora:a:1> and <hypernet:b:0.5>, 1 < 2\nNegative prompt: <lyco:c>\nSeed: 1, RNG: CPU"
    )
    assert recipe.request.prompt == "fox <lora:a:1> and <hypernet:b:0.5>, 1 < 2"
    assert recipe.not_mapped == (
        "Prompt: <lora:a:1>",
        "Prompt: <hypernet:b:0.5>",
        "Negative prompt: <lyco:c>",
    )


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ('Template: "a, b: c"', ["Template: a, b: c"]),
        ('Template: "a \\" b", Clip skip: 2', ['Template: a " b', "Clip skip: 2"]),
        ('Template: "a, Clip skip: 2', ['Template: "a', "Clip skip: 2"]),
        ('Template: "a" b, Clip skip: 2', ['Template: "a" b', "Clip skip: 2"]),
        ('Hashes: {"model": "ab", "vae": "cd"} , ENSD: 1', None),
        ("Resources: [1, 2]", ["Resources: [1, 2]"]),
        ("Resources: [1, 2", ["Resources: [1"]),
        ("Deep: " + "[" * 100_000, ["Deep: " + "[" * 100_000]),
        ("Tiling, , ::, Empty:", ["Empty: "]),
    ],
)
def test_values_are_plain_or_json(settings: str, left: list[str] | None) -> None:
    if left is None:
        left = ['Hashes: {"model": "ab", "vae": "cd"}', "ENSD: 1"]
    assert left_over(settings) == left


def test_spaces_and_breaks_behind_the_last_line_do_not_matter() -> None:
    assert read_parameters("a fox\nSteps: 5, Seed: 1 \r\n\n") == read_parameters(
        "a fox\nSteps: 5, Seed: 1"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no seed"),
        ("a fox", "no seed"),
        ("a fox\nSteps: 20, Sampler: DDIM", "no seed"),
        ("a fox\nSteps: 20, Seed: any", "no seed"),
        ("a fox\nSeed: -1", "seed is -1"),
        ("Steps: 20, Seed: 1", "prompt is empty"),
        ("Negative prompt: mud\nSteps: 20, Seed: 1", "prompt is empty"),
        ("a\0fox\nSeed: 1", "NUL"),
        ("x" * 20_001 + "\nSeed: 1", "20,001 characters"),
        ("x" * (MAX_CHARACTERS + 1), "500,001 characters"),
    ],
)
def test_what_is_no_recipe_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(OutputError, match=complaint):
        read_parameters(text)


@given(st.text(max_size=200))
@example('\nSeed: "\\ud800", K: "')
def test_any_text_gives_a_recipe_or_an_output_error(text: str) -> None:
    try:
        recipe = read_parameters(f"x\nSeed: 1, Steps: 2, {text}")
    except OutputError:
        return
    assert recipe.request.model == EMBEDDED_MODEL
    assert json.dumps(recipe.not_mapped)


@pytest.mark.parametrize("piece", ["a", "a ", ":", '"', "\\", "K:", 'K:"', "K:[", ",", "<lora:"])
def test_hostile_text_takes_no_longer_than_honest_text(piece: str) -> None:
    # Reading that goes back and forth would take hours for this.
    text = piece * (MAX_CHARACTERS // len(piece) - 20)
    with pytest.raises(OutputError, match="seed"):
        read_parameters(text)


def shared(request: GenerationRequest) -> GenerationRequest:
    """Return what of a request the parameters say: no model, and nothing without effect."""
    assert request.scheduler is not None
    changes: dict[str, Any] = {"model": EMBEDDED_MODEL}
    if not SCHEDULERS[request.scheduler].takes_eta:
        changes["eta"] = 0.0
    if not request.variation_strength:
        changes["variation_seed"] = None
    return replace(request, **changes)


@given(records.filter(lambda record: "Negative prompt:" not in record.request.prompt))
@example(sample_record(prompt=" a\n\n\tb \n", negative_prompt="\nNegative prompt: no\n"))
@example(sample_record(model='" a', eta=0.5, scheduler="ddim"))
def test_our_own_parameters_come_back(record: ImageRecord) -> None:
    assert read_parameters(to_parameters(record)).request == shared(record.request)
