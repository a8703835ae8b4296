"""``--variant`` chooses among a model's weights, and images keep which they were made with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sheepgen.metadata.image_file import read_record
from sheepgen.models.resolve import find_model
from tests.tiny import tiny_pipeline

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SMALL = ("--steps", "1", "--seed", "1", "--frames", "none", "--device", "cpu")


@pytest.fixture
def model(run: Run, model_copy: Path) -> str:
    """Return a folder with weights of two kinds."""
    assert run("--version").exit_code == 0  # the folder is the current one
    tiny_pipeline(seed=1).save_pretrained(model_copy, variant="fp16")
    return f"./{model_copy.name}"


def test_an_image_is_of_the_variant_and_says_so(run: Run, model: str) -> None:
    for options in ([], ["--variant", "fp16"]):
        name = f"{len(options)}.png"
        made = run("a red sheep", "-m", model, *SMALL, *options, "-o", name)
        assert made.exit_code == 0, made.output
    usual, half = (read_record(Path(f"{number}.png")) for number in (0, 2))
    assert (usual.request.variant, half.request.variant) == ("", "fp16")
    assert half.environment.model_sha256 == find_model(model, variant="fp16").sha256
    assert usual.environment.model_sha256 == find_model(model).sha256
    assert usual.latents_sha256 != half.latents_sha256

    checked = run("verify", "0.png", "2.png", "--json")
    assert checked.exit_code == 0, checked.output
    again = run("rerun", "2.png", "--frames", "none", "-o", "again.png", "--device", "cpu")
    assert again.exit_code == 0, again.output
    assert read_record(Path("again.png")) == half
    shown = run("show", "2.png", "--format", "command").stdout
    assert "--variant fp16" in shown


def test_a_rerun_with_another_model_has_none_of_its_variants(
    run: Run, model: str, tiny_folder: Path
) -> None:
    assert (
        run("a red sheep", "-m", model, *SMALL, "--variant", "fp16", "-o", "x.png").exit_code == 0
    )
    options = ("--frames", "none", "--device", "cpu", "--model", str(tiny_folder), "-o", "y.png")
    again = run("rerun", "x.png", *options)
    assert again.exit_code == 0, again.output
    assert read_record(Path("y.png")).request.variant == ""


def test_a_sweep_varies_it_and_loads_both(run: Run, model: str) -> None:
    tiny_pipeline(seed=2).save_pretrained(model, variant="bf16")
    options = ("--variant", "fp16,bf16", "-m", model, *SMALL, "-o", "out/", "--no-sheet")
    swept = run("sweep", "a red sheep", *options)
    assert swept.exit_code == 0, swept.output
    records = [read_record(path) for path in sorted(Path("out").glob("*.png"))]
    assert [record.request.variant for record in records] == ["bf16", "fp16"]
    assert len({record.latents_sha256 for record in records}) == 2


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--variant", "bf16"], 1, "no complete bf16 weights of its"),
        (["--variant", "../x"], 2, 'variant must look like fp16, got "../x".'),
        (["--model", "sheepgen", "--variant", "fp16"], 1, "no complete fp16 weights of its"),
    ],
)
def test_what_there_is_not_is_refused(
    run: Run, model: str, options: list[str], code: int, message: str
) -> None:
    refused = run("a red sheep", "-m", model, *SMALL, *options)
    assert refused.exit_code == code
    assert message in refused.stderr
