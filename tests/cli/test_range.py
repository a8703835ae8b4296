"""Every command that draws warns before it draws outside of the model's range, once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from typer.testing import Result

    from tests.cli.conftest import Run

GUIDANCE = "was made for guidance 1 to 3, not"


@pytest.fixture
def draw(run: Run, model_copy: Path) -> Callable[..., Result]:
    """Return a function that draws with a model that was made for guidance 1 to 3."""
    made_for = {
        "guidance_scale": [1, 3],
        "num_inference_steps": [1, 1000],
        "side": [32, 32],
        "slower_schedulers": [],
    }
    sampling = {"num_inference_steps": 1, "guidance_scale": 2.0, "made_for": made_for}
    (model_copy / "training.json").write_text(json.dumps({"sampling": sampling}), "utf-8")
    return lambda *words, stdin=None: run(*words, "--model", str(model_copy), stdin=stdin)


def warnings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("Warning: ")]


def test_one_line_before_drawing(draw: Run) -> None:
    within = draw("a sheep", "-s", "1", "-g", "3")
    assert (within.exit_code, warnings(within.stderr)) == (0, [])
    outside = draw("a sheep", "-s", "1", "-g", "7", "-c", "2")
    assert outside.exit_code == 0, "it is drawn all the same"
    (warning,) = warnings(outside.stderr)
    assert f"{GUIDANCE} 7." in warning
    assert outside.stderr.index(warning) < outside.stderr.index("Generating on")
    assert len(outside.stdout.split()) == 2
    assert warnings(draw("a sheep", "-s", "1", "-g", "7", "-q").stderr) == []


def test_an_eta_without_effect_is_said(draw: Run) -> None:
    result = draw("a sheep", "-s", "1", "--eta", "1", "--scheduler", "euler")
    assert result.exit_code == 0
    assert warnings(result.stderr) == [
        "Warning: eta has no effect with euler; it is for ddim and tcd."
    ]


def test_what_needs_guidance_is_said_by_every_command(draw: Run) -> None:
    said = "Warning: negative prompt has no effect with guidance 1 or less."
    words = ("-n", "blur", "-g", "1")
    made = draw("a sheep", "-s", "1", *words, "-o", "x.png", "--json")
    assert (warnings(made.stderr), len(made.stdout.splitlines())) == ([said], 1)
    for result in (
        draw("rerun", "x.png", "-s", "2", "--json"),
        draw("sweep", "a sheep", "--seeds", "1-2", *words, "-o", "out/", "--no-sheet", "--json"),
        draw("batch", "-", *words, stdin="a sheep\na goat\n"),
    ):
        assert (result.exit_code, warnings(result.stderr)) == (0, [said])
        assert all(json.loads(line)["status"] == "done" for line in result.stdout.splitlines())


def test_a_dry_run_prints_it_too(draw: Run) -> None:
    words = ("a sheep", "-s", "1", "-g", "7", "--dry-run")
    (warning,) = warnings(draw(*words).stdout)
    assert json.loads(draw(*words, "--json").stdout)["warnings"] == [warning]
    within = draw("a sheep", "-s", "1", "--dry-run", "--json")
    assert json.loads(within.stdout)["warnings"] == []


def test_a_rerun_warns_of_what_it_changes(draw: Run) -> None:
    drawn = draw("a sheep", "-s", "1", "-o", "x.png", "--frames", "none")
    again = draw("rerun", "x.png", "--steps", "2", "-o", "y.png", "--frames", "none")
    changed = draw("rerun", "x.png", "-g", "9", "-o", "z.png", "--frames", "none")
    assert [len(warnings(result.stderr)) for result in (drawn, again, changed)] == [0, 0, 1]


def test_a_sweep_warns_once(draw: Run) -> None:
    words = ("sweep", "a sheep", "--seeds", "1-2", "-g", "2,5,7", "-o", "out/", "--no-sheet")
    (warning,) = warnings(draw(*words, "--dry-run").stdout)
    assert f"{GUIDANCE} 5 or 7." in warning
    assert json.loads(draw(*words, "--dry-run", "--json").stdout)["warnings"] == [warning]
    result = draw(*words)
    assert warnings(result.stderr) == [warning]
    assert len(result.stdout.split()) == 6


def test_a_batch_warns_once_of_each_thing(draw: Run) -> None:
    jobs = [{"prompt": f"sheep {n}", "guidance": g} for n, g in enumerate((2, 7, 7, 9))]
    stdin = "".join(f"{json.dumps(job)}\n" for job in jobs)
    result = draw("batch", "-", stdin=stdin)
    assert len(result.stdout.splitlines()) == 4
    said = warnings(result.stderr)
    assert [warning.partition(GUIDANCE)[2].split(".")[0] for warning in said] == [" 7", " 9"]
    planned = draw("batch", "-", "--dry-run", stdin=stdin).stdout.splitlines()
    assert [len(json.loads(line)["warnings"]) for line in planned] == [0, 1, 1, 1]


def test_the_embedded_model_warns_of_what_people_type_first(run: Run) -> None:
    result = run("a sheep", "-g", "7.5", "--size", "512x512", "--dry-run")
    (warning,) = warnings(result.stdout)
    assert f"{GUIDANCE} 7.5; sides of " in warning
    assert warning.endswith("not 512x512. Images may be poor.")
    assert not Path("outputs").exists()
