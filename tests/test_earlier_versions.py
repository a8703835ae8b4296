"""Files made by an earlier version are read, verified and resumed: ``tests/data/version_0_1``.

They are of the embedded model as it was installed then. What is asked here holds for whatever model
is installed: records, names, keys and noise depend on none.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from sheepgen import plan_sweep, run_sweep
from sheepgen.cli.app import app
from sheepgen.execution import plan as execution_plan
from sheepgen.execution.image_key import image_key
from sheepgen.metadata.image_file import read_record
from sheepgen.models.resolve import find_model
from sheepgen.output.manifest import Manifest
from sheepgen.request import EMBEDDED_MODEL

if TYPE_CHECKING:
    from sheepgen.models.spec import ModelSpec

FILES = Path(__file__).parent / "data" / "version_0_1"

SWEEP: dict[str, Any] = {
    "prompt": ["a red ball", "a blue ball"],
    "seed": [1, 2],
    "guidance_scale": [1.5],
    "size": [(64, 64)],
    "num_inference_steps": [2],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy that a test may change."""
    return shutil.copytree(FILES, tmp_path / "files")


@pytest.fixture
def model_of_then(monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the installed model taken for the one that the files were made with."""
    sha256 = read_record(FILES / "image.jpg").environment.model_sha256

    def find(name: str, **options: Any) -> ModelSpec:
        spec = find_model(name, **options)
        return replace(spec, sha256=sha256, defaults=replace(spec.defaults, guidance_scale=2.0))

    for way in ("find_model", "resolve_model"):
        monkeypatch.setattr(execution_plan, way, find)
    return sha256


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_records_are_read_from_every_format() -> None:
    jpeg, webp = (read_record(FILES / f"image.{suffix}") for suffix in ("jpg", "webp"))
    assert (jpeg.request.prompt, jpeg.request.seed, jpeg.request.scheduler) == ("a cow", 3, "lcm")
    varied = webp.request
    assert varied.negative_prompt == "blur, {x}"
    assert (varied.variation_seed, varied.variation_strength, varied.eta) == (9, 0.2, 0.5)
    steps = sorted(FILES.glob("frames/*_frames/step_*.png"))
    assert len(steps) == 3
    assert {read_record(step).request.negative_prompt for step in steps} == {"blur"}


@pytest.mark.parametrize("name", ["sweep", "batch", "frames"])
def test_images_have_the_keys_that_their_manifest_gave_them(name: str) -> None:
    manifest = Manifest(FILES / name)
    manifest.refresh()
    entries = [*manifest.entries()]
    assert entries
    for entry in entries:
        record = read_record(FILES / name / entry["path"])
        sha256 = record.environment.model_sha256
        assert image_key(record.request, model_sha256=sha256, dtype="auto") == entry["key"]
        assert manifest.is_intact(entry["key"])


@pytest.mark.usefixtures("model_of_then")
def test_a_sweep_that_is_complete_has_nothing_left_to_do(folder: Path) -> None:
    plan = plan_sweep(SWEEP, folder / "sweep")
    assert not plan.missing
    assert len(plan.done) == 4


@pytest.mark.usefixtures("model_of_then")
def test_a_sweep_goes_on_with_its_own_names(folder: Path) -> None:
    sweep = folder / "sweep"
    lost = sweep / "a-blue-ball_s2_g1.5_2steps_64x64.png"
    lost.unlink()
    kept = {path: path.read_bytes() for path in sweep.glob("a-*.png")}
    plan = plan_sweep(SWEEP, sweep)
    assert [target.path for target in plan.targets.values() if target.path == lost] == [lost]
    assert [request.seed for request in plan.missing] == [2]
    for _ in run_sweep(plan):
        pass
    assert lost.exists()
    assert {path: path.read_bytes() for path in kept} == kept
    before, after = lines(FILES / "sweep/manifest.jsonl"), lines(sweep / "manifest.jsonl")
    assert after[:-1] == before
    reading = {"understood", "unused", "corrected"}
    assert after[-1].keys() - reading - {"schedule"} == before[-1].keys() - reading
    assert after[-1]["noise_sha256"] == before[-1]["noise_sha256"]


@pytest.mark.usefixtures("model_of_then")
def test_frames_of_a_lost_image_are_replaced_with_it(folder: Path) -> None:
    (image,) = folder.glob("frames/*_not-blur.png")
    image.unlink()
    words = ["sweep", "a cow", "--seeds", "3", "--size", "64x64", "--steps", "2"]
    words += ["--scheduler", "ddim", "--eta", "0.5", "--variation-seed", "9", "-n", "blur"]
    words += ["--variation-strength", "0.2", "--frames", "gif", "--no-sheet"]
    result = CliRunner().invoke(app, [*words, "-o", f"{folder / 'frames'}/"])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [str(image)]
    assert not list(folder.glob("frames/*_2*_2.png"))


def test_images_are_verified(folder: Path) -> None:
    result = CliRunner().invoke(app, ["verify", "--json", str(folder), str(folder / "sweep")])
    outcomes = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(outcomes) == 6
    # Latents and pixels depend on processor, versions and weights. Noise does not, but processors
    # round otherwise where that of two seeds is mixed.
    mixed = {outcome["path"] for outcome in outcomes if outcome["path"].endswith(".webp")}
    assert len(mixed) == 1
    assert all(outcome["noise_equal"] for outcome in outcomes if outcome["path"] not in mixed)


def test_a_batch_answers_for_what_is_there(folder: Path) -> None:
    job = {"prompt": "a cow", "seed": 7, "steps": 2, "size": "64x64"}
    spec = find_model(EMBEDDED_MODEL)
    recorded = read_record(folder / "batch/a-cow_7.png").environment.model_sha256
    result = CliRunner().invoke(
        app, ["batch", "-", "-o", f"{folder / 'batch'}/", "--resume"], input=json.dumps(job)
    )
    (answer,) = map(json.loads, result.stdout.splitlines())
    assert answer["status"] == "done"
    assert answer.get("cached", False) is (spec.sha256 == recorded)
