"""``--shard`` on the command line: of sweeps, batches and morphs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Run

SHARDS = ("1/2", "2/2")


@pytest.fixture
def small(tiny_folder: Path) -> tuple[str, ...]:
    return ("--model", str(tiny_folder), "--steps", "1", "-o", "out/")


@pytest.fixture
def jobs(tiny_folder: Path) -> str:
    """Return lines that are jobs, and one that is not; two jobs have the same prompt and seed."""
    usual = {"model": str(tiny_folder), "prompt": "a sheep"}
    each = [{**usual, "seed": seed, "steps": steps} for seed in range(4) for steps in (1, 2)]
    return "".join(f"{json.dumps(job)}\n" for job in each) + "{\n"


def answered(run: Run, jobs: str, *words: str) -> Iterator[list[dict[str, object]]]:
    """Yield the answers of each shard."""
    for shard in SHARDS:
        result = run("batch", "-o", "out/", "--shard", shard, *words, stdin=jobs)
        yield [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("command", ["sweep", "batch", "morph"])
@pytest.mark.parametrize(
    ("shard", "message"),
    [
        ("3", '--shard must be I/N or auto, got "3".'),
        ("0/8", "The shard must be between 1 and 8, got 0."),
        ("auto", "SLURM_ARRAY_TASK_ID, SLURM_ARRAY_TASK_COUNT, SLURM_ARRAY_TASK_MIN."),
    ],
)
def test_what_is_no_shard_is_refused(run: Run, command: str, shard: str, message: str) -> None:
    result = run(command, "x", "--shard", shard)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_dry_run_says_the_shares(run: Run, small: tuple[str, ...]) -> None:
    words = ("sweep", "a {red|blue} sheep", *small, "--seeds", "1-10", "--dry-run")
    plans = [json.loads(run(*words, "--json", "--shard", shard).stdout) for shard in SHARDS]
    sizes = [len(plan["images"]) for plan in plans]
    assert [plan["shard"] for plan in plans] == [
        {"number": number, "count": 2, "images": sizes} for number in (1, 2)
    ]
    whole = json.loads(run(*words, "--json").stdout)
    assert whole["shard"] is None
    found = [image["key"] for plan in plans for image in plan["images"]]
    assert sorted(found) == sorted(image["key"] for image in whole["images"])
    lines = run(*words, "--shard", "1/2").stdout.splitlines()
    assert lines[:2] == [
        "20 images: 2 of prompt x 10 of seed, into out",
        f"Shard 1 of 2: {sizes[0]} images",
    ]
    assert f"Images of each shard: {sizes[0]}, {sizes[1]}" in lines
    assert sum(line.startswith("to do") for line in lines) == sizes[0]


def test_a_slurm_array_makes_a_sweep(
    run: Run, small: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("sweep", "a sheep", *small, "--seeds", "1-6")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "3")
    monkeypatch.setenv("SLURM_ARRAY_TASK_MIN", "0")
    made = []
    for task in range(3):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        result = run(*words, "--shard", "auto")
        assert result.exit_code == 0, result.stderr
        made += result.stdout.split()
    assert sorted(made) == sorted({f"out/{path.name}" for path in Path("out").glob("*.png")})
    assert len(made) == 6
    last = run(*words, "--resume")
    assert (last.exit_code, last.stdout) == (0, "")
    assert Path("out/contact_sheet.png").is_file()


def test_a_morph_can_be_made_in_shards(run: Run, small: tuple[str, ...]) -> None:
    words = ("morph", "a sheep", "a goat", *small, "--stops", "4", "-s", "1")
    made = [path for shard in SHARDS for path in run(*words, "--shard", shard).stdout.split()]
    assert len(made) == len(set(made)) == 4
    assert not Path("out/animation.webp").exists()
    assert run(*words, "--resume").stdout == ""
    assert [path.name for path in Path("out").glob("*.webp")] == ["animation.webp"]


def test_every_line_of_a_batch_is_answered_by_one_shard(run: Run, jobs: str) -> None:
    planned = [answer for answers in answered(run, jobs, "--dry-run") for answer in answers]
    shards = list(answered(run, jobs))
    assert all(shards)
    both = [answer for answers in shards for answer in answers]
    assert sorted(int(str(answer["line"])) for answer in both) == list(range(1, 10))
    assert [each["line"] for each in planned] == [each["line"] for each in both]
    done = [answer for answer in both if answer["status"] == "done"]
    assert len(done) == len({answer["path"] for answer in done}) == 8
    assert [each["path"] for each in planned if "path" in each] == [each["path"] for each in done]
    again = run("batch", "-o", "out/", "--resume", stdin=jobs)
    found = [json.loads(line) for line in again.stdout.splitlines()]
    assert sum(answer.get("cached", False) for answer in found) == 8
    assert {answer["path"] for answer in found if "path" in answer} == {
        answer["path"] for answer in done
    }


def test_shards_of_a_batch_share_no_name_and_pick_no_seed(run: Run, jobs: str) -> None:
    refused = run("batch", "-o", "out/{seed}.png", "--shard", "1/2", stdin=jobs)
    assert refused.exit_code == 2
    assert "Put {key} or {index} into --output." in refused.stderr
    assert not Path("out").exists()
    unseeded = '{"prompt": "a sheep"}\n' * 2
    failed = [answer for answers in answered(run, unseeded) for answer in answers]
    assert sorted(int(str(answer["line"])) for answer in failed) == [1, 2]
    assert all("seed is needed with --shard" in str(answer["error"]) for answer in failed)
