"""What was measured of a piece of work, and what it says."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.bench.statistics import Spread, ratios, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.bench.machine import Machine
    from sheepgen.bench.measure import Measurement
    from sheepgen.bench.roofline import Roofline
    from sheepgen.bench.work import Contender, Work

__all__ = ["Outcome", "WorkResult", "to_dict"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A contender's.

    Args:
        contender: Who.
        runs: Of the measured rounds, in order; none if it was left out.
        skipped: Why it was.
        failed: Whether that is because it failed.
        psnr_db: How near its picture is to the reference's; None if that is not compared.
    """

    contender: Contender
    runs: tuple[Measurement, ...]
    skipped: str = ""
    failed: bool = False
    psnr_db: float | None = None

    def seconds(self) -> list[float]:
        """Return the time of each round, for all that it stands for."""
        contender = self.contender
        return [contender.stands_for * each.seconds(contender.metric) for each in self.runs]


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkResult:
    """Of a piece of work.

    Args:
        work: Which.
        outcomes: Of all its contenders.
        roofline: The peak that steps are set against, if they are.
    """

    work: Work
    outcomes: tuple[Outcome, ...]
    roofline: Roofline | None = None

    def ratio(self, outcome: Outcome) -> Spread | None:
        """Return its time over that of its peer, or None if one of them did not run."""
        peers = {each.contender.name: each for each in self.outcomes}
        peer = peers.get(outcome.contender.against)
        if peer is None or not peer.runs or not outcome.runs:
            return None
        return ratios(outcome.seconds(), peer.seconds())

    def shares(self, outcome: Outcome) -> dict[str, float]:
        """Return the share of the machine's peak in a step, by dtype; none if not measured."""
        if self.roofline is None or not outcome.runs:
            return {}
        rate = self.roofline.step_flop / spread(outcome.seconds()).median
        return {dtype: rate / peak for dtype, peak in self.roofline.peaks.items()}


def to_dict(machine: Machine, results: Sequence[WorkResult], runs: int) -> dict[str, Any]:
    """Return all that was measured, for JSON; times are in seconds."""
    return {
        "format": 1,
        "machine": asdict(machine),
        "runs": runs,
        "works": [_work_to_dict(result) for result in results],
    }


def _work_to_dict(result: WorkResult) -> dict[str, Any]:
    work, roofline = result.work, result.roofline
    return {
        "name": work.name,
        "about": work.about,
        "steps": work.steps or None,
        "roofline": roofline and asdict(roofline),
        "contenders": [_outcome_to_dict(result, each) for each in result.outcomes],
    }


def _outcome_to_dict(result: WorkResult, outcome: Outcome) -> dict[str, Any]:
    contender, ratio, near = outcome.contender, result.ratio(outcome), outcome.psnr_db
    seconds, cpu = outcome.seconds(), [each.cpu_s for each in outcome.runs]
    return {
        "name": contender.name,
        "skipped": outcome.skipped or None,
        "failed": outcome.failed,
        "metric": contender.metric,
        "stands_for": contender.stands_for,
        "all_seconds": seconds,
        "seconds": spread(seconds)._asdict() if seconds else None,
        "cpu_seconds": spread(cpu)._asdict() if cpu else None,
        "peak_bytes": max((each.peak_bytes for each in outcome.runs), default=None),
        "against": contender.against or None,
        "ratio": ratio and ratio._asdict(),
        # JSON has no infinity.
        "same_pixels": None if near is None else math.isinf(near),
        "psnr_db": None if near is None or math.isinf(near) else near,
        "peak_shares": result.shares(outcome) or None,
    }
