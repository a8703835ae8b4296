"""Sweeps from Python, without the command line."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NoReturn

import pytest

from sheepgen.errors import OutputError, UsageError
from sheepgen.events import ContactSheetSaved, ImageSaved, ModelLoading, Notice
from sheepgen.execution import local
from sheepgen.execution.settings import RunSettings
from sheepgen.models import hub
from sheepgen.sweep.plan import plan_sweep
from sheepgen.sweep.run import run_sweep
from tests.cli.test_dry_run import DOWNLOAD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sheepgen.events import RunEvent
    from sheepgen.models.hub import DownloadPlan
    from sheepgen.output.contact_sheet import SheetCell
    from sheepgen.sweep.grid import Value


@pytest.fixture
def values(tiny_folder: Path) -> dict[str, Sequence[Value]]:
    return {
        "prompt": ["a red sheep"],
        "model": [str(tiny_folder)],
        "num_inference_steps": [1],
        "seed": [1, 2],
    }


def test_a_sweep_goes_on_with_what_is_missing(
    values: Mapping[str, Sequence[Value]], tmp_path: Path
) -> None:
    def run(seeds: list[int]) -> list[RunEvent]:
        axes = {**values, "prompt": ["a red sheep", "a goat"], "seed": seeds}
        return list(run_sweep(plan_sweep(axes, tmp_path / "out")))

    def seeds_of(events: list[RunEvent]) -> list[int]:
        return [event.request.seed for event in events if isinstance(event, ImageSaved)]

    first = run([1, 2])
    assert seeds_of(first) == [1, 2, 1, 2]
    sheets = [event.path.name for event in first if isinstance(event, ContactSheetSaved)]
    assert sheets == ["contact_sheet.png"]
    assert seeds_of(run([1, 2, 3])) == [3, 3]


def test_a_plan_says_all_that_there_is_to_say(
    values: Mapping[str, Sequence[Value]], tmp_path: Path
) -> None:
    long = "one two three four five six seven eight"
    output = tmp_path / "{a} folder"
    plan = plan_sweep({**values, "prompt": [long], "guidance_scale": [1, 2.5]}, output)
    assert plan.folder == output
    assert not output.exists()
    assert list(plan.missing) == list(plan.keys) == list(plan.details)
    assert list(plan.details.values()) == [
        *("guidance 1, seed 1", "guidance 1, seed 2"),
        *("guidance 2.5, seed 1", "guidance 2.5, seed 2"),
    ]
    assert plan.estimate.steps == 4
    (unread,) = plan.prompt_notes
    assert "Not read: " in unread
    with pytest.raises(UsageError, match="this model reads 16"):
        plan_sweep({**values, "prompt": [long]}, output, RunSettings(strict=True))


def test_events_are_typed_and_end_with_the_contact_sheet(
    values: Mapping[str, Sequence[Value]], tmp_path: Path
) -> None:
    plan = plan_sweep(values, tmp_path / "out")
    first, *_, saved, sheet = run_sweep(plan)
    assert first == ModelLoading(model=str(values["model"][0]))
    assert isinstance(saved, ImageSaved)
    assert sheet == ContactSheetSaved(path=tmp_path / "out" / "contact_sheet.png")
    again = plan_sweep(values, tmp_path / "out", resume=True)
    assert (list(again.done), dict(again.missing)) == (list(plan.missing), {})
    assert list(run_sweep(again, sheet=False)) == []


def test_a_seed_is_picked_once_for_a_folder(
    values: Mapping[str, Sequence[Value]], tmp_path: Path
) -> None:
    unseeded = {name: each for name, each in values.items() if name != "seed"}
    output = f"{tmp_path}/out/"
    (first,) = plan_sweep(unseeded, output).keys
    (second,) = plan_sweep({**unseeded, "seed": [-1]}, output).keys
    assert first.seed != second.seed
    list(run_sweep(plan_sweep({**unseeded, "seed": [first.seed]}, output)))
    (kept,) = plan_sweep(unseeded, output, resume=True).keys
    assert kept.seed == first.seed


def test_images_that_a_damaged_manifest_has_lost_are_generated_again_and_it_is_said(
    values: Mapping[str, Sequence[Value]], tmp_path: Path
) -> None:
    list(run_sweep(plan_sweep(values, tmp_path)))
    manifest = tmp_path / "manifest.jsonl"
    first, second = manifest.read_text(encoding="utf-8").splitlines()
    manifest.write_text(f"{first}\n{second[:99]}\n", encoding="utf-8")
    plan = plan_sweep(values, tmp_path)
    assert [request.seed for request in plan.missing] == [2]
    assert plan.warnings[0] == (
        f"Warning: {manifest} has 1 line that cannot be read. Images that are not in the other "
        "lines are generated again."
    )


def test_closing_stops_a_sweep_that_goes_on_later(
    values: Mapping[str, Sequence[Value]], tmp_path: Path
) -> None:
    events = run_sweep(plan_sweep(values, tmp_path / "out"))
    for event in events:
        if isinstance(event, ImageSaved):
            break
    events.close()
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert not any(name.startswith((".claim-", ".sheepgen-")) for name in names)
    assert "contact_sheet.png" not in names
    later = plan_sweep(values, tmp_path / "out")
    assert [request.seed for request in later.missing] == [2]


def test_a_download_is_a_value_if_it_is_not_wanted(
    values: Mapping[str, Sequence[Value]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_here(
        _name: str, *, variant: str, replaced: tuple[str, ...], offline: bool
    ) -> DownloadPlan:
        assert (variant, replaced, offline) == ("", (), False)
        return DOWNLOAD

    monkeypatch.setattr("sheepgen.execution.plan.resolve_model", not_here)
    monkeypatch.delattr(hub, "download")
    assert plan_sweep(values, tmp_path / "out", download=False) == DOWNLOAD
    with pytest.raises(UsageError, match="eta must be"):
        plan_sweep({**values, "eta": [2.0]}, tmp_path / "out", download=False)


def test_a_finished_sweep_may_have_no_contact_sheet(
    values: Mapping[str, Sequence[Value]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(run_sweep(plan_sweep(values, tmp_path), sheet=False))
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.delattr(local, "LocalExecutor")
    (notice,) = run_sweep(plan_sweep(values, tmp_path))
    assert isinstance(notice, Notice)
    assert notice.message.startswith("No contact sheet was written. Cannot write to")


def test_the_plan_beside_the_images_is_read_back(
    values: Mapping[str, Sequence[Value]], tmp_path: Path
) -> None:
    plan = plan_sweep(values, tmp_path / "out")
    list(run_sweep(plan, sheet=False))
    written = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert written["axes"] == [{"name": "seed", "values": [1, 2]}]
    assert written["names"] == "{prompt}_s{seed}_{steps}steps_{model}.png"


def test_a_contact_sheet_shows_what_failed_and_must_be_writable(
    values: Mapping[str, Sequence[Value]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells: list[SheetCell] = []

    def fail(*_: object, **__: object) -> NoReturn:
        raise MemoryError("none at all")

    def refuse(_folder: Path, _axes: object, given: list[SheetCell], **_: object) -> NoReturn:
        cells.extend(given)
        raise OutputError("Cannot write.")

    monkeypatch.setattr(local, "stream_batch", fail)
    monkeypatch.setattr("sheepgen.sweep.run.write_contact_sheets", refuse)
    with pytest.raises(OutputError, match="Cannot write"):
        list(run_sweep(plan_sweep(values, tmp_path / "out")))
    assert [cell.note for cell in cells] == ["failed: There is not enough memory."] * 2
