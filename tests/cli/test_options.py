from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
import torch

from sheepgen import options as run_options
from sheepgen.cli.option_aliases import ALIASES
from sheepgen.cli.options import FramesWord
from sheepgen.metadata.image_file import encode_image
from sheepgen.output.artifacts import FRAME_CHOICES
from tests.samples import sample_image, sample_record

if TYPE_CHECKING:
    from tests.cli.conftest import Run, Typed


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        ("-n blue", {"negative_prompt": "blue"}),
        ("--negative-prompt=-blue", {"negative_prompt": "-blue"}),
        ("--negative blue", {"negative_prompt": "blue"}),
        ("-s 7", {"seed": 7}),
        ("--seed 18446744073709551615", {"seed": 2**64 - 1}),
        ("-s 1 --variation-seed 7", {"seed": 1, "variation_seed": 7, "variation_strength": 0.0}),
        ("--variation-seed 7 --variation-strength 0.1", {"variation_strength": 0.1}),
        ("--subseed 7 --subseed_strength 0.1", {"variation_seed": 7, "variation_strength": 0.1}),
        ("--subseed 7 --variation-seed-strength 1", {"variation_strength": 1.0}),
        ("--steps 5", {"num_inference_steps": 5}),
        ("--num-inference-steps 5", {"num_inference_steps": 5}),
        ("--num_inference_steps 5", {"num_inference_steps": 5}),
        ("-g 3", {"guidance_scale": 3.0}),
        ("--guidance 3", {"guidance_scale": 3.0}),
        ("--guidance-scale 3", {"guidance_scale": 3.0}),
        ("--cfg-scale=3", {"guidance_scale": 3.0}),
        ("--guidance-rescale 0.7", {"guidance_rescale": 0.7}),
        ("--eta 1", {"eta": 1.0}),
        ("-W 64 -H 32", {"width": 64, "height": 32}),
        ("--width 64 --height 32", {"width": 64, "height": 32}),
        ("--size 64x32", {"width": 64, "height": 32}),
        ("--size 64X32", {"width": 64, "height": 32}),
        ("--scheduler euler", {"scheduler": "euler"}),
        ("--sampler_name euler", {"scheduler": "euler"}),
        ("--sampler euler", {"scheduler": "euler"}),
        ("-m org/name", {"model": "org/name"}),
        ("--model ./folder", {"model": "./folder"}),
    ],
)
def test_every_spelling_reaches_the_request(
    typed: Typed, words: str, fields: dict[str, Any]
) -> None:
    request = typed("a sheep", *words.split())
    assert {name: getattr(request, name) for name in fields} == fields


def test_names_of_the_web_ui_are_understood(typed: Typed) -> None:
    assert typed("x", "--sampler", "DPM++ 2M Karras").scheduler == "dpmpp_2m_karras"


def test_the_prompt_may_be_an_option(typed: Typed, run: Run) -> None:
    for option in ("-p", "--prompt"):
        assert typed(option, "a sheep", "--seed", "3").prompt == "a sheep"
    assert typed("-p", "-", stdin="a piped sheep").prompt == "a piped sheep"
    result = run("a sheep", "-p", "a goat")
    assert result.exit_code == 2
    assert "given twice" in result.stderr


def test_options_may_come_before_the_prompt(typed: Typed) -> None:
    request = typed("--seed", "42", "a sheep", "-g", "2")
    assert (request.prompt, request.seed, request.guidance_scale) == ("a sheep", 42, 2.0)


def test_spellings_lead_to_options_and_stay_out_of_help(run: Run) -> None:
    shown = run("generate", "--help").stdout
    assert all(f"--{option}" in shown for option in ALIASES.values())
    assert not any(f"--{spelling} " in shown for spelling in ALIASES)


def test_all_words_for_frames_are_known() -> None:
    assert get_args(FramesWord) == tuple(FRAME_CHOICES)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--size 64", '"64" is not a size'),
        ("--size 64x", "is not a size"),
        ("--size 64x32 -W 64", "sets both sides"),
        ("--width 0", "width must be between 1 and 8192, got 0"),
        ("--steps 0", "steps must be between 1 and 1000, got 0"),
        ("--steps 2.5", "--steps"),
        ("--seed -2", "seed must be between 0 and 18446744073709551615, got -2"),
        (
            "--seed 18446744073709551615 -c 2",
            "seed must be between 0 and 18446744073709551615, got 18446744073709551616",
        ),
        ("--variation-strength 2", "variation strength must be between 0 and 1, got 2"),
        ("--variation-strength nan", "variation strength must be between 0 and 1, got nan"),
        (
            "--variation-seed -2",
            "variation seed must be between 0 and 18446744073709551615, got -2",
        ),
        ("--count 0", "--count"),
        ("--guidance nan", "guidance must be between 0 and 100, got nan"),
        ("--eta 2", "eta must be between 0 and 1, got 2"),
        ("--scheduler nothing", "Unknown scheduler"),
        ("--model nothing", 'Unknown model "nothing"'),
        ("--device abacus", 'Unknown device "abacus"'),
        ("--dtype fp4", 'Unknown dtype "fp4"'),
        ("--attention-backend flahs", "--attention-backend must be native"),
        ("--device cpu --dtype fp16", "fp16 is not for the CPU"),
        ("--output name", "has no file extension"),
        ("--output x.gif", "Unknown image format"),
        ("--output {nothing}.png", "unknown field"),
        ("--frames some", "--frames"),
        ("--frame-decoder some", "--frame-decoder"),
        ("--nothing", 'Unknown option "--nothing"'),
        ("too many words", "4 words, not in quotes"),
    ],
)
def test_usage_errors_say_what_is_wrong_and_exit_with_2(
    run: Run, words: str, complaint: str
) -> None:
    result = run("a sheep", *words.split())
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stdout == ""


@pytest.mark.parametrize(
    "command",
    [
        "sheep --dry-run",
        "sheep",
        "sweep sheep --dry-run",
        "sweep sheep",
        "batch jobs.jsonl --dry-run",
        "batch jobs.jsonl",
        "rerun x.png --dry-run",
    ],
)
def test_a_device_that_torch_does_not_see_is_said_before_anything_is_drawn(
    run: Run, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    Path("nvidiactl").touch()  # as if there were a driver
    monkeypatch.setattr(run_options, "_DEV", Path.cwd())
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    Path("jobs.jsonl").write_text('{"prompt": "a sheep"}\n')
    Path("x.png").write_bytes(encode_image(sample_image(), sample_record(), ".png"))
    result = run(*command.split(), "--device", "cuda", "--model", str(tiny_folder))
    assert result.exit_code == 2, result.output
    assert "This machine has no cuda device." in result.stderr
    assert f"PyTorch {torch.__version__} sees" in result.stderr


@pytest.mark.parametrize("command", ["sheep", "sweep sheep", "train", "evaluate", "rerun x.png"])
def test_a_device_without_a_trace_is_said_at_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(run_options, "_DEV", Path.cwd())
    monkeypatch.setattr(sys, "platform", "linux")
    result = run(*command.split(), "--device", "cuda")
    assert result.exit_code == 2
    assert "This machine has no cuda device." in result.stderr
