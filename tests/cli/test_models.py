from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import constants

from sheepgen.models.registry import KNOWN_MODELS
from sheepgen.schedulers import SCHEDULERS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def _no_cached_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


def test_every_scheduler_is_listed_with_its_other_names(run: Run) -> None:
    lines = run("schedulers").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(SCHEDULERS)
    (line,) = (line for line in lines if line.startswith("dpmpp_2m_karras "))
    assert "DPM++ 2M " in line
    assert "Karras" in line


def test_every_model_is_listed(run: Run) -> None:
    lines = run("models").stdout.splitlines()
    names = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert names == list(KNOWN_MODELS)
    assert all(len(line) <= 90 for line in lines)
    assert all(any(model.about in line for line in lines) for model in KNOWN_MODELS.values())


def test_a_model_is_listed_with_its_settings_and_its_range(run: Run) -> None:
    text = run("models").stdout
    assert "\n    1 step, guidance 1 (off), " in text
    assert "\n    made for guidance 1 (off), 1 to 4 steps, " in text
    assert "\n    8 steps, guidance 1.5, " in text
    assert "\n    made for guidance 1 to 3, 6 steps or more, sides of 224 to 256 pixels\n" in text


def test_lists_are_json_lines_too(run: Run) -> None:
    for command, table in (("schedulers", SCHEDULERS), ("models", KNOWN_MODELS)):
        rows = [json.loads(line) for line in run(command, "--json").stdout.splitlines()]
        assert [row["name"] for row in rows] == list(table)
