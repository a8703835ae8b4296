from __future__ import annotations

import hashlib
import re

import pytest

from sheepgen.errors import UsageError
from sheepgen.shard import MAX_SHARDS, Shard, parse_shard, share_sizes

KEYS = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(2000)]


def array(number: int, tasks: range) -> dict[str, str]:
    """Return what SLURM sets for a task of ``--array``."""
    values = {
        "ID": number,
        "COUNT": len(tasks),
        "MIN": tasks[0],
        "MAX": tasks[-1],
        "STEP": tasks.step,
    }
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


@pytest.mark.parametrize("count", [1, 2, 7, 8, 100])
def test_every_image_is_in_one_shard_and_shards_are_about_equal(count: int) -> None:
    shards = [Shard(number, count) for number in range(1, count + 1)]
    owners = [[shard for shard in shards if shard.has(key)] for key in KEYS]
    assert all(len(owner) == 1 for owner in owners)
    sizes = share_sizes(KEYS, count)
    assert sizes == tuple(sum(shard.has(key) for key in KEYS) for shard in shards)
    assert sum(sizes) == len(KEYS)
    mean = len(KEYS) / count
    assert all(abs(size - mean) <= 5 * mean**0.5 for size in sizes)
    lines = [[shard for shard in shards if shard.answers_for(line)] for line in range(1, 300)]
    assert all(len(owner) == 1 for owner in lines)


def test_a_share_is_the_same_for_good() -> None:
    """Else shards of two versions, side by side, would leave images out and make others twice."""
    assert [key for key in KEYS if Shard(3, 8).has(key)] == [
        key for key in KEYS if int(key[14], 16) % 8 == 2
    ]


def test_a_shard_is_written_as_a_fraction() -> None:
    assert parse_shard("3/8", {}) == Shard(3, 8)
    assert str(Shard(3, 8)) == "3-of-8"
    assert parse_shard("1/1", {}).has(KEYS[0])


@pytest.mark.parametrize(
    "text", ["", "3", "3/", "/8", "3-8", "-1/8", "3/8/9", " 3/8", "٣/٨", "a/b"]
)
def test_what_is_no_fraction_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="must be I/N or auto, got") as caught:
        parse_shard(text, {})
    assert "--shard 1/8" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0/8", "must be between 1 and 8, got 0"),
        ("9/8", "must be between 1 and 8, got 9"),
        ("1/0", f"must be between 1 and {MAX_SHARDS:,}, got 0"),
        (f"1/{MAX_SHARDS + 1}", f"must be between 1 and {MAX_SHARDS:,}, got"),
    ],
)
def test_shards_count_from_one(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_shard(text, {})


@pytest.mark.parametrize(
    "tasks", [range(8), range(1, 9), range(0, 15, 2), range(5, 6), range(3, 99)]
)
def test_the_tasks_of_an_array_are_the_shards(tasks: range) -> None:
    whole = [parse_shard("auto", array(number, tasks)) for number in tasks]
    assert whole == [Shard(number, len(tasks)) for number in range(1, len(tasks) + 1)]
    for left_out in ("MAX", "STEP"):  # either of them is enough
        found = array(tasks[-1], tasks)
        del found[f"SLURM_ARRAY_TASK_{left_out}"]
        assert parse_shard("auto", found) == whole[-1]


def test_an_array_that_is_a_list_is_read_if_it_is_even() -> None:
    listed = {**array(5, range(1, 8, 2)), "SLURM_ARRAY_TASK_STEP": "1"}
    assert parse_shard("auto", listed) == Shard(3, 4)
    uneven = {**array(2, range(1, 10, 4)), "SLURM_ARRAY_TASK_STEP": "1"}  # 1, 2, 9
    with pytest.raises(UsageError, match="not evenly spaced: 2 is none of 3 tasks from 1 on"):
        parse_shard("auto", uneven)
    with pytest.raises(UsageError, match="not evenly spaced"):
        parse_shard("auto", array(0, range(1, 9)))


def test_every_variable_that_is_missing_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        parse_shard("auto", {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_MIN": ""})
    named = re.findall(r"SLURM_\w+", caught.value.message)
    assert named == ["SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN"]
    assert "sbatch --array=1-8" in caught.value.hint


@pytest.mark.parametrize("name", ["ID", "COUNT", "MIN", "MAX", "STEP"])
@pytest.mark.parametrize("value", ["x", "-1", "1.5", "9" * 30])
def test_a_variable_that_makes_no_sense_is_refused(name: str, value: str) -> None:
    environment = {**array(3, range(1, 9)), f"SLURM_ARRAY_TASK_{name}": value}
    with pytest.raises(UsageError, match=f"SLURM_ARRAY_TASK_{name} must be a whole number, got"):
        parse_shard("auto", environment)
