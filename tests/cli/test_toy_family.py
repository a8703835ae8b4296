"""A family that only the tests define does everything through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

import sheepgen
from sheepgen.embedded import family
from sheepgen.metadata.image_file import read_record
from sheepgen.models import families
from sheepgen.pipeline import (
    chroma,
    deepfloyd_if,
    diffusers_pipeline,
    flux1,
    flux2_klein,
    kandinsky,
    latent_diffusion,
    lumina2,
    pixart,
    qwen_image,
    sana,
    stable_diffusion,
    stable_diffusion_3,
    stable_diffusion_xl,
    unconditional,
    z_image,
)
from sheepgen.pipeline.noise import tensor_sha256
from tests import toy_family
from tests.toy_family import TOY, ToyModel, save_toy_model

if TYPE_CHECKING:
    from sheepgen.pipeline.family import FamilyModule
    from tests.cli.conftest import Run


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the folder of a toy model, its family added to those that run."""
    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, TOY))
    return str(save_toy_model(tmp_path / "toy"))


def test_an_image_with_all_frames_is_generated_verified_and_changed(toy: str, run: Run) -> None:
    words = ["a red sheep", "--model", toy, "--seed", "7", "-o", "x.png"]
    made = run(*words, "--frames", "all", "--device", "cpu")
    assert made.exit_code == 0, made.output
    with Image.open("x.png") as image:
        assert image.size == (16, 16)
        pixels = np.asarray(image)
    assert pixels.std() > 0
    kept = {path.name for path in Path("x_frames").iterdir()}
    assert len(kept) == 8, "clean and noisy, from the noise to the last step"
    assert Path("x_filmstrip.png").is_file()
    assert Path("x_animation.gif").is_file()
    record = read_record(Path("x.png"))
    assert record.request.scheduler == "dpmpp_2m"
    assert record.truncated == ()
    noise = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(7))
    assert record.noise_sha256 == tensor_sha256(noise)

    verified = run("verify", "x.png", "--json")
    assert verified.exit_code == 0, verified.output
    assert json.loads(verified.stdout)["verdict"] == "equal"

    changed = run("rerun", "x.png", "--guidance", "9", "-o", "y.png")
    assert changed.exit_code == 0, changed.output
    with Image.open("y.png") as image:
        assert not np.array_equal(np.asarray(image), pixels)


def test_a_sweep(toy: str, run: Run) -> None:
    words = ["sweep", "a sheep", "--model", toy, "--scheduler", "dpmpp_2m,unipc", "-o", "out/"]
    swept = run(*words, "--seeds", "1-2", "--frames", "none")
    assert swept.exit_code == 0, swept.output
    assert len(set(swept.stdout.split())) == 4
    verified = run("verify", "out")
    assert verified.exit_code == 0, verified.output
    again = run(*words, "--seeds", "1-4", "--batch-size", "2", "--frames", "none")
    assert again.exit_code == 0, again.output
    assert len(again.stdout.split()) == 4


def test_what_it_cannot_do_is_said_before_weights_are_loaded(
    toy: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("tests.toy_family.load")
    refused = run("a sheep", "--model", toy, "--scheduler", "ddim")
    assert refused.exit_code == 2
    assert "ddim does not run with flow models" in refused.output
    refused = run("a sheep", "--model", toy, "--width", "15")
    assert refused.exit_code == 2
    refused = run("a sheep with more letters than it reads", "--model", toy, "--strict")
    assert refused.exit_code == 2
    assert "this model reads 24. Not read: s than it reads" in re.sub(r"\s+", " ", refused.output)


def test_every_familys_module_offers_what_it_has_to() -> None:
    flows = (chroma, flux1, flux2_klein, lumina2, qwen_image, sana, stable_diffusion_3, z_image)
    unets = (kandinsky, latent_diffusion, stable_diffusion, stable_diffusion_xl, unconditional)
    every = (family, deepfloyd_if, diffusers_pipeline, pixart, *unets, toy_family, *flows)
    modules: tuple[FamilyModule, ...] = every
    named = {family.pipeline for family in (*families.FAMILIES, TOY)}
    assert {module.__name__ for module in every} == named
    for module in modules:
        assert all(map(callable, (module.load, module.read_prompt, module.check_schedule)))


def test_from_python(toy: str) -> None:
    model = sheepgen.load_model(toy, device="cpu", dtype="bf16")
    assert isinstance(model, ToyModel)
    request = sheepgen.GenerationRequest(prompt="a sheep", seed=1, width=8, height=12)
    assert sheepgen.generate(model, request).size == (8, 12)
