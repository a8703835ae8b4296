from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sheepgen.errors import NonFiniteError
from sheepgen.events import RunFailed
from sheepgen.metadata.record import from_dict
from sheepgen.output.jsonl import to_json_line
from tests.samples import sample_request, sample_saved

if TYPE_CHECKING:
    from pathlib import Path


def test_a_line_holds_the_files_and_the_whole_record(tmp_path: Path) -> None:
    saved = sample_saved(tmp_path / "x.png", sample_request(prompt="\x1b[31m羊\n"))
    line = to_json_line(saved)
    assert line.isascii()
    assert line.isprintable()
    data = json.loads(line)
    files = {key: data.pop(key) for key in ("path", "frames", "filmstrip", "animation")}
    assert files == {
        "path": str(tmp_path / "x.png"),
        "frames": None,
        "filmstrip": None,
        "animation": None,
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
