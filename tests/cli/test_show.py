from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings

from sheepgen.image_file import encode_image
from sheepgen.infotext import to_command, to_parameters
from sheepgen.metadata import from_dict
from sheepgen.text import printable
from tests.samples import records, sample_image, sample_record

if TYPE_CHECKING:
    from sheepgen.metadata import ImageRecord
    from tests.cli.conftest import Run, Typed


def test_parameters_and_the_command_are_shown(run: Run) -> None:
    record = sample_record(prompt="two\nlines")
    Path("x.png").write_bytes(encode_image(sample_image(), record, ".png"))
    result = run("show", "x.png")
    assert result.exit_code == 0
    assert result.stdout == f"{to_parameters(record)}\n\n{to_command(record)}\n"


def test_json_is_the_whole_record(run: Run) -> None:
    record = sample_record(truncated=("far",))
    Path("x.webp").write_bytes(encode_image(sample_image(), record, ".webp"))
    assert from_dict(json.loads(run("show", "x.webp", "--json").stdout)) == record


def test_a_strangers_image_cannot_speak_to_the_terminal(run: Run) -> None:
    record = sample_record(prompt="[red]\x1b]8;;http://x\x07\u202e\x9b31m", model="\x1b[2J")
    Path("x.png").write_bytes(encode_image(sample_image(), record, ".png"))
    shown = run("show", "x.png").stdout
    assert printable(shown) == shown
    assert shown.startswith("[red]]8;;http://x31m")


def test_an_image_without_a_record_is_an_error(run: Run) -> None:
    sample_image().save("x.png")
    result = run("show", "x.png")
    assert result.exit_code == 1
    assert "carries no record" in result.stderr
    assert result.stdout == ""


def test_a_missing_image_is_an_error(run: Run) -> None:
    assert run("show", "missing.png").exit_code == 1
    assert run("show").exit_code == 2


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(record=records.filter(lambda record: record.request.prompt != "-"))
def test_the_command_stands_for_the_same_request(typed: Typed, record: ImageRecord) -> None:
    command = to_command(record)
    if "$'" not in command:  # quoting that only a shell undoes; tests/test_infotext.py asks one
        assert typed(*shlex.split(command)[1:]) == record.request
