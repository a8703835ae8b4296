from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.tiny_z_image import save_tiny_z_image

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture
def explain(run: Run, tiny_folder: Path) -> Run:
    """Return a function that explains with the tiny model, in two steps."""

    def explain(*words: str) -> Any:
        model = () if "--model" in words else ("--model", str(tiny_folder))
        return run("explain", *words, *model, "--device", "cpu", "--steps", "2")

    return explain


def test_an_image_and_its_page_are_two_lines(explain: Run) -> None:
    result = explain("a red sheep", "--seed", "7")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "outputs/a-red-sheep_7.png",
        "outputs/a-red-sheep_7_explained.html",
    ]
    assert "Seed 7: 2 steps" in result.stderr
    assert Path("outputs/a-red-sheep_7_explained/03-sheep_heat.png").is_file()


def test_words_are_left_out_on_demand(explain: Run) -> None:
    result = explain("a red sheep", "--seed", "7", "--ablate", "-o", "fox.png")
    assert result.exit_code == 0
    assert 'Generating without "red".' in result.stderr
    assert Path("fox_explained/02-red_without.png").is_file()


def test_an_image_stays_if_ctrl_c_comes_before_its_page(
    explain: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(prompt: str) -> list[str]:
        signal.raise_signal(signal.SIGINT)
        return prompt.split()

    monkeypatch.setattr("sheepgen.explain.ablation.split_words", interrupted)
    result = explain("a red sheep", "--seed", "7", "--ablate")
    assert result.exit_code == 130
    assert result.stdout.splitlines() == ["outputs/a-red-sheep_7.png"]
    assert result.stderr.endswith("The image is saved, its page is not.\n")
    assert [path.name for path in Path("outputs").glob("[!.]*")] == ["a-red-sheep_7.png"]


def test_json_has_the_numbers(explain: Run) -> None:
    result = explain("a red sheep", "--seed", "7", "--json")
    (line,) = result.stdout.splitlines()
    told = json.loads(line)
    assert told["path"] == "outputs/a-red-sheep_7.png"
    assert told["explanation"]["page"] == "outputs/a-red-sheep_7_explained.html"
    assert told["explanation"]["pictures"] == "outputs/a-red-sheep_7_explained"
    assert [each["text"] for each in told["explanation"]["groups"]][:3] == ["a", "red", "sheep"]
    assert len(told["explanation"]["steps"]) == 2


def test_a_dry_run_generates_nothing(explain: Run) -> None:
    result = explain("a red sheep", "--seed", "7", "--dry-run")
    assert result.exit_code == 0
    assert "outputs/a-red-sheep_7.png" in result.stdout
    assert not Path("outputs").exists()


def test_a_transformer_is_refused_in_one_line(explain: Run, tmp_path: Path) -> None:
    folder = save_tiny_z_image(tmp_path / "z")
    for more in ((), ("--dry-run",)):
        result = explain("a red sheep", "--model", str(folder), *more)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert "Error: " in result.stderr
        assert " cannot be explained: Z-Image is not supported.\n" in result.stderr
    assert not Path("outputs").exists()
