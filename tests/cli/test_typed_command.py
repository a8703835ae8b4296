"""What was typed, shown with other options if it runs out of memory."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, NoReturn

import pytest

from sheepgen.execution import device_memory, local

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


@pytest.fixture(autouse=True)
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(device_memory, "free_memory", lambda _: None)
    monkeypatch.setattr(local, "stream_batch", exhausted)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("'a {red|blue} sheep; ls' -s 7", "'a {red|blue} sheep; ls' -s 7"),
        ("--precision fp32 -s7 sheep -c1", "-s7 sheep -c1"),
        ("--dtype=auto --steps 2 -- --sheep", "--steps 2"),
        (
            "sheep --negative-prompt --dtype --seed 7 -q",
            "sheep --negative-prompt --dtype --seed 7 -q",
        ),
    ],
)
def test_options_take_the_place_of_those_that_were_typed(
    run: Run, tiny_folder: Path, typed: str, kept: str
) -> None:
    result = run("-m", str(tiny_folder), *shlex.split(typed))
    assert result.exit_code == 1
    *_, intro, command = result.stderr.splitlines()
    assert intro == "This should fit:"
    after = " -- --sheep" if " -- " in typed else ""
    model = shlex.join(["-m", str(tiny_folder)])
    assert command == f"sheepgen generate {model} {kept} --dtype bf16{after}"


def test_jobs_and_images_of_a_sweep_say_it_too(run: Run, tiny_folder: Path) -> None:
    words = ("sweep", "sheep", "-m", str(tiny_folder), "--seeds", "1-2")
    result = run(*words)
    assert result.exit_code == 3
    assert result.stderr.count(shlex.join(["sheepgen", *words, "--dtype", "bf16"])) == 2
    jobs = ("batch", "-", "-m", str(tiny_folder))
    result = run(*jobs, stdin="sheep\n")
    answer = json.loads(result.stdout)
    command = shlex.join(["sheepgen", *jobs, "--dtype", "bf16"])
    assert answer["error"]["hint"] == f"This should fit:\n{command}"
