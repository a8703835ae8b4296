"""Sweeps in shards: together they are the sweep, and none needs to know of another."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from sheepgen.errors import OutputError, UsageError
from sheepgen.events import ContactSheetSaved, ImageSaved, Notice, SweepPageSaved
from sheepgen.shard import Shard
from sheepgen.sweep.images import one_of_each
from sheepgen.sweep.plan import plan_sweep
from sheepgen.sweep.run import run_sweep
from sheepgen.verify.find import Candidate, find_candidates
from tests.sweep.test_kill import fork, result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sheepgen.events import RunEvent
    from sheepgen.sweep.grid import Value

IMAGES, SHARDS = 12, 3


@pytest.fixture
def values(tiny_folder: Path) -> dict[str, Sequence[Value]]:
    return {
        "prompt": ["a red sheep", "a goat"],
        "model": [str(tiny_folder)],
        "num_inference_steps": [1],
        "seed": range(1, IMAGES // 2 + 1),
    }


@pytest.fixture
def words(tiny_folder: Path) -> Callable[..., list[str]]:
    """Return a function that says the same sweep on a command line."""

    def words(folder: Path, *more: str) -> list[str]:
        return [
            *("sweep", "{a red sheep|a goat}", "--model", str(tiny_folder), "--steps", "1"),
            *("--seeds", f"1-{IMAGES // 2}", "--device", "cpu", "-o", f"{folder}/", *more),
        ]

    return words


def run(
    values: Mapping[str, Sequence[Value]], folder: Path, shard: Shard | None = None
) -> list[RunEvent]:
    return list(run_sweep(plan_sweep(values, folder, shard=shard), page=True))


def saved(events: list[RunEvent]) -> list[str]:
    return [event.path.name for event in events if isinstance(event, ImageSaved)]


def shards_of(count: int) -> list[Shard]:
    return [Shard(number, count) for number in range(1, count + 1)]


def files(folder: Path) -> dict[str, bytes]:
    """Return everything in a folder but manifests and locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(("manifest", ".sheepgen"))
    }


def entries(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of all manifests in the order of their keys, without the time they took."""
    lines = [
        json.loads(line)
        for path in folder.glob("manifest*.jsonl")
        for line in path.read_text("utf-8").splitlines()
    ]
    for line in lines:
        del line["seconds"]
    return sorted(lines, key=lambda line: str(line["key"]))


def test_shards_are_the_sweep_and_need_a_last_run_for_its_sheet(
    values: Mapping[str, Sequence[Value]], tmp_path: Path
) -> None:
    whole, sharded = tmp_path / "a" / "sweep", tmp_path / "b" / "sweep"
    run(values, whole)
    plans = [plan_sweep(values, sharded, shard=shard) for shard in shards_of(SHARDS)]
    shares = [set(plan.missing.values()) for plan in plans]
    assert sum(map(len, shares)) == len(set().union(*shares)) == IMAGES
    assert all(plan.shares == tuple(map(len, shares)) for plan in plans)
    plans_written = set()
    for plan in reversed(plans):
        events = list(run_sweep(plan, page=True))
        (notice,) = (event.message for event in events if isinstance(event, Notice))
        assert notice == (
            "A shard writes no contact sheet or page: run the same command without --shard when "
            "all shards are done."
        )
        assert len(saved(events)) == len(plan.missing)
        plans_written.add((sharded / "sweep.json").read_bytes())
    assert len(plans_written) == 1
    assert not (sharded / "contact_sheet.png").exists()
    assert {path.name for path in sharded.glob("manifest*")} == {
        f"manifest-{number}-of-{SHARDS}.jsonl" for number in range(1, SHARDS + 1)
    }
    *_, sheet, page = run(values, sharded)
    assert isinstance(sheet, ContactSheetSaved)
    assert isinstance(page, SweepPageSaved)
    assert files(sharded) == files(whole)
    assert entries(sharded) == entries(whole)


@pytest.mark.parametrize("other", [Shard(1, 1), Shard(2, 2), None])
def test_another_number_of_shards_goes_on_and_repeats_nothing(
    values: Mapping[str, Sequence[Value]], tmp_path: Path, other: Shard | None
) -> None:
    made = saved(run(values, tmp_path, Shard(1, SHARDS)))
    later = [other] if other in (None, Shard(1, 1)) else shards_of(2)
    made += [name for shard in later for name in saved(run(values, tmp_path, shard))]
    assert len(made) == len(set(made)) == IMAGES
    assert all(not plan_sweep(values, tmp_path, shard=shard).missing for shard in (None, *later))
    listed = find_candidates([tmp_path / "manifest-1-of-3.jsonl"])
    assert {each.path.name for each in listed if isinstance(each, Candidate)} == set(made)
    assert all(each.sha256 for each in listed if isinstance(each, Candidate))


def test_an_image_that_is_lost_is_made_again_and_its_newest_line_counts(
    values: Mapping[str, Sequence[Value]], tmp_path: Path
) -> None:
    for shard in shards_of(SHARDS):
        run(values, tmp_path, shard)
    lost = next(tmp_path.glob("*goat*.png"))
    lost.unlink()
    assert saved(run(values, tmp_path)) == [lost.name]
    (line,) = (tmp_path / "manifest.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["revision"] == 1
    lost.write_bytes(b"torn")
    again = [name for shard in shards_of(SHARDS) for name in saved(run(values, tmp_path, shard))]
    assert again == [lost.name]
    assert sorted(entry.get("revision", 0) for entry in entries(tmp_path)) == [
        *([0] * IMAGES),
        *(1, 2),
    ]
    assert saved(run(values, tmp_path)) == []


def test_a_share_without_images_is_done(
    values: Mapping[str, Sequence[Value]], tmp_path: Path
) -> None:
    one = {**values, "prompt": ["a goat"], "seed": [1]}
    plans = [plan_sweep(one, tmp_path, shard=shard) for shard in shards_of(4)]
    assert sorted(map(len, (plan.missing for plan in plans))) == [0, 0, 0, 1]
    idle = next(plan for plan in plans if not plan.missing)
    assert all(isinstance(event, Notice) for event in run_sweep(idle))
    assert not (tmp_path / "sweep.json").exists()


@pytest.mark.parametrize("field", ["seed", "variation_seed"])
def test_a_shard_picks_no_seed(
    values: Mapping[str, Sequence[Value]], tmp_path: Path, field: str
) -> None:
    unseeded = {**values, "variation_strength": [0.5], "variation_seed": [3], field: [-1]}
    with pytest.raises(UsageError, match="is needed with --shard: each shard would pick") as caught:
        plan_sweep(unseeded, tmp_path, shard=Shard(1, 2))
    assert f"--{field.replace('_', '-')}" in caught.value.hint
    run({**values, "variation_strength": [0.5], "variation_seed": [3]}, tmp_path)
    assert not plan_sweep(unseeded, tmp_path, shard=Shard(1, 2)).missing  # the folder has it


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_only_looks_like_a_manifest_is_refused_by_name(
    values: Mapping[str, Sequence[Value]], tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "manifest-7-of-9.jsonl")
    with pytest.raises(OutputError, match=r"manifest-7-of-9\.jsonl cannot be read"):
        plan_sweep(values, tmp_path, shard=Shard(1, 2))


def test_shards_need_no_locks(
    values: Mapping[str, Sequence[Value]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def flock(_handle: int, _operation: int) -> NoReturn:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    first, second = shards_of(2)
    _, notice, *events = run(values, tmp_path, first)
    assert isinstance(notice, Notice)
    assert "has no locks. Shards need none, as long as only one process runs" in notice.message
    made = saved(events) + saved(run(values, tmp_path, second))
    assert len(made) == len(set(made)) == IMAGES
    next(tmp_path.glob("*goat*.png")).unlink()
    events = run(values, tmp_path)
    (notice,) = (event for event in events if isinstance(event, Notice))
    assert "or from several with --shard" in notice.message


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_shards_run_side_by_side_and_each_twice(
    tmp_path: Path, words: Callable[..., list[str]]
) -> None:
    """Two processes of one shard share its images by their claims, as all do without shards."""
    folder = tmp_path / "sweep"
    children = [fork(words(folder, "--shard", shard)) for shard in ("1/2", "2/2", "1/2")]
    assert list(map(result, children)) == [0, 0, 0]
    keys = [entry["key"] for entry in entries(folder)]
    assert len(keys) == len(set(keys)) == IMAGES
    left = {path.name for path in folder.glob(".*")}
    assert left == {".sheepgen.lock", ".sheepgen-1-of-2.lock", ".sheepgen-2-of-2.lock"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_shards_that_are_killed_end_like_an_undisturbed_sweep(
    tmp_path: Path, words: Callable[..., list[str]]
) -> None:
    folder, undisturbed = tmp_path / "a" / "sweep", tmp_path / "b" / "sweep"
    rng = random.Random(7)
    ended = [
        result(fork(words(folder, "--shard", f"{number}/2"), kill_at=rng.randrange(60, 400)))
        for _ in range(4)
        for number in (1, 2)
    ]
    assert ended.count(-signal.SIGKILL) >= 4, ended
    assert result(fork(words(folder, "--resume"))) == 0
    assert result(fork(words(undisturbed))) == 0
    assert files(folder) == files(undisturbed)
    assert len({entry["key"] for entry in entries(folder)}) == IMAGES
    assert not list(folder.glob(".claim-*"))


def test_what_differs_in_the_seed_alone_is_checked_once(
    values: Mapping[str, Sequence[Value]], tmp_path: Path
) -> None:
    plan = plan_sweep({**values, "guidance_scale": [1, 3]}, tmp_path)
    kinds = one_of_each(plan.keys)
    assert len(plan.keys) == 2 * IMAGES
    assert [(each.prompt, each.guidance_scale) for each in kinds] == [
        (prompt, guidance) for prompt in values["prompt"] for guidance in (1.0, 3.0)
    ]
