from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from sheepgen.errors import NonFiniteError
from sheepgen.events import RunFailed, RunFinished
from sheepgen.metadata.record_json import from_dict
from sheepgen.output.jsonl import to_json_line, write_progress
from tests.samples import sample_events, sample_request, sample_saved

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.events import Event


def test_a_line_holds_the_files_and_the_whole_record(tmp_path: Path) -> None:
    saved = sample_saved(tmp_path / "x.png", sample_request(prompt="\x1b[31m羊\n"))
    line = to_json_line(saved)
    assert line.isascii()
    assert line.isprintable()
    data = json.loads(line)
    keys = ("path", "frames", "filmstrip", "animation", "schedule")
    files = {key: data.pop(key) for key in keys}
    assert files == {
        "path": str(tmp_path / "x.png"),
        "frames": None,
        "filmstrip": None,
        "animation": None,
        "schedule": None,
    }
    own = ("status", "seed", "sha256", "seconds")
    assert [data.pop(key) for key in own] == ["done", 42, saved.sha256, 1.235]
    assert from_dict(data) == saved.record


def test_a_failure_says_what_went_wrong() -> None:
    request = sample_request(seed=7)
    error = NonFiniteError("NaN came out.", "Use fp32.")
    line = json.loads(to_json_line(RunFailed(request=request, error=error, elapsed_s=1.23456)))
    assert (line["status"], line["seed"], line["seconds"]) == ("failed", 7, 1.235)
    assert line["request"]["prompt"] == request.prompt
    assert line["error"] == {
        "kind": "NonFiniteError",
        "message": "NaN came out.",
        "hint": "Use fp32.",
    }


def test_an_error_that_nobody_expected_is_named() -> None:
    failed = RunFailed(request=sample_request(), error=LookupError("all"), elapsed_s=0.0)
    error = json.loads(to_json_line(failed))["error"]
    assert (error["kind"], error["message"]) == ("LookupError", "Unexpected LookupError: all")


def progress_lines(events: list[Event], **labels: Any) -> list[dict[str, Any]]:
    stream = io.StringIO()
    requests = dict.fromkeys(event.request for event in events)
    names = {
        request: labels or {"image": number} for number, request in enumerate(requests, start=1)
    }
    assert list(write_progress(iter(events), stream, names)) == events
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_step_is_a_line(tmp_path: Path) -> None:
    request = sample_request(prompt="\x1b[31m羊", num_inference_steps=2)
    saved = sample_saved(tmp_path / "x.png", request)
    assert progress_lines([*sample_events(request), saved]) == [
        {
            "event": "started",
            "image": 1,
            "seed": 42,
            "total_steps": 2,
            "device": "cpu",
            "dtype": "fp32",
            "offload": "none",
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
    lines = progress_lines([*begun, failed])
    assert [(line["event"], line["image"]) for line in lines] == [
        ("started", 1),
        ("started", 2),
        ("started", 1),
        ("failed", 1),
    ]
    assert lines[-1]["error"] == {"kind": "NonFiniteError", "message": "NaN.", "hint": "Try."}


def test_an_image_may_be_names_otherwise(tmp_path: Path) -> None:
    events = [event for event in sample_events(sample_request()) if type(event) is not RunFinished]
    lines = progress_lines([*events, sample_saved(tmp_path / "x.png")], line=7)
    assert {line["line"] for line in lines} == {7}
    assert not any("image" in line for line in lines)
