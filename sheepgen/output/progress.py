"""What the terminal shows while images are made: a bar an image, and a line when it is saved.

It all goes to the error console, so that standard output stays clean for paths and JSON. Where
that console is no terminal there are no bars, only the lines.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from rich.live import Live
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

from sheepgen.errors import as_sheepgen_error
from sheepgen.events import FrameDecoded, ImageSaved, RunFailed, RunStarted, StepCompleted
from sheepgen.sanitize import excerpt, plural, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from rich.console import Console
    from rich.progress import ProgressColumn

    from sheepgen.events import Event, Events
    from sheepgen.request import ResolvedRequest

_MOST_BARS = 4
"""Images of one batch are all equally far: a few bars say it."""

__all__ = ["counted", "show_bytes", "show_progress", "spinner"]


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


def show_progress(
    events: Events,
    console: Console,
    *,
    images: int | None,
    name: Callable[[ResolvedRequest], str] | None = None,
) -> Generator[Event]:
    """Pass events on and show on ``console`` how far they have come.

    The line on a saved image comes after its event has been taken, and so after its path.

    Args:
        events: With an `ImageSaved` behind every `RunFinished`.
        console: Of standard error.
        images: How many images there will be; None if nobody knows yet.
        name: What an image is called, asked once a run; else they are `counted`, with their seeds.
    """
    bars = _bars(
        console,
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}", markup=False),
        TimeRemainingColumn(),
    )
    display = _Display(bars)
    total = bars.add_task("All images", total=images, pace="", visible=images != 1)
    name = name or counted(images, lambda request: f"seed {request.seed}")
    names: dict[ResolvedRequest, str] = {}
    tasks: dict[ResolvedRequest, TaskID] = {}
    started = False
    try:
        for event in events:
            match event:
                case RunStarted():
                    if not started:
                        console.print(Text(f"Drawing on {event.device} in {event.dtype}."))
                        started = True
                    if event.request in tasks:  # it begins anew
                        bars.reset(tasks[event.request])
                    else:
                        called = names[event.request] = name(event.request)
                        tasks[event.request] = bars.add_task(
                            called,
                            total=event.total_steps,
                            pace="",
                            visible=len(tasks) < _MOST_BARS,
                        )
                    display.show()
                case StepCompleted():
                    pace = f"{event.elapsed_s / event.step:.2f} s/step"
                    bars.update(tasks[event.request], completed=event.step, pace=pace)
                    display.show()
                case FrameDecoded():
                    display.show()
                case ImageSaved() | RunFailed():
                    called = names.pop(event.request, "") or name(event.request)
                    task = tasks.pop(event.request, None)
                    bars.advance(total)
                    # Whoever takes the event may print on the same terminal.
                    display.hide()
                    if task is not None:
                        bars.remove_task(task)
                    try:
                        yield event
                    finally:  # it is on disk, whatever becomes of whoever takes the event
                        console.print(Text(printable(f"{called}: {_outcome(event)}")))
                    continue
                case _:
                    pass
            yield event
    finally:
        display.hide()


def counted(
    images: int | None, detail: Callable[[ResolvedRequest], str]
) -> Callable[[ResolvedRequest], str]:
    """Return a function that calls images by their numbers and what tells them apart.

    Args:
        images: How many there will be; None if nobody knows yet.
        detail: What tells an image from the others.
    """
    if images == 1:
        return lambda request: detail(request)[:1].upper() + detail(request)[1:]
    numbers = count(1)
    of_all = "" if images is None else f" of {images}"
    return lambda request: f"Image {next(numbers)}{of_all}, {detail(request)}"


class _Display:
    """Bars that can be taken off the screen and put back below what was printed meanwhile.

    `Progress` itself would put them where they were, over it.
    """

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._live: Live | None = None

    def show(self) -> None:
        if self._live is None and not self._bars.disable:
            self._live = Live(
                get_renderable=self._bars.get_renderable,
                console=self._bars.console,
                transient=True,
                refresh_per_second=10,
                redirect_stdout=False,
            )
            self._live.start()

    def hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def _bars(console: Console, *columns: ProgressColumn) -> Progress:
    return Progress(
        *columns,
        console=console,
        transient=True,
        # The default sends whatever is printed to standard output to this console instead.
        redirect_stdout=False,
        disable=console.quiet or not console.is_interactive,
    )


def _outcome(event: ImageSaved | RunFailed) -> str:
    if isinstance(event, RunFailed):
        error = as_sheepgen_error(event.error)
        return f"failed. {error.message} {error.hint}".rstrip()
    steps = plural(event.request.num_inference_steps, "step")
    outcome = f"{steps}, {event.elapsed_s:.1f} s."
    names = [f"{event.frames_folder.name}/"] if event.frames_folder else []
    names += [path.name for path in (event.filmstrip, event.animation) if path]
    return f"{outcome} Beside it: {', '.join(names)}" if names else outcome
