from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sheepgen.training import evaluate
from sheepgen.training.classifier import Classifier
from sheepgen.training.evaluate import Judge
from sheepgen.training.scenes import Scene

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SCENES = {
    "single things": [
        Scene(kind="single", subject=name, caption=f"a {name}", layout_seed=0)
        for name in ("sheep", "cat")
    ],
    "riding": [
        Scene(kind="riding", subject="cat", other="bus", caption="a cat on a bus", layout_seed=0)
    ],
}


@pytest.fixture(autouse=True)
def judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an untrained judge and three prompts in place of the real ones."""
    judge = Judge(
        classifier=Classifier((4, 4)).eval(),
        ceilings=dict.fromkeys(SCENES, 100.0),
        real_features=np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32),
    )
    monkeypatch.setattr(Judge, "of", lambda _: judge)
    monkeypatch.setattr(evaluate, "evaluation_scenes", lambda: SCENES)


def test_every_group_is_drawn_and_scored(run: Run, tiny_folder: Path) -> None:
    words = ("--model", str(tiny_folder), "--device", "cpu", "--steps", "1", "--seeds", "3")
    result = run("evaluate", *words, "-o", "sheets")
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()[1:3]
    assert first.split()[:3] == ["single", "things", "6"]
    assert second.split()[:2] == ["riding", "3"]
    assert "Fréchet distance" in result.stdout.splitlines()[-1]
    assert "riding: " in result.stderr
    with Image.open("sheets/single-things.png") as sheet:
        assert sheet.size == (16 * 32, 32)


def test_json_is_all_of_standard_output(run: Run, tiny_folder: Path) -> None:
    result = run("evaluate", "--model", str(tiny_folder), "--steps", "1", "--json", "-q")
    told = json.loads(result.stdout)
    assert [score["pictures"] for score in told["scores"]] == [4, 2]
    assert told["frechet_distance"] > 0
    assert len(told["sha256"]) == 64
    assert result.stderr == ""


def test_wrong_words_are_refused_before_anything_is_loaded(run: Run) -> None:
    assert run("evaluate", "--steps", "0").exit_code == 2
    assert run("evaluate", "--model", "nothing").exit_code == 2
    assert Path(".training").exists() is False
