from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.bench.machine import this_machine
from sheepgen.bench.result import WorkResult, to_dict
from sheepgen.bench.roofline import Roofline
from sheepgen.bench.run import Turn, run_bench
from sheepgen.bench.table import describe_machine, result_table
from sheepgen.bench.work import Beside, Contender
from tests.bench.fakes import fake_work, reporting

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.bench.work import Work


def run(work: Work, *, runs: int = 1) -> tuple[WorkResult, list[Turn]]:
    *events, result = run_bench([work], runs=runs, steps=None, threads=3)
    assert isinstance(result, WorkResult)
    return result, [event for event in events if isinstance(event, Turn)]


def test_contenders_take_turns_and_the_first_round_only_warms_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    log = tmp_path / "log"
    work = fake_work(
        reporting(log, "ours", metric="step", against="theirs"),
        reporting(log, "theirs", metric="image", level=10),
        reference="theirs",
    )
    result, turns = run(work, runs=2)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [name for name, _ in lines] == ["ours", "theirs"] * 3
    assert [(turn.contender.name, turn.round) for turn in turns][2:4] == [
        ("ours", 1),
        ("theirs", 1),
    ]
    # All have the same threads, and nothing that sheepgen's own command sets for itself.
    given = {
        "OMP_NUM_THREADS": "3",
        "OMP_WAIT_POLICY": None,
        "HF_HUB_OFFLINE": "1",
        "SHEEPGEN_CONFIG": "",
    }
    assert all(environment == given for _, environment in lines)
    ours, theirs = result.outcomes
    assert ours.seconds() == [1.0, 1.0]  # the median of 1, 3 and 1
    assert theirs.seconds() == [11.0, 11.0]
    assert result.ratio(ours) == pytest.approx((1 / 11,) * 3)
    assert result.ratio(theirs) is None
    assert ours.psnr_db == pytest.approx(28.1308, abs=1e-4)
    assert theirs.psnr_db is None


def test_a_run_may_stand_for_several(tmp_path: Path) -> None:
    result, _ = run(fake_work(reporting(tmp_path / "log", "a", metric="image", stands_for=50)))
    assert result.outcomes[0].seconds() == [550.0]


def test_who_is_absent_or_fails_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    work = fake_work(
        reporting(log, "ours", metric="image", against="absent"),
        reporting(log, "absent", metric="image", packages=("no-such-package",)),
        reporting(log, "large", metric="image", memory=10**18),
        reporting(log, "silent", metric="load"),
        Contender(name="failing", arguments=("-c", "import sys; sys.exit('out of paint')")),
    )
    result, turns = run(work, runs=2)
    ours, absent, large, silent, failing = result.outcomes
    assert ours.seconds() == [11.0, 11.0]
    assert result.ratio(ours) is None
    assert (absent.skipped, absent.failed) == ("not installed: no-such-package", False)
    assert "of memory" in large.skipped
    assert (silent.skipped, silent.failed) == ("It did not report the time of a load.", True)
    assert "out of paint" in failing.skipped
    assert sum(turn.contender.name == "failing" for turn in turns) == 1


def test_what_runs_beside_runs_for_that_contender_alone() -> None:
    beside = Beside(
        arguments=("-c", "import pathlib, signal; pathlib.Path('here').touch(); signal.pause()"),
        ready=("-c", "import pathlib, sys; sys.exit(not pathlib.Path('here').exists())"),
    )
    looking = "import sys, pathlib; sys.exit(not pathlib.Path(sys.argv[1], 'here').exists())"
    work = fake_work(
        Contender(name="beside", arguments=("-c", looking, "{out}"), beside=beside),
        Contender(name="alone", arguments=("-c", looking, "{out}"), exit_code=1),
    )
    result, _ = run(work)
    assert [outcome.skipped for outcome in result.outcomes] == ["", ""]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> WorkResult:
    """Return a result with everything in it."""
    log = tmp_path_factory.mktemp("bench") / "log"
    work = fake_work(
        reporting(log, "ours [b]", metric="step", against="theirs", level=7),
        reporting(log, "theirs", metric="image", level=7),
        reporting(log, "absent", packages=("no-such-package",)),
        reference="theirs",
        steps=4,
    )
    found, _ = run(work, runs=1)
    return replace(found, roofline=Roofline(step_flop=2e12, peaks={"fp32": 4e12, "bf16": 8e12}))


def test_json_has_all_that_was_measured(result: WorkResult) -> None:
    found: dict[str, Any] = json.loads(
        json.dumps(to_dict(this_machine(3), [result], 1), allow_nan=False)
    )
    assert found["machine"]["threads"] == 3
    assert found["machine"]["versions"]["torch"]
    (work,) = found["works"]
    ours, theirs, absent = work["contenders"]
    assert ours["all_seconds"] == [1.0]
    assert ours["seconds"] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert ours["ratio"]["median"] == pytest.approx(1 / 11)
    assert (ours["same_pixels"], ours["psnr_db"]) == (True, None)
    assert ours["peak_shares"] == {"fp32": 0.5, "bf16": 0.25}
    assert ours["peak_bytes"] > 10**6
    assert theirs["same_pixels"] is None
    assert (absent["skipped"], absent["seconds"]) == ("not installed: no-such-package", None)
    assert ours.keys() == absent.keys()
    assert result.outcomes[0].psnr_db == math.inf


def test_the_table_shows_it(result: WorkResult) -> None:
    from rich.console import Console

    console = Console(width=200)
    with console.capture() as shown:
        console.print(result_table(result))
    lines = shown.get().splitlines()
    (ours,) = (line for line in lines if line.startswith("ours"))
    assert ours.startswith("ours [b]")
    for cell in ("1 s", "0.09 (0.09 to 0.09)", "theirs", "equal", "50%", "25%"):
        assert cell in ours
    assert any("absent" in line and "not installed: no-such-package" in line for line in lines)
    assert "4.000" in shown.get()
    assert len(describe_machine(this_machine(3))) == 2
