"""Models that read no prompt, on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sheepgen.metadata.image_file import read_record
from sheepgen.metadata.image_texts import read_texts
from tests.tiny_unconditional import save_tiny_ddpm, save_tiny_ldm_without_prompts

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture
def draw(run: Run) -> Run:
    """Return a function that draws with a model called digits, in two steps; it is there."""
    save_tiny_ddpm(Path("digits"))
    return lambda *words, **settings: run(*words, "--model", "digits", "--steps", "2", **settings)


def test_images_are_called_after_the_model(draw: Run) -> None:
    made = draw("--seed", "7", "--count", "2", "--frames", "strip")
    assert made.exit_code == 0, made.output
    assert made.stdout.split() == ["outputs/digits_7.png", "outputs/digits_8.png"]
    assert "Warning" not in made.stderr
    with Image.open("outputs/digits_7.png") as image:
        pixels = np.asarray(image)
    assert pixels.shape == (12, 12, 3)
    assert pixels.std() > 0
    assert np.array_equal(pixels[..., 0], pixels[..., 2])
    assert Path("outputs/digits_7_filmstrip.png").is_file()


def test_sixteen_samples_come_on_one_sheet(draw: Run) -> None:
    made = draw("--seed", "1", "--count", "16", "--sheet")
    assert made.exit_code == 0, made.output
    assert len(made.stdout.split()) == 16
    assert "Contact sheet: outputs/digits_1_sheet.png" in made.stderr
    with Image.open("outputs/digits_1_sheet.png") as sheet:
        assert sheet.height > sheet.width


def test_standard_input_is_not_waited_for(draw: Run) -> None:
    made = draw("generate", "--seed", "7", "--json", stdin="a three")
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["request"]["prompt"] == ""


def test_an_image_is_shown_verified_and_changed(draw: Run, run: Run) -> None:
    draw("--seed", "7", "-o", "x.png")
    assert read_record(Path("x.png")).request.prompt == ""
    assert read_texts(Path("x.png")).texts["parameters"].startswith("Steps: 2, Sampler: DDPM")
    shown = run("show", "x.png", "--format", "command").stdout
    assert shown == (
        "sheepgen generate --seed 7 --steps 2 --guidance 1 --width 12 --height 12 "
        "--scheduler ddpm --model digits\n"
    )
    verified = run("verify", "x.png", "--json")
    assert json.loads(verified.stdout)["verdict"] == "equal"
    again = run(*shown.split()[1:], "-o", "again.png")
    assert again.exit_code == 0, again.output
    assert Path("again.png").read_bytes() == Path("x.png").read_bytes()
    changed = run("rerun", "x.png", "--seed", "8", "-o", "y.png")
    assert changed.exit_code == 0, changed.output
    assert Path("y.png").read_bytes() != Path("x.png").read_bytes()


def test_a_sweep_needs_no_prompt(run: Run) -> None:
    save_tiny_ddpm(Path("digits"))
    save_tiny_ldm_without_prompts(Path("faces"))
    words = ["sweep", "--model", "digits,faces", "--steps", "2", "--seeds", "1-2"]
    swept = run(*words)
    assert swept.exit_code == 0, swept.output
    assert swept.stdout.split() == [
        f"outputs/digits_sweep/{model}_s{seed}_2steps.png"
        for model in ("digits", "faces")
        for seed in (1, 2)
    ]
    assert Path("outputs/digits_sweep/contact_sheet.png").is_file()
    assert "Nothing to do" in run(*words).stderr


def test_a_job_needs_no_prompt(draw: Run) -> None:
    made = draw("batch", stdin='{"seed": 3}\n{"seed": 4, "model": "sheepgen"}\n')
    first, second = map(json.loads, made.stdout.splitlines())
    assert first["path"] == "outputs/digits_3.png"
    assert second["error"]["message"] == "The prompt is empty."
    assert made.exit_code == 3


def test_a_picture_may_come_through_the_pipe(draw: Run) -> None:
    draw("--seed", "7", "-o", "x.png")
    made = draw("--image", "-", "--seed", "8", stdin=Path("x.png").read_bytes())
    assert made.exit_code == 0, made.output
    assert read_record(Path(made.stdout.strip())).request.image is not None


def test_a_prompt_without_effect_is_said(draw: Run) -> None:
    made = draw("a three", "--seed", "7")
    assert made.stdout == "outputs/a-three_7.png\n"
    assert "Warning: prompt has no effect with digits; it reads none." in made.stderr
    refused = draw("a three", "--seed", "7", "--strict")
    assert refused.exit_code == 2
    assert "This model reads no prompt. Not read: a three" in refused.stderr
    assert "Leave it out" in refused.stderr


def test_models_info_and_a_dry_run_say_that_none_is_read(draw: Run, run: Run) -> None:
    assert "prompts      not read" in run("models", "info", "digits").stdout
    planned = draw("--dry-run", "--seed", "7")
    assert "prompt           not read" in planned.stdout
    assert "outputs/digits_7.png" in planned.stdout


@pytest.mark.parametrize("words", [(), ("sweep", "--seeds", "1-2")])
def test_other_models_still_ask_for_one(words: tuple[str, ...], run: Run) -> None:
    result = run(*words, "--model", "sheepgen", stdin="")
    assert result.exit_code == 2
    assert "Error: The prompt is empty.\nSay what to generate." in result.stderr
