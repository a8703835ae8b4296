"""A plot of how time grows, readable on light and on dark pages."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sheepgen.bench.statistics import spread
from sheepgen.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from sheepgen.bench.result import WorkResult
    from sheepgen.bench.work import Curve

__all__ = ["check_can_plot", "save_plot"]

_FORMATS = (".svg", ".png")
_INK = "#808080"
"""Grey that stands out from white as much as from black: the background is transparent."""
_COLOURS = ("#2f8fd0", "#d9732b")
_SIZE = (9.6, 3.0)
"""In inches."""


def check_can_plot(path: Path) -> None:
    """Check that a plot can be drawn.

    Raises:
        UsageError: If its package is missing, or the file's ending says no known format.
    """
    if path.suffix.lower() not in _FORMATS:
        raise UsageError(f"--plot must end in {' or '.join(_FORMATS)}.", "As in cost.svg.")
    if not find_spec("matplotlib"):
        raise UsageError("--plot needs matplotlib.", "Install it with: pip install matplotlib")


def save_plot(result: WorkResult, path: Path) -> None:
    """Draw the curves of a piece of work, a panel for each axis."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    axes = list(dict.fromkeys(curve.axis for curve in result.work.curves))
    settings: dict[Any, Any] = {
        "axes.edgecolor": _INK,
        "axes.labelcolor": _INK,
        "font.size": 9,
        "svg.fonttype": "none",
        "svg.hashsalt": "sheepgen",  # the same plot is the same file
        "text.color": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=_SIZE, layout="constrained")
        panels = figure.subplots(1, len(axes), squeeze=False)[0]
        for panel, axis in zip(panels, axes, strict=True):
            own = [curve for curve in result.work.curves if curve.axis == axis]
            for curve, colour in zip(own, _COLOURS, strict=False):
                _draw(panel, result, curve, colour)
            _label(panel, axis, own)
        figure.savefig(path, transparent=True, dpi=100, metadata=_metadata(path))


def _draw(panel: Axes, result: WorkResult, curve: Curve, colour: str) -> None:
    """Draw the medians as a line, and the spread as bars."""
    outcomes = {each.contender.name: each for each in result.outcomes}
    measured = [
        (value, spread([each / (value if curve.is_shared else 1) for each in seconds]))
        for value, name in curve.points
        if (seconds := outcomes[name].seconds())
    ]
    if not measured:
        return
    values = [value for value, _ in measured]
    medians = [times.median for _, times in measured]
    bars = [
        [times.median - times.low for _, times in measured],
        [times.high - times.median for _, times in measured],
    ]
    panel.errorbar(
        values, medians, yerr=bars, color=colour, marker="o", markersize=4, label=curve.label
    )


def _label(panel: Axes, axis: str, curves: list[Curve]) -> None:
    panel.set_xlabel(axis)
    panel.set_ylabel("seconds")
    panel.set_xticks([value for value, _ in curves[0].points])
    panel.set_ylim(bottom=0)
    panel.grid(color=_INK, alpha=0.25, linewidth=0.5)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, loc="best")


def _metadata(path: Path) -> dict[str, None] | None:
    return {"Date": None} if path.suffix.lower() == ".svg" else None
