"""What the terminal shows while images are made: one bar an image, and a line when it is saved.

It all goes to the error console, so that standard output stays clean for paths and JSON. Where
that console is no terminal there are no bars, only the lines.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from sheepgen.events import ImageSaved, RunStarted, StepCompleted
from sheepgen.text import excerpt, printable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from rich.console import Console
    from rich.progress import ProgressColumn

    from sheepgen.events import Event, Events

__all__ = ["show_bytes", "show_progress", "spinner"]


@contextmanager
def spinner(console: Console, activity: str) -> Iterator[None]:
    """Show that something takes its time, on a terminal; the line is gone afterwards."""
    with _bars(console, SpinnerColumn(), TextColumn("{task.description}", markup=False)) as bars:
        bars.add_task(excerpt(activity), total=None)
        yield


def show_bytes(progress: Iterable[tuple[int, str]], console: Console, *, total_bytes: int) -> None:
    """Show how far a download is.

    Args:
        progress: Bytes that have arrived, and the file they belong to.
        console: Of standard error.
        total_bytes: When it is done.
    """
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with _bars(console, *columns, TextColumn("{task.description}", markup=False)) as bars:
        task = bars.add_task("", total=total_bytes)
        for done, file in progress:
            bars.update(task, completed=done, description=excerpt(file))


def show_progress(events: Events, console: Console, *, images: int) -> Generator[Event]:
    """Pass events on and show on ``console`` how far they have come.

    Args:
        events: With an `ImageSaved` behind every `RunFinished`.
        console: Of standard error.
        images: How many images there will be.
    """
    bars = _bars(
        console,
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}", markup=False),
        TimeRemainingColumn(),
    )
    number, task = 0, TaskID(0)
    try:
        for event in events:
            match event:
                case RunStarted():
                    number += 1
                    if number == 1:
                        console.print(Text(f"Drawing on {event.device} in {event.dtype}."))
                    name = _name(event, number, images)
                    task = bars.add_task(name, total=event.total_steps, pace="")
                    bars.start()
                case StepCompleted():
                    pace = f"{event.elapsed_s / event.step:.2f} s/step"
                    bars.update(task, completed=event.step, pace=pace)
                case ImageSaved():
                    bars.stop()
                    bars.remove_task(task)
                    console.print(Text(printable(_summary(event, number, images))))
                case _:
                    pass
            yield event
    finally:
        bars.stop()


def _bars(console: Console, *columns: ProgressColumn) -> Progress:
    return Progress(
        *columns,
        console=console,
        transient=True,
        # The default sends whatever is printed to standard output to this console instead.
        redirect_stdout=False,
        disable=console.quiet or not console.is_interactive,
    )


def _name(event: RunStarted | ImageSaved, number: int, images: int) -> str:
    of_several = f"Image {number} of {images}, seed" if images > 1 else "Seed"
    return f"{of_several} {event.request.seed}"


def _summary(saved: ImageSaved, number: int, images: int) -> str:
    steps = saved.request.num_inference_steps
    counted = f"{steps} step{'' if steps == 1 else 's'}"
    summary = f"{_name(saved, number, images)}: {counted}, {saved.elapsed_s:.1f} s."
    return summary if saved.filmstrip is None else f"{summary} Filmstrip: {saved.filmstrip}"
