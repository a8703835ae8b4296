from __future__ import annotations

import json
from pathlib import Path

from sheepgen.events import ImageSaved
from sheepgen.metadata import from_dict
from sheepgen.sinks.jsonlines import to_json_line
from tests.samples import sample_record


def test_a_line_holds_the_files_and_the_whole_record() -> None:
    record = sample_record(prompt="\x1b[31m羊\n", truncated=("far",))
    line = to_json_line(
        ImageSaved(
            request=record.request,
            record=record,
            path=Path("out/x.png"),
            frames_folder=Path("out/x_frames"),
            filmstrip=None,
            animation=None,
            sha256="ab",
            elapsed_s=1.23456,
        )
    )
    assert line.isascii()
    assert line.isprintable()
    data = json.loads(line)
    files = {key: data.pop(key) for key in ("path", "frames", "filmstrip", "animation")}
    assert files == {
        "path": "out/x.png",
        "frames": "out/x_frames",
        "filmstrip": None,
        "animation": None,
    }
    assert (data.pop("seed"), data.pop("sha256"), data.pop("seconds")) == (42, "ab", 1.235)
    assert from_dict(data) == record
