from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from rich.console import Console

from sheepgen.errors import NonFiniteError
from sheepgen.events import (
    ContactSheetSaved,
    ImageSaved,
    ModelLoading,
    Notice,
    PreviewDecoded,
    RunFailed,
    Waiting,
)
from sheepgen.output.artifacts import FRAME_CHOICES
from sheepgen.output.images import OutputLayout, save_images
from sheepgen.output.progress import bytes_bar, counted_labels, show_progress, spinner
from sheepgen.output.template import parse_output
from tests.samples import sample_events, sample_request

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from sheepgen.events import Event, RunEvent


def console(*, terminal: bool, quiet: bool = False) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    made = Console(
        file=file, force_terminal=terminal, force_interactive=terminal, quiet=quiet, width=100
    )
    return made, file


def show(
    events: list[Event], console: Console, images: int | None, label: str | None = None
) -> Generator[RunEvent]:
    """Show events under labels as the command makes them, or under one."""
    requests = dict.fromkeys(event.request for event in events)
    others = [sample_request(seed=1000 + number) for number in range((images or 0) - len(requests))]
    details = {request: f"seed {request.seed}" for request in [*requests, *others]}
    labels = dict.fromkeys(requests, label) if label else counted_labels(details)
    return show_progress(iter(events), console, labels, images=images)


def saved_events(folder: Path, *seeds: int, frames: str = "strip") -> list[Event]:
    layout = OutputLayout(
        template=parse_output(f"{folder}/x.png", several=False), frames=FRAME_CHOICES[frames]
    )
    requests = [sample_request(seed=seed) for seed in seeds]
    events = (event for request in requests for event in sample_events(request))
    targets = {request: layout.template.target(request, 1, "k") for request in requests}
    return list(save_images(events, layout, targets))


def test_off_a_terminal_there_is_one_line_an_image(tmp_path: Path) -> None:
    plain, written = console(terminal=False)
    events = saved_events(tmp_path, 42)
    assert list(show(events, plain, 1)) == events
    lines = written.getvalue().splitlines()
    assert lines == [
        "Generating on cpu in fp32.",
        "Seed 42: 3 steps, 3.0 s. Also saved: x_filmstrip.png",
    ]


def test_what_is_saved_is_printed_by_name_after_the_picture(tmp_path: Path) -> None:
    plain, written = console(terminal=False)
    events = saved_events(tmp_path, 42, frames="gif")
    for event in show(events, plain, 1):
        if isinstance(event, ImageSaved):
            print("the picture", file=written)
    *_, picture, line = written.getvalue().splitlines()
    assert picture == "the picture"
    assert line == (
        "Seed 42: 3 steps, 3.0 s. Also saved: x_frames/, x_filmstrip.png, x_animation.gif"
    )


def test_a_picture_alone_has_nothing_beside_it(tmp_path: Path) -> None:
    plain, written = console(terminal=False)
    list(show(saved_events(tmp_path, 42, frames="none"), plain, 1))
    assert written.getvalue().splitlines()[-1] == "Seed 42: 3 steps, 3.0 s."


def test_a_picture_that_was_decoded_in_tiles_is_said_to_be(tmp_path: Path) -> None:
    plain, written = console(terminal=False)
    *before, saved = saved_events(tmp_path, 42, frames="none")
    assert isinstance(saved, ImageSaved)
    environment = replace(saved.record.environment, tiled_from=1)
    saved = replace(saved, record=replace(saved.record, environment=environment))
    list(show([*before, saved], plain, 1))
    last = written.getvalue().splitlines()[-1]
    assert last == "Seed 42: 3 steps, 3.0 s. Decoded in tiles."


def test_several_images_are_counted(tmp_path: Path) -> None:
    plain, written = console(terminal=False)
    list(show(saved_events(tmp_path, 5, 6), plain, 2))
    assert "Image 1 of 2, seed 5: 3 steps" in written.getvalue()
    assert "Image 2 of 2, seed 6: 3 steps" in written.getvalue()


def test_without_an_end_in_sight_images_go_by_their_labels(tmp_path: Path) -> None:
    plain, written = console(terminal=False)
    events = saved_events(tmp_path, 5, 5, 5)
    list(show(events, plain, None, "Line 7"))
    list(show(events[-1:], plain, None, "The last"))
    assert written.getvalue().count("Line 7: 3 steps") == 3
    assert "The last: 3 steps" in written.getvalue()
    terminal, written = console(terminal=True)
    list(show(events, terminal, None))
    assert "All images" in written.getvalue()
    assert "2/?" in written.getvalue()


def test_a_terminal_gets_a_bar_and_keeps_the_line(tmp_path: Path) -> None:
    terminal, written = console(terminal=True)
    list(show(saved_events(tmp_path, 5, 6), terminal, 2))
    assert "3/3" in written.getvalue()
    assert "1.00 s/step" in written.getvalue()
    assert "Image 2 of 2, seed 6: 3 steps, 3.0 s." in written.getvalue()


def test_standard_output_is_left_alone(tmp_path: Path) -> None:
    terminal, _ = console(terminal=True)
    before = sys.stdout
    for _ in show(saved_events(tmp_path, 5), terminal, 1):
        assert sys.stdout is before
    with spinner(terminal, "Working"):
        assert sys.stdout is before


@pytest.mark.parametrize("terminal", [True, False])
def test_a_quiet_console_says_nothing(tmp_path: Path, terminal: bool) -> None:
    quiet, written = console(terminal=terminal, quiet=True)
    list(show(saved_events(tmp_path, 5), quiet, 1))
    with spinner(quiet, "Working"):
        pass
    assert written.getvalue() == ""


def test_a_closed_stream_takes_its_bar_along(tmp_path: Path) -> None:
    terminal, written = console(terminal=True)
    shown = show(saved_events(tmp_path, 5), terminal, 1)
    next(shown)
    shown.close()
    assert "\x1b[?25h" in written.getvalue()  # the cursor is shown again


def test_untrusted_words_are_never_obeyed() -> None:
    terminal, written = console(terminal=True)
    with spinner(terminal, "Loading [red]x[/red] \x1b]8;;http://x\x07"):
        pass
    with bytes_bar(terminal, total_bytes=1) as bar:
        bar.update(1, "[bold]\x1b[31mfile")
    assert "[red]x[/red]" in written.getvalue()
    assert "[bold][31mfile" in written.getvalue()
    assert "\x1b]8" not in written.getvalue()


def test_downloads_show_bytes_and_the_file() -> None:
    terminal, written = console(terminal=True)
    with bytes_bar(terminal, total_bytes=1_000_000) as bar:
        bar.update(500_000, "unet")
        bar.update(1_000_000, "vae")
    assert "1.0/1.0 MB" in written.getvalue()
    assert "vae" in written.getvalue()


def test_a_run_that_begins_anew_is_still_one_image(tmp_path: Path) -> None:
    events = saved_events(tmp_path, 5)
    plain, written = console(terminal=False)
    list(show([*events[:3], *events], plain, 2))
    assert written.getvalue().count("Image 1 of 2, seed 5") == 1
    terminal, written = console(terminal=True)
    list(show([*events[:3], *events], terminal, 2))
    assert "1/2" in written.getvalue()


@pytest.mark.parametrize("ends_the_run", [True, False])
def test_a_failure_is_said_unless_it_ends_the_run(ends_the_run: bool) -> None:
    plain, written = console(terminal=False)
    request = sample_request(seed=5)
    failed = RunFailed(request=request, error=NonFiniteError("NaN.", "Try."), elapsed_s=0.5)
    shown = show([*list(sample_events(request))[:2], failed], plain, 1)
    for event in shown:
        if event == failed and ends_the_run:
            shown.close()
    assert ("Seed 5: failed. NaN. Try." in written.getvalue()) != ends_the_run


def test_of_many_images_made_together_a_few_are_shown() -> None:
    terminal, written = console(terminal=True)
    runs = [list(sample_events(sample_request(seed=seed))) for seed in range(9)]
    together = [event for events in zip(*runs, strict=True) for event in events]
    list(show(together, terminal, 9))
    assert "Image 4 of 9" in written.getvalue()
    assert "Image 5 of 9" not in written.getvalue()


def test_what_is_of_no_single_image_is_said_once(tmp_path: Path) -> None:
    plain, written = console(terminal=False)
    waiting = Waiting(requests=(sample_request(seed=1), sample_request(seed=2)))
    events: list[RunEvent] = [
        Notice(message="No \x1b[31mlocks."),
        ModelLoading(model="tiny"),
        *saved_events(tmp_path, 5),
        waiting,
        waiting,
        ContactSheetSaved(path=tmp_path / "sheet.png"),
    ]
    labels = {sample_request(seed=5): "Seed 5"}
    assert list(show_progress(iter(events), plain, labels, images=1)) == events
    first, *_, waited, sheet = written.getvalue().splitlines()
    assert first == "No [31mlocks."
    assert waited == "Waiting for another process to generate 2 images."
    assert sheet == f"Contact sheet: {tmp_path / 'sheet.png'}"


def test_a_terminal_shows_that_a_model_is_loading_until_it_is(tmp_path: Path) -> None:
    terminal, written = console(terminal=True)
    events: list[RunEvent] = [ModelLoading(model="tiny"), *saved_events(tmp_path, 5)]
    labels = {sample_request(seed=5): "Seed 5"}
    shown = show_progress(iter(events), terminal, labels, images=1)
    assert next(shown) == events[0]
    assert "Loading tiny" in written.getvalue()
    next(shown)
    assert written.getvalue().count("\x1b[?25l") == 2, "a spinner, then a bar"
    shown.close()


def test_a_preview_is_above_the_bar_until_the_image_is_saved(tmp_path: Path) -> None:
    terminal, written = console(terminal=True)
    events = saved_events(tmp_path, 5)
    request = events[0].request
    preview = PreviewDecoded(request=request, image=Image.new("RGB", (8, 8), (250, 0, 0)))
    events.insert(2, preview)
    rows = terminal.height - 8
    for event in show_progress(events, terminal, {request: "Seed 5"}, images=1, preview=True):
        if event == preview:
            shown = screen(written.getvalue())
            assert [line.count("▀") for line in shown[-rows - 1 : -1]] == [2 * rows] * rows
            assert "Seed 5" in shown[-1]
    assert not any("▀" in line for line in screen(written.getvalue()))


def screen(written: str) -> list[str]:
    """Return the lines that a terminal shows; it knows the few codes that bars are made of."""
    lines, row = [""], 0
    for code, text in re.findall(r"(\x1b\[\??[\d;]*[A-Za-z]|\r|\n)|([^\x1b\r\n]+)", written):
        if code == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif code == "\x1b[1A":
            row -= 1
        elif code == "\x1b[2K":
            lines[row] = ""
        lines[row] += text
    return [line for line in lines if line]


@pytest.mark.parametrize("together", [1, 2])
def test_what_is_printed_between_two_images_stays_on_the_screen(
    tmp_path: Path, together: int
) -> None:
    terminal, written = console(terminal=True)
    runs = [saved_events(tmp_path / str(seed), seed) for seed in range(4)]
    batches = [runs[first : first + together] for first in range(0, 4, together)]
    events = [event for batch in batches for events in zip(*batch, strict=True) for event in events]
    for event in show(events, terminal, 4):
        if isinstance(event, ImageSaved):
            written.write(f"{event.path}\n")
    shown = screen(written.getvalue())
    paths = [event.path for event in events if isinstance(event, ImageSaved)]
    assert [line for line in shown if line in map(str, paths)] == [str(path) for path in paths]
    assert [line[:12] for line in shown if "steps" in line] == [
        f"Image {number} of 4" for number in (1, 2, 3, 4)
    ]
    assert not any("All images" in line for line in shown)
