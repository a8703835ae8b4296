from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sheepgen.errors import OutputError
from sheepgen.fields import FIELDS
from sheepgen.metadata.a1111 import to_parameters
from sheepgen.metadata.a1111_reader import (
    MAX_CHARACTERS,
    looks_like_parameters,
    read_parameters,
)
from sheepgen.metadata.parsed_parameters import MAX_NOT_MAPPED
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest
from sheepgen.schedulers import SCHEDULERS
from tests.samples import records, sample_record

if TYPE_CHECKING:
    from sheepgen.metadata.record import ImageRecord


def read(settings: str, prompt: str = "a fox") -> GenerationRequest:
    return read_parameters(f"{prompt}\nSeed: 1, RNG: CPU, {settings}").request()


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
    assert recipe.request() == GenerationRequest(
        prompt="a red fox,\nin the snow",
        negative_prompt="mud,\nrain",
        seed=4294967295,
        variation_seed=9,
        variation_strength=0.15,
        num_inference_steps=25,
        guidance_scale=6.5,
        width=512,
        height=768,
        hires="2:0.4",
        scheduler="dpmpp_2m_karras",
        clip_skip=2,
    )
    assert recipe.not_mapped == (
        "Model hash: abcdef1234",
        "Model: foxmix",
        "VAE: some.vae",
        "Lora hashes: a: 12, b: 34",
        "RNG: GPU",
        "Hires steps: 25",
    )


def test_the_model_is_the_callers_choice_alone() -> None:
    text = "a fox\nSteps: 1, Seed: 1, Model: ../../evil, Model hash: 12"
    assert read_parameters(text).request().model == EMBEDDED_MODEL
    assert read_parameters(text).request(model="org/name").model == "org/name"


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


@pytest.mark.parametrize(
    ("settings", "hires", "left"),
    [
        ("Hires upscale: 1.50, Denoising strength: 0.45, Hires upscaler: Lanczos", "1.5:0.45", []),
        (
            "Denoising strength: 0.7, Hires upscale: 2, Hires steps: 9, Hires upscaler: Latent",
            "2:0.7",
            ["Hires steps: 9", "Hires upscaler: Latent"],
        ),
        ("Steps: 20, Denoising strength: 0.7, Hires upscale: 2, Hires steps: 14", "2:0.7", []),
        (
            "Steps: 20, Denoising strength: 0.7, Hires upscale: 2",
            "2:0.7",
            ["Hires steps: 20"],
        ),
        ("Denoising strength: 0.7", "", ["Denoising strength: 0.7"]),
        ("Hires upscale: 2", "", ["Hires upscale: 2"]),
        ("Hires upscaler: Lanczos", "", ["Hires upscaler: Lanczos"]),
        ("Hires upscale: 8, Denoising strength: 0.7", "", None),
        ("Hires upscale: 2, Denoising strength: 0", "", None),
        ("Hires upscale: 2:0.3, Denoising strength: 0.5", "", None),
    ],
)
def test_a_second_pass_is_scale_and_strength(
    settings: str, hires: str, left: list[str] | None
) -> None:
    assert read(settings).hires == hires
    assert left_over(settings) == (settings.split(", ") if left is None else left)


def test_variations_go_together() -> None:
    settings = "Variation seed: 7, Variation seed strength: 2"
    assert read(settings).variation_seed is None
    assert left_over(settings) == settings.split(", ")


def test_networks_in_the_prompts_are_said_and_left_out() -> None:
    recipe = read_parameters(
        "fox <lora:a:1> and <hypernet:b:0.5>, 1 < 2\nNegative prompt: <lyco:c>\nSeed: 1, RNG: CPU"
    )
    assert recipe.request().prompt == "fox  and , 1 < 2"
    assert recipe.request().negative_prompt == ""
    assert recipe.not_mapped == (
        "Prompt: <lora:a:1>",
        "Prompt: <hypernet:b:0.5>",
        "Negative prompt: <lyco:c>",
    )


@pytest.mark.parametrize(
    ("prompt", "emphasis", "syntax"),
    [
        ("a fox", "", "plain"),
        ("a (red) fox", "", "a1111"),
        (r"a fox \(animal\)", "", "a1111"),
        ("a fox BREAK snow", "", "a1111"),
        ("a (red) fox", "Emphasis: None, ", "plain"),
        ("a fox", "Emphasis: Original, ", "a1111"),
        ("a (red) fox", "Emphasis: No norm, ", "a1111"),
    ],
)
@pytest.mark.parametrize("name", ["prompt", "negative_prompt"])
def test_the_syntax_is_the_one_that_the_prompts_use(
    name: str, prompt: str, emphasis: str, syntax: str
) -> None:
    first = prompt if name == "prompt" else f"x\nNegative prompt: {prompt}"
    recipe = read_parameters(f"{first}\nSteps: 2, Seed: 1, {emphasis}RNG: CPU")
    request = recipe.request()
    assert (getattr(request, name), request.prompt_syntax) == (prompt, syntax)
    left = ("Emphasis: No norm",) if "norm" in emphasis else ()
    assert recipe.not_mapped == left


@pytest.mark.parametrize(
    ("prompt", "left"),
    [
        ("a [red:blue:0.5] fox", "prompt editing, which is not supported: [red:blue:0.5]"),
        ("a fox AND a cat", "AND between prompts, which is not supported: AND"),
    ],
)
def test_marks_that_are_not_supported_are_left_over(prompt: str, left: str) -> None:
    recipe = read_parameters(f"{prompt}\nSteps: 2, Seed: 1, RNG: CPU, Clip skip: 2")
    request = recipe.request()
    assert (request.prompt, request.prompt_syntax, request.clip_skip) == (prompt, "plain", 2)
    assert recipe.not_mapped == (f"Prompt syntax: The prompt has {left}",)


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ('Note: "a, b: c"', ["Note: a, b: c"]),
        ('Note: "a \\" b", ENSD: 2', ['Note: a " b', "ENSD: 2"]),
        ('Note: "a, ENSD: 2', ['Note: "a', "ENSD: 2"]),
        ('Note: "a" b, ENSD: 2', ['Note: "a" b', "ENSD: 2"]),
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
    spaced, plain = map(
        read_parameters, ("a fox\nSteps: 5, Seed: 1 \r\n\n", "a fox\nSteps: 5, Seed: 1")
    )
    assert spaced.to_dict() == plain.to_dict()


PLAIN = "a fox\nSteps: 20, Sampler: DDIM, Seed: 3"

ODD_FORMS = {
    "more lines": (
        "a ewe\nNegative prompt: fog\nSteps: 12, Seed: 77, Model hash: 0011\n"
        "Template: a {ewe|ram}, in a __place__\nNegative Template: fog"
    ),
    "a value over several lines": (
        "a ewe\nNegative prompt: fog\nSteps: 12, Seed: 77, Wildcard prompt: a __animal__\n"
        "in a barn, Version: v1.5.1"
    ),
    "one line": "a ewe Negative prompt: fog Steps: 12, Sampler: Euler a, Seed: 77",
    "one line with dots": "a ewe.Negative prompt: fog.Steps: 12, Sampler: Euler a, Seed: 77",
    "carriage returns": "a ewe\r\nNegative prompt: fog\r\nSteps: 12, Seed: 77\r\n",
}


@pytest.mark.parametrize("text", ODD_FORMS.values(), ids=ODD_FORMS)
def test_odd_forms_say_the_same(text: str) -> None:
    settings = read_parameters(text).settings
    assert {name: settings[name] for name in ("prompt", "negative_prompt")} == {
        "prompt": "a ewe",
        "negative_prompt": "fog",
    }
    assert (settings["seed"], settings["num_inference_steps"]) == (77, 12)


def test_what_odd_forms_say_besides_is_not_lost() -> None:
    assert read_parameters(ODD_FORMS["more lines"]).not_mapped == (
        "Model hash: 0011",
        "RNG: GPU",
    )
    several = read_parameters(ODD_FORMS["a value over several lines"])
    assert several.not_mapped == ("Wildcard prompt: a __animal__\nin a barn", "RNG: GPU")


def test_templates_are_read_where_something_was_picked() -> None:
    request = read_parameters(ODD_FORMS["more lines"]).request()
    assert request.prompt_template == "a {ewe|ram}, in a __place__"
    assert request.negative_prompt_template is None  # it is the negative prompt
    quoted = read_parameters('x\nSteps: 5, Seed: 1, Negative Template: "{a, b|c}", Version: v1.9')
    assert quoted.settings["negative_prompt_template"] == "{a, b|c}"
    assert quoted.not_mapped == ("RNG: GPU",)


def test_a_prompt_of_several_paragraphs_stays_one() -> None:
    prompt = "a ewe,\n\nSteps: to a barn\nSize: large, Seed of a plant"
    recipe = read_parameters(f"{prompt}\nSteps: 12, Seed: 77")
    assert recipe.settings["prompt"] == prompt


@pytest.mark.parametrize(
    ("text", "settings", "missing"),
    [
        ("a fox", {"prompt": "a fox"}, "seed"),
        (
            "a fox\nSteps: 20, Sampler: DDIM",
            {"prompt": "a fox", "num_inference_steps": 20, "scheduler": "ddim"},
            "seed",
        ),
        ("a fox\nSteps: 20, Seed: any", {"prompt": "a fox", "num_inference_steps": 20}, "seed"),
        ("a fox\nSeed: -1", {"prompt": "a fox"}, "seed"),
        ("a fox\nSteps: 20, Seed: [1, 2]", {"prompt": "a fox", "num_inference_steps": 20}, "seed"),
        ("Steps: 20, Seed: 1", {"seed": 1, "num_inference_steps": 20}, "prompt"),
        (
            "Negative prompt: mud\nSteps: 20, Seed: 1",
            {"negative_prompt": "mud", "seed": 1, "num_inference_steps": 20},
            "prompt",
        ),
        ("", {}, "prompt"),
    ],
)
def test_what_there_is_is_read(text: str, settings: dict[str, Any], missing: str) -> None:
    recipe = read_parameters(text)
    assert recipe.settings == settings
    with pytest.raises(OutputError, match=f"has no {missing}") as caught:
        recipe.request()
    assert f"--{missing}" in caught.value.hint
    request = recipe.request(prompt="a goat", seed=5)
    assert (request.prompt, request.seed) == ("a goat", 5)
    assert recipe.to_dict()["request"][missing] is None


def test_a_seed_that_cannot_be_is_told() -> None:
    assert "Seed: -58" in read_parameters("a fox\nSteps: 2, Seed: -58").not_mapped
    assert "Seed: [1, 2]" in read_parameters("a fox\nSteps: 2, Seed: [1, 2]").not_mapped


@pytest.mark.parametrize(
    ("version", "program"),
    [
        ("v1.6.0", None),
        ("f2.0.1v1.10.1", None),
        ("ComfyUI", "ComfyUI"),
        ("Fooocus v2.5.5", "Fooocus"),
    ],
)
def test_a_program_that_names_itself_is_known(version: str, program: str | None) -> None:
    assert read_parameters(f"a fox\nSteps: 2, Seed: 1, Version: {version}").program == program


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (PLAIN, True),
        ("a fox Steps: 20, Sampler: DDIM", True),
        ("Seed: 5", True),
        ("Photographed by me, with steps in the snow", False),
        ("", False),
        (PLAIN + "x" * MAX_CHARACTERS, False),
    ],
)
def test_somebodys_words_are_no_parameters(text: str, *, is_one: bool) -> None:
    assert looks_like_parameters(text) == is_one


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a\0fox\nSeed: 1", "NUL"),
        ("x" * 20_001 + "\nSeed: 1", "20,001 characters"),
        ("x" * (MAX_CHARACTERS + 1), "500,001 characters"),
    ],
)
def test_what_cannot_be_a_prompt_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(OutputError, match=complaint):
        read_parameters(text)


@given(st.text(max_size=200))
@example('\nSeed: "\\ud800", K: "')
def test_any_text_gives_a_recipe_or_an_output_error(text: str) -> None:
    try:
        recipe = read_parameters(f"x\nSeed: 1, Steps: 2, {text}")
    except OutputError:
        return
    assert recipe.request(prompt="x", seed=1).model == EMBEDDED_MODEL
    assert json.dumps(recipe.not_mapped)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a ",
        ":",
        '"',
        "\\",
        "K:",
        'K:"',
        "K:[",
        ",",
        "<lora:",
        "Steps: 1",
        "Steps: 1,",
        "\n",
        "\nKey: ",
    ],
)
def test_hostile_text_takes_no_longer_than_honest_text(piece: str) -> None:
    # Reading that goes back and forth would take hours for this.
    text = piece * (MAX_CHARACTERS // len(piece) - 20)
    for whole in (text, f"a fox\nSteps: 2, Seed: 1, {text}"):
        with suppress(OutputError):  # a prompt that is too long
            assert len(read_parameters(whole).not_mapped) <= MAX_NOT_MAPPED
    assert looks_like_parameters(text) == text.startswith("Steps: 1,")


def shared(request: GenerationRequest) -> GenerationRequest:
    """Return what of a request the parameters say: no model, and nothing without effect."""
    assert request.scheduler is not None
    changes: dict[str, Any] = {"model": EMBEDDED_MODEL, "variant": ""}
    if not SCHEDULERS[request.scheduler].takes_eta:
        changes["eta"] = 0.0
    if not request.variation_strength:
        changes["variation_seed"] = None
    return replace(request, **changes)


@given(records.filter(lambda record: "Negative prompt:" not in record.request.prompt))
@example(sample_record(prompt=" a\n\n\tb \n", negative_prompt="\nNegative prompt: no\n"))
@example(sample_record(model='" a', eta=0.5, scheduler="ddim"))
@example(sample_record(negative_prompt="\r"))
@example(sample_record(negative_prompt=" "))
def test_our_own_parameters_come_back(record: ImageRecord) -> None:
    found = read_parameters(to_parameters(record)).request()
    asked = shared(record.request)
    # Files are not in the parameters, and a strength says nothing without its picture.
    said = [name for name, field in FIELDS.items() if not (field.is_hashed or field.needs_image)]
    assert {name: getattr(found, name) for name in said} == {
        name: getattr(asked, name) for name in said
    }
