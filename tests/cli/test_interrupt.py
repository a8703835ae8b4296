from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from sheepgen.cli.interrupt import (
    exit_on_interrupt,
    interrupts_raised,
    interrupts_set,
    stopped_by_interrupts,
    taken_at_once,
)
from sheepgen.errors import Interrupted
from sheepgen.events import (
    ContactSheetSaved,
    ImageSaved,
    ModelLoading,
    RunFinished,
    RunStarted,
    StepCompleted,
    Waiting,
)
from tests.samples import sample_events, sample_record, sample_request

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from sheepgen.events import RunEvent
    from sheepgen.resolved_request import ResolvedRequest

ROOT = Path(__file__).parents[2]


def console() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=100), file


def test_the_first_sets_the_flag_and_the_second_stops_at_once() -> None:
    flag, (plain, written) = Flag(), console()
    before = signal.getsignal(signal.SIGINT)
    with interrupts_set(flag, plain):
        signal.raise_signal(signal.SIGINT)
        assert flag.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert written.getvalue() == "Stopping after this step; Ctrl-C again stops at once.\n"
    assert signal.getsignal(signal.SIGINT) == before


class InterruptedFile(io.StringIO):
    """Ctrl-C comes when the first text is written."""

    def flush(self) -> None:
        if self.getvalue() == "A note.\n":
            signal.raise_signal(signal.SIGINT)


def test_what_is_being_printed_is_printed_once() -> None:
    file = InterruptedFile()
    plain = Console(file=file, width=100)
    with interrupts_set(Flag(), plain):
        plain.print("A note.")
    assert file.getvalue().splitlines() == [
        "A note.",
        "Stopping after this step; Ctrl-C again stops at once.",
    ]


def test_ctrl_c_is_taken_over_when_the_first_image_is_begun() -> None:
    plain, written = console()
    before = signal.getsignal(signal.SIGINT)

    def events() -> Generator[RunEvent]:
        yield ModelLoading(model="tiny")
        yield from sample_events(sample_request())

    stopped = stopped_by_interrupts(events(), plain)
    next(stopped)
    assert signal.getsignal(signal.SIGINT) == before
    assert isinstance(next(stopped), RunStarted)
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(Interrupted, match="before the first step"):
        next(stopped)
    assert "Stopping after this step" in written.getvalue()
    assert signal.getsignal(signal.SIGINT) == before


def test_ctrl_c_is_given_back_when_the_events_are_closed() -> None:
    def events() -> Generator[RunEvent]:
        yield from sample_events(sample_request())

    before = signal.getsignal(signal.SIGINT)
    stopped = stopped_by_interrupts(events(), console()[0])
    next(stopped)
    assert signal.getsignal(signal.SIGINT) != before
    stopped.close()
    assert signal.getsignal(signal.SIGINT) == before


def two_images() -> Generator[RunEvent]:
    for seed in (1, 2):
        yield from sample_events(request := sample_request(seed=seed))
        yield saved(request)


def saved(request: ResolvedRequest) -> ImageSaved:
    path = Path("sheep.png")
    record = sample_record()
    return ImageSaved(
        request=request, record=record, path=path, artifacts={}, sha256="", elapsed_s=1.0
    )


def stopped_at(kind: type[RunEvent], number: int) -> tuple[list[RunEvent], str]:
    """Return what comes through, and what is said, when the flag is set at one of the events."""
    flag = Flag()
    passed: list[RunEvent] = []

    def watch() -> None:
        for event in stopped_by_interrupts(two_images(), console()[0], flag):
            passed.append(event)
            if sum(isinstance(each, kind) for each in passed) == number:
                flag.set()

    with pytest.raises(Interrupted) as caught:
        watch()
    return passed, caught.value.message


def test_it_stops_after_the_current_step() -> None:
    passed, said = stopped_at(StepCompleted, 2)
    assert [type(event) for event in passed] == [RunStarted, StepCompleted, StepCompleted]
    assert said == "Stopped after step 2 of 3."


def test_it_stops_before_the_first_step() -> None:
    passed, said = stopped_at(RunStarted, 1)
    assert [type(event) for event in passed] == [RunStarted]
    assert said == "Stopped before the first step."


def test_an_image_whose_steps_are_done_is_finished() -> None:
    passed, said = stopped_at(StepCompleted, 3)
    assert [event.request.seed for event in passed if isinstance(event, RunFinished)] == [1]
    assert isinstance(passed[-1], RunStarted)
    assert said == "Stopped before the first step."


def test_an_image_that_is_still_being_saved_is_announced_first() -> None:
    flag = Flag()
    first, second = (sample_request(seed=seed) for seed in (1, 2))

    def events() -> Generator[RunEvent]:
        yield from sample_events(first)
        flag.set()
        started, step, another, *_ = sample_events(second)
        yield from (started, step, saved(first), another)
        raise AssertionError("it stops after the step")

    passed: list[RunEvent] = []
    with pytest.raises(Interrupted, match=r"Stopped after step 2 of 3\."):
        passed.extend(stopped_by_interrupts(events(), console()[0], flag))


def two_together() -> Generator[RunEvent]:
    first, second = (list(sample_events(sample_request(seed=seed))) for seed in (1, 2))
    for events in zip(first[:4], second[:4], strict=True):
        yield from events
    yield from first[4:]
    yield from second[4:]


def test_images_made_together_are_finished_once_their_steps_are_done() -> None:
    flag = Flag()
    passed: list[RunEvent] = []
    for event in stopped_by_interrupts(two_together(), console()[0], flag):
        passed.append(event)
        if isinstance(event, StepCompleted) and event.step == 3:
            flag.set()
    assert [event.request.seed for event in passed if isinstance(event, RunFinished)] == [1, 2]


def test_images_made_together_stop_together() -> None:
    flag = Flag()
    flag.set()
    events = stopped_by_interrupts(two_together(), console()[0], flag)
    assert isinstance(next(events), RunStarted)
    with pytest.raises(Interrupted, match="before the first step"):
        next(events)


def test_nothing_is_cut_short_after_the_last_image() -> None:
    flag = Flag()

    def one_image() -> Generator[RunEvent]:
        for event in sample_events(sample_request()):
            if isinstance(event, RunFinished):
                flag.set()
            yield event

    assert isinstance(list(stopped_by_interrupts(one_image(), console()[0], flag))[-1], RunFinished)


def test_pages_of_a_contact_sheet_are_stopped(tmp_path: Path) -> None:
    flag = Flag()

    def events() -> Generator[RunEvent]:
        yield from sample_events(sample_request())
        yield saved(sample_request())
        flag.set()
        yield ContactSheetSaved(path=tmp_path / "contact_sheet_1.png")
        raise AssertionError("the next page is not begun")

    with pytest.raises(Interrupted, match=r"Stopped after contact_sheet_1\.png\."):
        list(stopped_by_interrupts(events(), console()[0], flag))


def test_waiting_for_another_process_is_stopped() -> None:
    flag = Flag()
    flag.set()

    def events() -> Generator[RunEvent]:
        yield Waiting(requests=(sample_request(),))

    stopped = stopped_by_interrupts(events(), console()[0], flag)
    next(stopped)
    with pytest.raises(Interrupted, match="while another process was generating the rest"):
        next(stopped)


def test_stopping_closes_what_it_stops() -> None:
    closed = []

    def events() -> Generator[RunEvent]:
        try:
            yield from two_images()
        finally:
            closed.append(True)

    flag = Flag()
    flag.set()
    with pytest.raises(Interrupted):
        list(stopped_by_interrupts(events(), console()[0], flag))
    assert closed == [True]


def test_what_is_awaited_is_given_up_at_once() -> None:
    def items() -> Iterator[str]:
        yield "first"
        signal.raise_signal(signal.SIGINT)

    flag, (plain, written) = Flag(), console()
    with interrupts_set(flag, plain):
        mine = signal.getsignal(signal.SIGINT)
        taken = taken_at_once(items(), flag)
        assert next(taken) == "first"
        assert signal.getsignal(signal.SIGINT) == mine
        with pytest.raises(KeyboardInterrupt):
            next(taken)
        assert signal.getsignal(signal.SIGINT) == mine
    assert written.getvalue() == ""


def test_nothing_is_awaited_when_the_flag_is_set() -> None:
    flag = Flag()
    taken = taken_at_once(iter(["first", "second"]), flag)
    assert next(taken) == "first"
    flag.set()
    with pytest.raises(Interrupted, match="between two images"):
        next(taken)
    assert list(taken_at_once(iter("ab"), Flag())) == ["a", "b"]


def test_ctrl_c_in_a_shell_exits_with_130_and_leaves_nothing_half_made(
    tiny_folder: Path, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sheepgen", "sheep", "-m", str(tiny_folder), "--steps", "900"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        said = ""
        while "Generating on" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        out, rest = process.communicate()
    assert process.returncode == 130, said + rest
    assert out == ""
    assert "Stopping after this step" in rest
    assert "Stopped " in rest
    assert list((tmp_path / "outputs").iterdir()) == []


SWALLOWING = """
import signal

try:
    signal.raise_signal(signal.SIGINT)
except BaseException:  # as lazy imports do, and then fail with something else
    pass
raise ImportError("swallowed")
"""


@pytest.mark.parametrize("library", ["typer", "torch", "diffusers"])
def test_ctrl_c_while_a_library_is_imported_stops_at_once(tmp_path: Path, library: str) -> None:
    (tmp_path / f"{library}.py").write_text(SWALLOWING)
    result = subprocess.run(
        [sys.executable, "-m", "sheepgen", "a sheep", "-o", "images/"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (130, ""), result.stderr
    assert result.stderr.splitlines()[-1] == "Interrupted."
    assert list(tmp_path.glob("images/*")) == []


@pytest.fixture
def no_exit(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Undo what is set here, and note codes that the process would leave with."""
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)
    before = signal.getsignal(signal.SIGINT)
    yield codes
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_leaves_on_the_spot_until_something_may_be_half_written(
    no_exit: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    exit_on_interrupt()
    signal.raise_signal(signal.SIGINT)
    assert no_exit == [130]
    assert capfd.readouterr().err == "Interrupted.\n"
    with pytest.raises(KeyboardInterrupt), interrupts_raised():
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    assert no_exit == [130, 130]
    flag = Flag()
    with interrupts_set(flag, console()[0]):
        signal.raise_signal(signal.SIGINT)
    assert flag.is_set()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert no_exit == [130, 130]


def test_ctrl_c_stays_ignored_in_the_background(no_exit: list[int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_on_interrupt()
    signal.raise_signal(signal.SIGINT)
    with interrupts_raised():
        signal.raise_signal(signal.SIGINT)
    flag = Flag()
    with interrupts_set(flag, console()[0]):
        signal.raise_signal(signal.SIGINT)
    assert not flag.is_set()
    assert no_exit == []
