from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from huggingface_hub import constants

from sheepgen.models import families, hub
from sheepgen.models.hub import DownloadPlan
from sheepgen.models.registry import KNOWN_MODELS
from sheepgen.models.resolve import find_model
from tests.embedded.vocabularies import tiny_table
from tests.tiny_kandinsky import save_tiny_kandinsky
from tests.toy_family import TOY, save_toy_model

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the folder of a model with a vocabulary."""
    family = replace(TOY, vocabulary="vocabulary.json")
    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, family))
    folder = save_toy_model(tmp_path / "toy")
    (folder / "vocabulary.json").write_text(json.dumps(tiny_table()))
    return str(folder)


def test_what_is_known_of_the_installed_model(run: Run) -> None:
    lines = run("models", "info", "sheepgen").stdout.splitlines()
    rows = dict(line.split(maxsplit=1) for line in lines if not line.startswith(" "))
    spec = find_model("sheepgen")
    assert rows["licence"] == "Apache-2.0"
    assert rows["folder"] == str(spec.folder)
    assert rows["weights"].endswith(f"sha256 {spec.sha256}")
    assert rows["size"] == "256x256, in multiples of 8"
    assert (rows["steps"], rows["guidance"], rows["scheduler"]) == ("8", "1.5", "lcm")
    data = json.loads(run("models", "info", "sheepgen", "--json").stdout)
    assert (data["family"], data["sha256"]) == ("sheepgen", spec.sha256)
    assert data["defaults"]["num_inference_steps"] == 8


def test_a_folder_is_described_by_its_files_alone(run: Run, tiny_folder: Path) -> None:
    shown = run("models", "info", str(tiny_folder))
    assert shown.exit_code == 0, shown.output
    assert "Stable Diffusion 1.x and 2.x" in shown.stdout
    assert "\nlicence      not known\n" in shown.stdout
    assert "made for" not in shown.stdout
    assert json.loads(run("models", "info", str(tiny_folder), "--json").stdout)["things"] is None


def test_a_model_with_a_prior_has_its_defaults_and_columns(run: Run, tmp_path: Path) -> None:
    folder = save_tiny_kandinsky(tmp_path / "kandinsky")
    lines = run("models", "info", str(folder)).stdout.splitlines()
    assert "prior        25 steps, guidance 4" in lines
    spec = find_model(str(folder))
    names, classes = spec.family.components, spec.checkpoint.classes
    rows = [line for line in lines if len(line.split()) > 1 and line[13:].split()[0] in names]
    assert len(rows) == len(names)
    starts = {
        line.index(classes[line[13:].split()[0]], 14) for line in rows if "Scheduler" not in line
    }
    assert starts == {33}


def test_of_a_model_that_is_not_here_the_download_is_described(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = DownloadPlan(
        repo="org/name",
        commit="c0ffee",
        licence="MIT",
        files=(),
        total_bytes=2_000_000_000,
        free_bytes=1,
        folder=tmp_path,
    )
    monkeypatch.setattr(hub, "plan_download", lambda *_: plan)
    assert "org/name, licence MIT" in run("models", "info", "org/name").stdout
    assert run("models", "info", "org/name", "--things").exit_code == 2


def test_things_are_listed_by_group(run: Run, toy: str) -> None:
    concepts = tiny_table()["concepts"]
    said = f"things       {len(concepts)}; --things lists them"
    assert said in run("models", "info", toy).stdout
    lines = run("models", "info", toy, "--things").stdout.splitlines()
    assert lines[:2] == ["animal (3)", "    cat, elephant, wolf"]
    assert "vehicle (1)" in lines
    rows = [
        json.loads(line)
        for line in run("models", "info", toy, "--things", "--json").stdout.splitlines()
    ]
    assert [row["name"] for row in rows] == [*concepts]
    assert rows[0] == {
        "name": "cat",
        "group": "animal",
        "names": ["cat", "cats", "kitten"],
    }


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["kitten"], ["cat (animal), also: kitten"]),
        (["fire", "truck"], ["fire truck (vehicle)"]),
        (["hound"], ["wolf (animal)"]),
        (["clothing"], ["sun hat (clothing), also: hat", "goggles (clothing)"]),
    ],
)
def test_things_are_found_by_any_name(
    run: Run, toy: str, words: list[str], found: list[str]
) -> None:
    assert run("models", "info", toy, "--things", *words).stdout.splitlines() == found


def test_what_is_not_found_is_said_with_the_nearest_name(run: Run, toy: str) -> None:
    result = run("models", "info", toy, "--things", "elefant")
    assert (result.exit_code, result.stdout) == (1, "")
    assert 'knows nothing called "elefant". Did you mean "elephant"?' in result.stderr
    result = run("models", "info", toy, "--things", "\x1b[31mx[/red]" + "w" * 10_000)
    assert result.exit_code == 1
    assert "\x1b" not in result.stderr
    assert len(result.stderr) < 300


def test_a_damaged_vocabulary_is_said(run: Run, toy: str, tmp_path: Path) -> None:
    (tmp_path / "toy" / "vocabulary.json").write_text('{"version": 1}')
    result = run("models", "info", toy, "--things")
    assert result.exit_code == 1
    assert "is not a valid vocabulary" in result.stderr


def test_a_model_that_takes_any_words_has_no_list(run: Run, tiny_folder: Path) -> None:
    result = run("models", "info", str(tiny_folder), "--things")
    assert result.exit_code == 2
    assert "it takes any words" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inf"], 'Unknown command "models inf".\nCommands: list, info, pull, rm, verify.'),
        (["info"], "Missing argument 'MODEL'"),
        (["info", "sheepgen", "cat"], "WORD needs --things."),
        (["--json", "info", "sheepgen"], 'Put --json after "info".'),
        (["info", "nothing"], 'Unknown model "nothing".'),
    ],
)
def test_what_is_wrong_with_the_command_line_is_said(
    run: Run, words: list[str], message: str
) -> None:
    result = run("models", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_models_still_lists_them(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    assert run("models", "list").stdout == run("models").stdout
    assert len(run("models", "list", "--json").stdout.splitlines()) == len(KNOWN_MODELS)
