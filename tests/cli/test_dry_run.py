from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from sheepgen.execution import plan
from sheepgen.models import hub
from sheepgen.models.hub import DownloadPlan, HubFile
from sheepgen.pipeline import loading

if TYPE_CHECKING:
    from tests.cli.conftest import Run

DOWNLOAD = DownloadPlan(
    repo="org/name",
    commit="c0ffee",
    licence="MIT",
    files=(HubFile(name="unet/model.safetensors", size=2_000_000_000),),
    total_bytes=2_000_000_000,
    free_bytes=50_000_000_000,
    folder=Path("cache/org--name"),
)


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(loading, "load_model")


def test_the_plan_is_told_and_nothing_is_made(run: Run, tiny_folder: Path, tmp_path: Path) -> None:
    result = run("a red sheep", "-s", "7", "-c", "2", "-m", str(tiny_folder), "--dry-run")
    assert result.exit_code == 0
    rows = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert ["steps", "50 of ddim"] in rows
    assert ["size", "32x32"] in rows
    assert ["seed", "7           outputs/a-red-sheep_7.png"] in rows
    assert "prompt           5 of 16 tokens" in result.stdout
    assert "time             unknown (first run of its kind on this machine)" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_taken_are_told(run: Run, tiny_folder: Path) -> None:
    Path("x.png").touch()
    words = ("sheep", "-s", "7", "-m", str(tiny_folder), "-o", "x.png", "--dry-run")
    assert "x_2.png (x.png is taken)" in run(*words).stdout
    assert "taken" not in run(*words, "--overwrite").stdout


def test_json_holds_everything(run: Run, tiny_folder: Path) -> None:
    Path("x_7.png").touch()
    long = "one two three four five six seven"
    words = (long, "-s", "7", "-c", "2", "-m", str(tiny_folder), "-o", "x.png")
    result = run(*words, "--dry-run", "--json")
    data: dict[str, Any] = json.loads(result.stdout)
    assert data["model"]["name"] == str(tiny_folder)
    assert data["model"]["download"] is None
    assert data["prompt"]["limit"] == 16
    assert data["prompt"]["tokens"] > 16
    assert long.endswith(" ".join(data["prompt"]["truncated"]))
    nothing: dict[str, Any] = {"understood": None, "unused": [], "corrected": []}
    assert data["negative_prompt"] == {"tokens": 2, "limit": 16, "truncated": [], **nothing}
    assert [(image["path"], image["wanted"]) for image in data["images"]] == [
        ("x_7_2.png", "x_7.png"),
        ("x_8.png", "x_8.png"),
    ]
    assert data["images"][1]["request"]["seed"] == 8
    taking = data["estimate"]
    assert (taking["steps"], taking["seconds"], taking["peak_bytes"]) == (100, None, None)
    assert taking["max_bytes"] > 2 * 51 * 32 * 32 * 3
    assert taking["free_bytes"] > 0
    assert taking["weight_bytes"] == sum(
        path.stat().st_size for path in tiny_folder.rglob("*.safetensors")
    )
    assert data["images"][1]["request"]["num_inference_steps"] == 50


def test_memory_is_that_of_what_is_generated_together(run: Run, tiny_folder: Path) -> None:
    words = ("sheep", "-s", "7", "-c", "3", "-m", str(tiny_folder), "--dry-run", "--json")
    one, two, auto = (
        json.loads(run(*words, "--batch-size", size).stdout)["memory"]
        for size in ("1", "2", "auto")
    )
    assert [each["images"] for each in (one, two, auto)] == [1, 2, 3]
    assert one["size"] == [32, 32]
    unet = [each["name"] for each in one["components"]].index("unet")
    taken = [each["components"][unet]["working_bytes"] for each in (one, two, auto)]
    assert taken == [taken[0], 2 * taken[0], 3 * taken[0]]


def test_a_sweep_shows_what_takes_most(run: Run, tiny_folder: Path) -> None:
    words = ("sweep", "sheep", "-m", str(tiny_folder), "--size", "32x32,64x32", "--dry-run")
    rows = [line.split(maxsplit=1) for line in run(*words).stdout.splitlines()]
    labels = [label for label, *_ in rows]
    start = labels.index("memory")
    assert labels[start : start + 3] == ["memory", "largest", "weights"]
    assert rows[start + 1] == ["largest", f"{tiny_folder} at 64x32"]
    memory = json.loads(run(*words, "--json").stdout)["memory"]
    alone = json.loads(
        run("sheep", "-m", str(tiny_folder), "--size", "64x32", "--dry-run", "--json").stdout
    )
    assert {**memory, "free_bytes": None} == {**alone["memory"], "free_bytes": None}


def test_a_batch_has_it_for_each_job_and_shows_what_takes_most(run: Run, tiny_folder: Path) -> None:
    jobs = '{"prompt": "sheep"}\n{"prompt": "sheep", "width": 64}\n{"prompt": ""}\n'
    result = run("batch", "-m", str(tiny_folder), "--dry-run", stdin=jobs)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["memory"]["size"] for answer in answers[:2]] == [[32, 32], [64, 32]]
    assert "memory" not in answers[2]
    assert f"largest          {tiny_folder} at 64x32\n" in result.stderr


def test_what_would_fail_fails(run: Run, tiny_folder: Path) -> None:
    words = ("one two three four five six seven", "-m", str(tiny_folder), "--dry-run")
    assert "not read: " in run(*words).stdout
    assert run(*words, "--strict").exit_code == 2


def not_here(_name: str, *, variant: str, replaced: tuple[str, ...], offline: bool) -> DownloadPlan:
    assert (variant, replaced, offline) == ("", (), False)
    return DOWNLOAD


def download(_: DownloadPlan) -> NoReturn:
    raise AssertionError("a dry run downloads nothing")


def test_a_model_to_be_fetched_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "resolve_model", not_here)
    monkeypatch.setattr(hub, "download", download)
    result = run("sheep", "-m", "org/name", "--dry-run")
    assert result.exit_code == 0
    assert "org/name, licence MIT" in result.stdout
    assert "2.0 GB in 1 file\n" in result.stdout
    data = json.loads(run("sheep", "-m", "org/name", "--dry-run", "--json").stdout)
    assert data["model"]["download"]["bytes"] == 2_000_000_000
    assert data["model"]["download"]["files"] == ["unet/model.safetensors"]
