"""Contenders that do nothing but say what they were given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.bench.work import Contender, Work

if TYPE_CHECKING:
    from pathlib import Path

REPORT = """
import json, os, sys
from pathlib import Path
from PIL import Image
log, name, level, out = sys.argv[1:]
with Path(log).open("a") as file:
    file.write(json.dumps([name, {each: os.environ.get(each) for each in (
        "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "HF_HUB_OFFLINE", "SHEEPGEN_CONFIG"
    )}]) + "\\n")
for seconds in (5.0, 6.0, 9.0, 10.0):
    print(json.dumps({"event": "step", "seconds": seconds}), file=sys.stderr)
print("a note {", file=sys.stderr)
print("{not json}", file=sys.stderr)
print(json.dumps({"event": "saved", "seconds": 11.0}), file=sys.stderr)
Image.new("RGB", (2, 2), (int(level),) * 3).save(Path(out, "image.png"))
"""


def reporting(log: Path, name: str, *, level: int = 0, **settings: Any) -> Contender:
    """Return a contender that writes its name to a file, and a picture of one grey level."""
    arguments = ("-c", REPORT, str(log), name, str(level), "{out}")
    # Braces in a program are not names of places.
    escaped = arguments[1].replace("{", "{{").replace("}", "}}")
    return Contender(name=name, arguments=("-c", escaped, *arguments[2:]), **settings)


def fake_work(*contenders: Contender, **settings: Any) -> Work:
    return Work(name="nothing", about="Nothing.", minutes=0, contenders=contenders, **settings)
