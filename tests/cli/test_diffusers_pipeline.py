"""A model that runs in diffusers' own loop does through the commands what others do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from sheepgen.metadata.image_file import read_record
from sheepgen.metadata.record import DIFFUSERS_LOOP
from tests.tiny_pipelines import save_tiny_pipeline

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SMALL = ("--steps", "3", "--size", "64x48", "--device", "cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_pipeline(tmp_path_factory.mktemp("models") / "aura", "AuraFlow"))


def said(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_an_image_with_frames_is_generated_shown_verified_and_changed(model: str, run: Run) -> None:
    words = ["a red sheep", "--model", model, "--seed", "7", "-o", "x.png", *SMALL]
    made = run(*words, "--frames", "gif")
    assert made.exit_code == 0, made.output
    assert "show the noisy latents; it runs in diffusers' own loop" in said(made.stderr)
    kept = {path.name for path in Path("x_frames").iterdir()}
    assert kept == {f"noisy_{step:03}.png" for step in range(4)}
    with Image.open("x_filmstrip.png") as strip, Image.open("x_animation.gif") as animation:
        assert strip.width > animation.width
        assert animation.n_frames == 5  # type: ignore[attr-defined]
    record = read_record(Path("x.png"))
    assert record.environment.recipe == DIFFUSERS_LOOP
    assert record.request.scheduler == "own"

    shown = run("show", "x.png")
    assert "Generated in diffusers' own loop, with diffusers" in shown.stdout
    assert "Sampler: own" in shown.stdout
    verified = run("verify", "x.png", "--json")
    assert verified.exit_code == 0, verified.output
    assert json.loads(verified.stdout)["verdict"] == "equal"
    changed = run("rerun", "x.png", "--guidance", "9", "-o", "y.png")
    assert changed.exit_code == 0, changed.output
    assert Path("y.png").read_bytes() != Path("x.png").read_bytes()
    again = run("rerun", "x.png", "-o", "z.png")
    assert again.exit_code == 0, again.output
    assert Path("z.png").read_bytes() == Path("x.png").read_bytes()


def test_a_record_of_another_version_is_not_taken_for_a_proof(model: str, run: Run) -> None:
    run("a sheep", "--model", model, "--seed", "1", "-o", "x.png", *SMALL)
    with Image.open("x.png") as image:
        record = json.loads(image.info["sheepgen"])
        record["environment"]["diffusers"] = "0.1.0"
        record["latents_sha256"] = "0" * 64
        from PIL.PngImagePlugin import PngInfo

        texts = PngInfo()
        texts.add_text("sheepgen", json.dumps(record))
        image.save("old.png", pnginfo=texts)
    verified = run("verify", "old.png", "--json")
    assert verified.exit_code == 1
    assert any("diffusers (0.1.0" in cause for cause in json.loads(verified.stdout)["causes"])


def test_a_sweep_is_resumed(model: str, run: Run) -> None:
    words = ["sweep", "a sheep", "--model", model, "--guidance", "1,4", "-o", "out/", *SMALL]
    first = run(*words, "--seeds", "1", "--batch-size", "2", "--frames", "none")
    assert first.exit_code == 0, first.output
    assert "batch size has no effect" in said(first.stderr)
    made = {path: path.stat().st_mtime_ns for path in Path("out").glob("*.png")}
    assert len(first.stdout.split()) == 2
    more = run(*words, "--seeds", "1-2", "--frames", "none")
    assert more.exit_code == 0, more.output
    kept = {path: path.stat().st_mtime_ns for path in made if "sheet" not in path.name}
    assert kept.items() <= made.items()
    assert run("verify", "out").exit_code == 0


def test_jobs_of_a_batch(model: str, run: Run) -> None:
    jobs = "".join(
        json.dumps({"prompt": "a sheep", "seed": seed, "model": model, "steps": 2, "size": "64x48"})
        + "\n"
        for seed in (1, 2)
    )
    answered = run("batch", "-", "-o", "out/", stdin=jobs)
    assert answered.exit_code == 0, answered.output
    assert [json.loads(line)["status"] for line in answered.stdout.splitlines()] == ["done"] * 2


def test_what_it_cannot_do_is_said_before_weights_are_loaded(
    model: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("sheepgen.pipeline.diffusers_pipeline.load")
    for words in (
        ("--scheduler", "euler"),
        ("--hires", "2"),
        ("--variation-seed", "3", "--variation-strength", "0.5"),
    ):
        refused = run("a sheep", "--model", model, *words)
        assert refused.exit_code == 2
        assert "AuraFlow runs in diffusers' own loop" in said(refused.output)
    planned = run("a sheep", "--model", model, "--eta", "0.5", "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert "eta has no effect" in said(planned.output)


def test_what_is_known_of_it(model: str, run: Run) -> None:
    known = run("models", "info", model)
    assert known.exit_code == 0, known.output
    lines = dict(line.split(maxsplit=1) for line in known.stdout.splitlines() if " " in line)
    assert lines["family"] == "AuraFlow"
    assert lines["scheduler"] == "its own"
    assert lines["size"] == "128x128, in multiples of 16"
    assert lines["loop"] == "diffusers' own"


def test_modular_pipelines_are_refused(tmp_path: Path, run: Run) -> None:
    (tmp_path / "flux").mkdir()
    (tmp_path / "flux" / "modular_model_index.json").write_text("{}")
    refused = run("a sheep", "--model", "./flux")
    assert refused.exit_code == 1
    assert "is a modular pipeline of diffusers, which is not supported" in said(refused.output)
