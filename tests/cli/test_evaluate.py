from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from sheepgen.training.data.scene import Scene
from sheepgen.training.evaluation import evaluate, prompts
from sheepgen.training.evaluation.classifier import Classifier
from sheepgen.training.evaluation.evaluate import Evaluator
from sheepgen.training.evaluation.prompts import Prompt
from tests.embedded.tiny_model import write_tiny_model
from tests.training.data.fakes import Blocks

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PROMPTS = (
    *(
        Prompt(
            group="single things",
            text=f"a {name}",
            scene=Scene(kind="single", subject=name, style="noto"),
            attributes={},
        )
        for name in ("sheep", "cat")
    ),
    Prompt(
        group="riding",
        text="a cat riding a bus on a beach",
        scene=Scene(kind="riding", subject="cat", other="bus", style="noto", place="beach"),
        attributes={"place": "beach"},
    ),
)


@pytest.fixture(autouse=True)
def _evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an untrained classifier and three prompts in place of the real ones."""
    torch.manual_seed(0)
    evaluator = Evaluator(
        classifier=Classifier((4, 4)).eval(),
        icons=Blocks(),
        image_size=32,
        real_features=np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32),
    )
    monkeypatch.setattr(evaluate, "build_evaluator", lambda *_: evaluator)
    monkeypatch.setattr(prompts, "read_prompts", lambda: PROMPTS)


def test_every_group_is_generated_and_scored(run: Run, tiny_folder: Path) -> None:
    words = ("--model", str(tiny_folder), "--device", "cpu", "--steps", "1", "--seeds", "3")
    result = run("evaluate", *words, "-o", "sheets")
    assert result.exit_code == 0, result.output
    headings, first, second = result.stdout.splitlines()[:3]
    assert re.split(r" {2,}", headings.strip()) == [
        "Prompts",
        "Images",
        "Exact match",
        "95% interval",
        "Recall",
        "False positives",
        "Upper bound",
    ]
    assert first.split()[:3] == ["single", "things", "6"]
    assert second.split()[:2] == ["riding", "3"]
    assert "Fréchet distance" in result.stdout.splitlines()[-1]
    assert "riding: " in result.stderr
    with Image.open("sheets/single-things.png") as sheet:
        assert sheet.size == (16 * 32, 32)


def test_existing_sheets_are_reported_before_the_model_is_loaded_and_overwritten_on_request(
    run: Run, tiny_folder: Path
) -> None:
    Path("mine").mkdir()
    Path("mine/riding.png").write_text("mine")
    words = ("--model", str(tiny_folder), "--steps", "1")
    result = run("evaluate", *words, "-o", "mine")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: mine/riding.png already exists.")
    assert Path("mine/riding.png").read_text() == "mine"
    assert [path.name for path in Path("mine").iterdir()] == ["riding.png"]
    result = run("evaluate", *words, "--group", "riding", "-o", "mine/riding.png/sheets")
    assert result.exit_code == 1
    assert "Cannot write to mine/riding.png/sheets" in result.stderr
    assert "images" not in result.stderr
    assert run("evaluate", *words, "--group", "single things", "-o", "mine").exit_code == 0
    assert Path("mine/single-things.png").is_file()
    assert run("evaluate", *words, "-o", "mine", "--overwrite").exit_code == 0
    with Image.open("mine/riding.png") as sheet:
        assert sheet.size == (16 * 32, 32)


def test_json_is_all_of_standard_output(run: Run, tiny_folder: Path) -> None:
    result = run("evaluate", "--model", str(tiny_folder), "--steps", "1", "--json", "-q")
    result_json = json.loads(result.stdout)
    assert [score["images"] for score in result_json["scores"]] == [4, 2]
    assert result_json["scores"][1].keys() == {
        "group", "images", "exact_match", "exact_match_interval", "recall", "false_positive_rate",
        "upper_bound",
    }  # fmt: skip
    assert result_json["frechet_distance"] > 0
    assert len(result_json["sha256"]) == 64
    settings = (
        result_json["num_inference_steps"],
        result_json["guidance_scale"],
        result_json["scheduler"],
    )
    assert (*settings, result_json["seeds"]) == (1, 7.5, "ddim", 2)
    assert result.stderr == ""


def test_some_groups_only(run: Run, tiny_folder: Path) -> None:
    words = ("--model", str(tiny_folder), "--steps", "1", "--json", "-q")
    result = run("evaluate", *words, "--group", "riding")
    assert result.exit_code == 0, result.output
    result_json = json.loads(result.stdout)
    assert [score["group"] for score in result_json["scores"]] == ["riding"]
    result_json = json.loads(
        run("evaluate", *words, "--group", "riding", "--group", "riding").stdout
    )
    assert [score["images"] for score in result_json["scores"]] == [2]


def test_prompts_that_a_small_model_does_not_know_are_skipped(run: Run, tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "small")
    words = ("--model", str(folder), "--steps", "1", "--json", "--seeds", "1")
    result = run("evaluate", *words)
    assert result.exit_code == 0, result.output
    assert "Skipping 2 of 3 prompts: unknown to the model." in result.stderr
    assert json.loads(result.stdout)["frechet_distance"] is None  # of one image
    scores = json.loads(result.stdout)["scores"]
    assert [(score["group"], score["images"]) for score in scores] == [("single things", 1)]
    refused = run("evaluate", *words, "--group", "riding")
    assert refused.exit_code == 2
    assert "knows the concepts of none of these prompts" in refused.stderr


def test_wrong_words_are_refused_before_anything_is_loaded(run: Run) -> None:
    assert run("evaluate", "--steps", "0").exit_code == 2
    assert run("evaluate", "--model", "nothing").exit_code == 2
    unknown = run("evaluate", "--group", "riding", "--group", "flying")
    assert unknown.exit_code == 2
    assert 'Unknown group "flying".' in unknown.stderr
    assert '"single things", "riding"' in unknown.stderr
    assert Path(".training").exists() is False


def test_unknown_groups_are_refused_without_torch() -> None:
    code = (
        "import sys; from sheepgen.cli.app import app\n"
        "try: app(['evaluate', '--group', 'flying'])\n"
        "except SystemExit as stop: sys.exit(100 + stop.code if 'torch' in sys.modules "
        "else stop.code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "two to four of a kind" in done.stderr
