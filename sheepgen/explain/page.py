"""An explanation as one HTML page: nothing is loaded from anywhere, everything is escaped.

Prompts, and what tokenizers make of them, are hostile text: the template escapes all that it is
given, and the page's own policy allows no script but its own and no request at all. Without scripts
all steps are listed; the script shows them one at a time, with a slider.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.explain.heat import colour_map, transparent_map
from sheepgen.explain.pictures import STEP_SIDE, UNNAMED, shown_steps
from sheepgen.metadata.a1111 import to_parameters
from sheepgen.output.html import picture_uri, render_html
from sheepgen.sanitize import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.explain.pictures import WordPictures
    from sheepgen.explain.report import Explanation, HeatMap

__all__ = ["render_page"]

_PICTURE_SIDE = 384

CHART_WIDTH, CHART_HEIGHT = 600, 160


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """One curve over the steps.

    Args:
        title: What it shows.
        note: How it is computed.
        points: As SVG has them, in `CHART_WIDTH` by `CHART_HEIGHT`.
        most: The number at the upper edge; the lower one is 0.
    """

    title: str
    note: str
    points: Sequence[tuple[float, float]]
    most: float


def render_page(
    explanation: Explanation, words: Sequence[WordPictures], *, key: str, name: str
) -> str:
    """Return the page.

    Args:
        explanation: What was recorded.
        words: Its pictures.
        key: The image's `sheepgen.execution.image_key.image_key`, which the page names.
        name: Of the image's file, for a command to paste.
    """
    steps = explanation.steps
    return render_html(
        "sheepgen.explain",
        "page",
        explanation=explanation,
        request=explanation.record.request,
        parameters=printable(to_parameters(explanation.record)),
        image=picture_uri(explanation.image, _PICTURE_SIDE * 2),
        words=[_word(each) for each in words],
        steps=_steps(explanation),
        charts=[
            chart
            for chart in (
                _chart(
                    "Share of guidance",
                    "how much the prompt changes the prediction: |text - uncond| / |text|",
                    [step.guidance for step in steps],
                ),
                _chart(
                    "Change of the latents",
                    "how far a step moves them: |after - before| / |before|",
                    [step.change for step in steps],
                ),
            )
            if chart is not None
        ],
        table=_table(explanation),
        tokens=[(each, _spans(each.group.positions)) for each in explanation.heat_maps],
        has_ids=any(each.group.ids for each in explanation.heat_maps),
        unnamed=UNNAMED,
        key=key,
        command=printable(shlex.join(["sheepgen", "verify", name])),
        chart_width=CHART_WIDTH,
        chart_height=CHART_HEIGHT,
    )


def _spans(positions: Sequence[int]) -> str:
    """Return ascending positions as text: "1, 78 to 80"."""
    begins = [at for at in positions if at - 1 not in positions]
    ends = [at for at in positions if at + 1 not in positions]
    spans = zip(begins, ends, strict=True)
    return ", ".join(f"{first}" if first == last else f"{first} to {last}" for first, last in spans)


def _word(word: WordPictures) -> dict[str, object]:
    heat = word.heat_map
    return {
        "text": word.text,
        "is_named": heat is None or heat.group.is_named,
        "heat_map": heat,
        "least": None if heat is None else float(heat.mean.min()),
        "most": None if heat is None else float(heat.mean.max()),
        "ablation": word.ablation,
        "sizes": [] if heat is None else _sizes(heat),
        **{
            kind: picture_uri(word.pictures[kind], _PICTURE_SIDE) if kind in word.pictures else None
            for kind in ("overlay", "heat", "without", "difference")
        },
    }


def _sizes(heat: HeatMap) -> list[dict[str, object]]:
    """Return a small picture for each size of maps."""
    return [
        {
            "rows": maps.shape[0],
            "columns": maps.shape[1],
            "picture": picture_uri(colour_map(maps, (96 * maps.shape[1] // maps.shape[0], 96)), 96),
        }
        for maps in heat.of_layers
    ]


def _steps(explanation: Explanation) -> list[dict[str, object]]:
    """Return the steps that are shown, each with small maps to lay over its picture."""
    maps = explanation.named or list(explanation.heat_maps)
    ranges = [
        (
            min(float(step.min()) for step in each.of_steps),
            max(float(step.max()) for step in each.of_steps),
        )
        for each in maps
    ]
    return [
        {
            "step": step,
            "clean": picture_uri(step.clean, STEP_SIDE),
            "noisy": picture_uri(step.noisy, STEP_SIDE),
            "maps": [
                {
                    "text": each.group.text,
                    "share": float(each.of_steps[step.number - 1].mean()),
                    "picture": picture_uri(
                        transparent_map(each.of_steps[step.number - 1], low=low, high=high), 64
                    ),
                }
                for each, (low, high) in zip(maps, ranges, strict=True)
            ],
        }
        for step in shown_steps(explanation.steps)
    ]


def _chart(title: str, note: str, values: Sequence[float | None]) -> Chart | None:
    """Return a curve, or None if there is nothing to show."""
    known = [(at, value) for at, value in enumerate(values) if value is not None]
    if not known:
        return None
    most = max(value for _, value in known) or 1.0
    across = max(1, len(values) - 1)
    points = [
        (round(CHART_WIDTH * at / across, 1), round(CHART_HEIGHT * (1 - value / most), 1))
        for at, value in known
    ]
    return Chart(title=title, note=note, points=points, most=most)


def _table(explanation: Explanation) -> str:
    """Return the numbers of all steps as tab-separated text, for a spreadsheet."""
    maps = explanation.named
    heads = ["step", "timestep", "guidance", "change", *(each.group.text for each in maps)]
    rows = [[" ".join(printable(head).split()) for head in heads]]
    for step in explanation.steps:
        shares = [float(each.of_steps[step.number - 1].mean()) for each in maps]
        numbers = [step.guidance, step.change, *shares]
        rows.append(
            [
                str(step.number),
                f"{step.timestep:g}",
                *("" if number is None else f"{number:.4f}" for number in numbers),
            ]
        )
    return "\n".join("\t".join(row) for row in rows)
