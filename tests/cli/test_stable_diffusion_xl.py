"""A Stable Diffusion XL model does everything through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from diffusers import EulerAncestralDiscreteScheduler

from sheepgen.metadata.image_file import read_record
from tests.tiny_xl import SCHEDULE, save_tiny_xl

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture(scope="module")
def xl(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_xl(tmp_path_factory.mktemp("models") / "xl"))


def test_an_image_with_frames_is_generated_verified_and_changed(xl: str, run: Run) -> None:
    words = ["a red sheep", "-m", xl, "--seed", "7", "--steps", "2", "-n", "mud", "-o", "x.png"]
    made = run(*words, "--original-size", "64x48", "--crop-offset", "8x0", "--frames", "all")
    assert made.exit_code == 0, made.output
    assert len([*Path("x_frames").iterdir()]) == 6, "clean and noisy, from the noise to step 2"
    assert Path("x_filmstrip.png").is_file()
    request = read_record(Path("x.png")).request
    assert (request.scheduler, request.guidance_scale) == ("euler", 5.0)
    assert (request.original_size, request.crop_offset, request.target_size) == (
        "64x48",
        "8x0",
        None,
    )

    verified = run("verify", "x.png", "--json")
    assert verified.exit_code == 0, verified.output
    assert json.loads(verified.stdout)["verdict"] == "equal"

    shown = run("show", "x.png", "--format", "command").stdout
    assert "--original-size 64x48 --crop-offset 8x0" in shown
    for change in (["--target-size", "96x96"], ["--negative-prompt", ""]):
        changed = run("rerun", "x.png", *change, "-o", "y.png", "--overwrite", "--frames", "none")
        assert changed.exit_code == 0, changed.output
        hashes = [read_record(Path(name)).latents_sha256 for name in ("x.png", "y.png")]
        assert hashes[0] != hashes[1], change


def test_a_sweep(xl: str, run: Run) -> None:
    words = ["sweep", "a {sheep|goat}", "-m", xl, "--seeds", "1", "--steps", "1", "-o", "out/"]
    words += ["--frames", "none", "--original-size", "32x32,64x64"]
    swept = run(*words)
    assert swept.exit_code == 0, swept.output
    assert {Path(line).name for line in swept.stdout.split()} == {
        f"a-{animal}_s1_1steps_xl_from{size}.png"
        for animal in ("sheep", "goat")
        for size in ("32x32", "64x64")
    }
    verified = run("verify", "out")
    assert verified.exit_code == 0, verified.output
    again = run(*words, "--target-size", "64x64", "--batch-size", "2")
    assert again.exit_code == 0, again.output


def test_a_distilled_model_has_its_own_defaults_and_says_what_has_no_effect(
    tmp_path: Path, run: Run
) -> None:
    scheduler = EulerAncestralDiscreteScheduler(**SCHEDULE | {"timestep_spacing": "trailing"})
    turbo = str(save_tiny_xl(tmp_path / "turbo", scheduler=scheduler))
    made = run("a sheep", "-m", turbo, "-n", "mud", "-s", "1", "-o", "x.png", "--frames", "none")
    assert made.exit_code == 0, made.output
    request = read_record(Path("x.png")).request
    assert (request.num_inference_steps, request.guidance_scale) == (4, 1.0)
    assert request.scheduler == "euler_a"
    said = re.sub(r"\s+", " ", made.output)
    assert "negative prompt has no effect with guidance 1 or less." in said
    guided = run("a sheep", "-m", turbo, "-g", "5", "--steps", "50", "--dry-run")
    said = re.sub(r"\s+", " ", guided.output)
    assert "was made for guidance 1 to 2, not 5; 1 to 12 steps, not 50." in said


def test_a_size_has_its_form_and_its_models(xl: str, tiny_folder: Path, run: Run) -> None:
    refused = run("a sheep", "-m", xl, "--original-size", "large", "--dry-run")
    assert refused.exit_code == 2
    assert 'original size must look like 1024x768, got "large"' in refused.output
    idle = run("a sheep", "-m", str(tiny_folder), "--crop-offset", "8x8", "--dry-run")
    assert idle.exit_code == 0, idle.output
    said = re.sub(r"\s+", " ", idle.output)
    assert "crop offset has no effect with" in said
    assert "it is for Stable Diffusion XL." in said
    assert "no effect" not in run("a sheep", "-m", xl, "--crop-offset", "8x8", "--dry-run").output
