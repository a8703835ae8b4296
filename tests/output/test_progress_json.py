from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from sheepgen.errors import NonFiniteError
from sheepgen.events import RunFailed, RunFinished
from sheepgen.output.jsonl import write_progress
from tests.samples import sample_events, sample_request, sample_saved

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.events import Event


def told(events: list[Event], **labels: Any) -> list[dict[str, Any]]:
    stream = io.StringIO()
    requests = dict.fromkeys(event.request for event in events)
    called = {
        request: labels or {"image": number} for number, request in enumerate(requests, start=1)
    }
    assert list(write_progress(iter(events), stream, called)) == events
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_step_is_a_line(tmp_path: Path) -> None:
    request = sample_request(prompt="\x1b[31m羊", num_inference_steps=2)
    saved = sample_saved(tmp_path / "x.png", request)
    assert told([*sample_events(request), saved]) == [
        {
            "event": "started",
            "image": 1,
            "seed": 42,
            "total_steps": 2,
            "device": "cpu",
            "dtype": "fp32",
        },
        *(
            {
                "event": "step",
                "image": 1,
                "seed": 42,
                "step": step,
                "total_steps": 2,
                "timestep": 1000.0 - step,
                "seconds": float(step),
            }
            for step in (1, 2)
        ),
        {"event": "saved", "image": 1, "seed": 42, "path": str(saved.path), "seconds": 1.235},
    ]


def test_failures_and_mixed_runs_are_told_apart() -> None:
    first, second = sample_request(seed=1), sample_request(seed=2)
    failed = RunFailed(request=first, error=NonFiniteError("NaN.", "Try."), elapsed_s=0.5)
    begun = [next(sample_events(request)) for request in (first, second, first)]
    lines = told([*begun, failed])
    assert [(line["event"], line["image"]) for line in lines] == [
        ("started", 1),
        ("started", 2),
        ("started", 1),
        ("failed", 1),
    ]
    assert lines[-1]["error"] == {"kind": "NonFiniteError", "message": "NaN.", "hint": "Try."}


def test_an_image_may_be_called_otherwise(tmp_path: Path) -> None:
    events = [event for event in sample_events(sample_request()) if type(event) is not RunFinished]
    lines = told([*events, sample_saved(tmp_path / "x.png")], line=7)
    assert {line["line"] for line in lines} == {7}
    assert not any("image" in line for line in lines)
