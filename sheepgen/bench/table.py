"""Tables of what was measured, for a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from sheepgen.bench.statistics import spread
from sheepgen.sanitize import byte_size, excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sheepgen.bench.machine import Machine
    from sheepgen.bench.result import Outcome, WorkResult
    from sheepgen.bench.work import Work

__all__ = ["describe_machine", "list_works", "result_table"]

_TIMED = {
    "process": "whole process",
    "step": "a step",
    "image": "a picture, without loading",
    "load": "loading",
}


def describe_machine(machine: Machine) -> list[str]:
    """Return lines on the machine."""
    versions = ", ".join(f"{name} {each}" for name, each in machine.versions.items())
    memory = machine.memory_bytes
    free = "" if memory is None else f", {byte_size(memory)} of memory free"
    return [
        f"{excerpt(machine.processor)}: {machine.processors} processors, "
        f"{machine.threads} threads a process{free}, load {machine.load:.2f}",
        f"Python {machine.python}, {versions}; {machine.system}",
    ]


def list_works(works: Iterable[Work]) -> Table:
    """Return a table of what can be measured."""
    table = _table("Name", "Minutes", "What")
    for work in works:
        table.add_row(work.name, f"{work.minutes:g}", work.about)
    return table


def result_table(result: WorkResult) -> Table:
    """Return what a piece of work took, a row for each contender."""
    work = result.work
    headings = ["Contender", "Time", "Median", "Min to max", "CPU", "Peak memory"]
    has_ratio = any(each.contender.against for each in result.outcomes)
    has_pixels = any(each.psnr_db is not None for each in result.outcomes)
    headings += ["Ratio", "to"] * has_ratio + ["PSNR"] * has_pixels
    peaks = result.roofline.peaks if result.roofline else {}
    headings += [f"of {dtype} peak" for dtype in peaks]
    table = _table(*headings)
    table.title = Text(f"{work.name}: {work.about}")
    table.title_justify = "left"
    for outcome in result.outcomes:
        if not outcome.runs:
            continue
        cells = _time_cells(outcome)
        if has_ratio:
            cells += _ratio_cells(result, outcome)
        if has_pixels:
            cells.append(_decibels(outcome.psnr_db))
        cells += [f"{share:.0%}" for share in result.shares(outcome).values()]
        table.add_row(*map(Text, cells))
    table.caption = Text("\n".join(_notes(result)))
    table.caption_justify = "left"
    return table


def _notes(result: WorkResult) -> Iterator[str]:
    """Yield what stands under the table."""
    if (peak := result.roofline) is not None:
        speeds = ", ".join(f"{name} {each / 1e12:.3f}" for name, each in peak.peaks.items())
        yield f"A step is {peak.step_flop / 1e12:.2f} TFLOP; the peak is {speeds} TFLOP/s."
    for outcome in result.outcomes:
        if outcome.skipped:
            verb = "Failed" if outcome.failed else "Skipped"
            yield f"{verb}: {outcome.contender.name}: {excerpt(outcome.skipped, 300)}"


def _ratio_cells(result: WorkResult, outcome: Outcome) -> list[str]:
    ratio = result.ratio(outcome)
    if ratio is None:
        return ["", ""]
    spread_ = f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
    return [spread_, outcome.contender.against]


def _time_cells(outcome: Outcome) -> list[str]:
    contender, time = outcome.contender, spread(outcome.seconds())
    cpu = spread([each.cpu_s for each in outcome.runs])
    several = f" x {contender.stands_for}" if contender.stands_for > 1 else ""
    return [
        contender.name,
        f"{_TIMED[contender.metric]}{several}",
        _seconds(time.median),
        f"{_seconds(time.low)} to {_seconds(time.high)}",
        _seconds(cpu.median),
        byte_size(max(each.peak_bytes for each in outcome.runs)),
    ]


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 100 else f"{seconds:.3g} s"


def _decibels(found: float | None) -> str:
    if found is None:
        return ""
    return "equal" if math.isinf(found) else f"{found:.1f} dB"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        words = heading in ("Contender", "Name", "What", "Time", "to")
        table.add_column(heading, justify="left" if words else "right")
    return table
