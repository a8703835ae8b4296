from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sheepgen.fields import FIELDS
from sheepgen.metadata.a1111 import to_parameters
from sheepgen.metadata.a1111_reader import read_parameters
from sheepgen.metadata.image_file import encode_image
from sheepgen.metadata.record_json import from_dict, to_json
from sheepgen.prompt_template import expand_request
from sheepgen.request import GenerationRequest
from sheepgen.sanitize import printable
from sheepgen.shell_command import to_command
from tests.samples import records, requests, sample_image, sample_record, sample_request

if TYPE_CHECKING:
    from sheepgen.metadata.record import ImageRecord
    from tests.cli.conftest import Run, Typed


def test_parameters_and_the_command_are_shown(run: Run) -> None:
    record = sample_record(prompt="two\nlines")
    Path("x.png").write_bytes(encode_image(sample_image(), record, ".png"))
    result = run("show", "x.png")
    assert result.exit_code == 0
    assert result.stdout == f"{to_parameters(record)}\n\n{to_command(record.request)}\n"


def test_a_picture_needs_a_terminal(run: Run) -> None:
    record = sample_record()
    Path("x.png").write_bytes(encode_image(sample_image(), record, ".png"))
    result = run("show", "x.png", "--picture", "--format", "json")
    assert (result.exit_code, result.stdout) == (0, f"{to_json(record)}\n")
    assert result.stderr == "Warning: --picture has no effect without a terminal.\n"


def test_a_picture_without_a_record_is_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("textual_image")
    Image.new("RGB", (8, 8)).save("photo.jpg")
    assert run("show", "photo.jpg", "--picture").exit_code == 1  # nothing can be shown here
    monkeypatch.setenv("FORCE_COLOR", "1")
    result = run("show", "photo.jpg", "--picture")
    assert result.exit_code == 0, result.output
    assert result.stdout
    assert result.stderr.strip().endswith("photo.jpg has no record and no parameters.")
    assert run("show", "photo.jpg").exit_code == 1


def test_one_form_alone(run: Run) -> None:
    record = sample_record(variation_seed=8, variation_strength=0.5)
    Path("x.png").write_bytes(encode_image(sample_image(), record, ".png"))
    assert run("show", "x.png", "--format", "a1111").stdout == f"{to_parameters(record)}\n"
    assert run("show", "x.png", "--format", "command").stdout == f"{to_command(record.request)}\n"
    assert run("show", "x.png", "--format", "json").stdout == f"{to_json(record)}\n"
    assert run("show", "x.png", "--json").stdout == f"{to_json(record)}\n"
    assert run("show", "x.png", "--format", "yaml").exit_code == 2


def test_json_is_the_whole_record(run: Run) -> None:
    record = sample_record(truncated=("far",))
    Path("x.webp").write_bytes(encode_image(sample_image(), record, ".webp"))
    assert from_dict(json.loads(run("show", "x.webp", "--json").stdout)) == record


def test_a_strangers_image_cannot_speak_to_the_terminal(run: Run) -> None:
    record = sample_record(prompt="[red]\x1b]8;;http://x\x07\u202e\x9b31m", model="\x1b[2J")
    Path("x.png").write_bytes(encode_image(sample_image(), record, ".png"))
    shown = run("show", "x.png").stdout
    assert printable(shown) == shown
    assert shown.startswith("[red]]8;;http://x31m")


def test_an_image_without_a_record_is_an_error(run: Run) -> None:
    sample_image().save("x.png")
    result = run("show", "x.png")
    assert result.exit_code == 1
    assert "has no record" in result.stderr
    assert result.stdout == ""


def save_foreign(path: str, parameters: str) -> None:
    info = PngInfo()
    info.add_itxt("parameters", parameters)
    sample_image().save(path, pnginfo=info)


FOREIGN = """a red fox <lora:foxes:0.8>
Negative prompt: mud
Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 3, Size: 512x768, Model: fox\x1b[2Jmix, \
Clip skip: 2, RNG: CPU, Version: v1.6.0"""


def test_another_programs_image_becomes_a_command(run: Run, typed: Typed) -> None:
    save_foreign("x.png", FOREIGN)
    result = run("show", "x.png")
    assert result.exit_code == 0
    assert result.stdout == (
        "sheepgen generate 'a red fox' --negative-prompt mud --seed 3 --steps 20 --guidance 7 "
        "--width 512 --height 768 --clip-skip 2 --scheduler dpmpp_2m_karras\n"
    )
    assert result.stderr == ("Not mapped: Prompt: <lora:foxes:0.8>\nNot mapped: Model: fox[2Jmix\n")
    assert run("show", "x.png", "--format", "command").stdout == result.stdout
    assert typed(*shlex.split(result.stdout)[1:]) == read_parameters(FOREIGN).request()


def test_another_programs_image_as_json_and_as_it_is(run: Run) -> None:
    save_foreign("x.png", FOREIGN)
    result = run("show", "x.png", "--json")
    assert result.stderr == ""
    parameters = read_parameters(FOREIGN)
    assert json.loads(result.stdout) == {
        "program": None,
        "request": asdict(parameters.request()),
        "not_mapped": list(parameters.not_mapped),
    }
    assert run("show", "x.png", "--format", "a1111").stdout == f"{printable(FOREIGN)}\n"


def test_without_a_seed_the_command_picks_one(run: Run, typed: Typed) -> None:
    save_foreign("x.png", "a ewe\nSteps: 4, Sampler: Euler a")
    result = run("show", "x.png")
    assert result.exit_code == 0
    assert result.stdout == "sheepgen generate 'a ewe' --steps 4 --scheduler euler_a\n"
    assert "has no seed: the command picks a random one" in result.stderr
    assert typed(*shlex.split(result.stdout)[1:]).prompt == "a ewe"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Negative prompt: fog\nSteps: 4, Seed: 7, Size: 64x32", "has no prompt"),
        (
            "a ewe\nNegative prompt: fog\nSteps: 4, Seed: 7, Size: 250x251",
            "must be a multiple of 8 for this model, got 250. Nearest: 248 or 256.",
        ),
    ],
)
def test_what_cannot_be_drawn_is_shown_without_a_command(run: Run, text: str, why: str) -> None:
    save_foreign("x.png", text)
    result = run("show", "x.png")
    assert result.exit_code == 0
    shown = dict(line.rsplit(maxsplit=1) for line in result.stdout.splitlines())
    assert (shown["negative prompt"], shown["seed"], shown["steps"]) == ("fog", "7", "4")
    assert shown["size"] in ("64x32", "250x251")
    assert "No command can generate it" in result.stderr
    assert why in result.stderr
    asked = run("show", "x.png", "--format", "command")
    assert asked.exit_code == 1
    assert asked.stdout == ""
    assert why in asked.stderr


def test_the_program_is_named(run: Run) -> None:
    save_foreign("x.png", json.dumps({"sui_image_params": {"prompt": "a ewe", "seed": 7}}))
    result = run("show", "x.png")
    assert result.stdout == "sheepgen generate 'a ewe' --seed 7\n"
    assert result.stderr == "Generated by SwarmUI.\n"
    assert json.loads(run("show", "x.png", "--json").stdout)["program"] == "SwarmUI"


def test_an_image_that_says_much_is_cut_short(run: Run) -> None:
    notes = ", ".join(f"N{number}: 1" for number in range(40_000))
    save_foreign("x.png", f"a ewe\nSteps: 4, Seed: 7, {notes}")
    result = run("show", "x.png")
    assert result.exit_code == 0
    assert result.stderr.count("\n") == 21
    assert "Not mapped: 980 more; `sheepgen show --json` lists them." in result.stderr


def test_a_picture_too_large_to_open_still_says_how_it_was_made(run: Run) -> None:
    info = PngInfo()
    info.add_text("parameters", FOREIGN)
    Image.new("1", (9_500, 9_500)).save("x.png", pnginfo=info)
    result = run("show", "x.png")
    assert result.exit_code == 0
    assert result.stdout.startswith("sheepgen generate 'a red fox")


def test_a_damaged_record_is_not_passed_over(run: Run) -> None:
    info = PngInfo()
    info.add_text("parameters", FOREIGN)
    info.add_text("sheepgen", "{}")
    sample_image().save("x.png", pnginfo=info)
    result = run("show", "x.png")
    assert result.exit_code == 1
    assert "x.png: The record has format None" in result.stderr


def test_a_missing_image_is_an_error(run: Run) -> None:
    assert run("show", "missing.png").exit_code == 1
    assert run("show").exit_code == 2


@settings(max_examples=60)
@given(record=records.filter(lambda record: record.request.prompt != "-"))
def test_the_command_stands_for_the_same_request(typed: Typed, record: ImageRecord) -> None:
    command = to_command(record.request)
    if "$'" not in command:  # quoting that only a shell undoes; tests/test_infotext.py asks one
        asked = expand_request(typed(*shlex.split(command)[1:]))
        # It names files and what was picked, and no hashes and templates.
        assert all(getattr(asked, name) == getattr(record.request, name) for name in FIELDS)


def test_what_is_not_mapped_is_told_in_few_lines(run: Run) -> None:
    many = ", ".join(f"Key {number}: value" for number in range(5000))
    save_foreign("many.png", f"a sheep\nSteps: 20, Seed: 42, {many}")
    result = run("show", "many.png")
    assert result.exit_code == 0, result.stderr
    assert len(result.stderr.splitlines()) <= 25
    assert "more" in result.stderr.splitlines()[-1]


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
