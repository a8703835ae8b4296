from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from sheepgen.bench import plot
from sheepgen.bench.measure import Measurement
from sheepgen.bench.plot import check_can_plot, save_plot
from sheepgen.bench.result import Outcome, WorkResult
from sheepgen.bench.works import WORKS
from sheepgen.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def measured() -> WorkResult:
    """Return what `cost` might give, with one contender left out."""
    work = WORKS["cost"]
    outcomes = tuple(
        Outcome(
            contender=each,
            runs=tuple(
                Measurement(
                    wall_s=10.0 * number + each_round,
                    cpu_s=1.0,
                    peak_bytes=1,
                    steps_s=(1.0, 2.0 + number),
                    images_s=(1.0 + number,),
                )
                for each_round in (0, 1, 3)
                if number != 2
            ),
            skipped="not enough memory" if number == 2 else "",
        )
        for number, each in enumerate(work.contenders)
    )
    return WorkResult(work=work, outcomes=outcomes)


def test_every_curve_is_in_the_plot(measured: WorkResult, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        save_plot(measured, tmp_path / name)
    drawn = (tmp_path / "a.svg").read_text(encoding="utf-8")
    for curve in measured.work.curves:
        assert f">{curve.label}<" in drawn
        assert f">{curve.axis}<" in drawn
        assert {name for _, name in curve.points} <= {
            each.name for each in measured.work.contenders
        }
    assert len(drawn) < 60_000
    assert drawn == (tmp_path / "b.svg").read_text(encoding="utf-8")


def test_pages_show_through(measured: WorkResult, tmp_path: Path) -> None:
    save_plot(measured, tmp_path / "cost.png")
    with Image.open(tmp_path / "cost.png") as image:
        assert image.getpixel((0, 0))[3] == 0  # type: ignore[index]


def test_what_cannot_be_drawn_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.svg or \.png"):
        check_can_plot(tmp_path / "cost.jpg")
    monkeypatch.setattr(plot, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="needs matplotlib"):
        check_can_plot(tmp_path / "cost.svg")
