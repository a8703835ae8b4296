"""What the terminal shows while images are generated: a bar and a final line for each image.

All of it goes to standard error, so that standard output has only paths and JSON. If standard error
is not a terminal, there are no bars, only the lines.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from rich.console import Group
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
from sheepgen.events import (
    AnimationSaved,
    ContactSheetSaved,
    FrameDecoded,
    ImageSaved,
    ModelLoading,
    Notice,
    PreviewDecoded,
    RunFailed,
    RunStarted,
    StepCompleted,
    SweepPageSaved,
    Waiting,
)
from sheepgen.output.artifacts import ARTIFACTS
from sheepgen.output.terminal_picture import draw_in_terminal
from sheepgen.prompt_template import describe_picks
from sheepgen.sanitize import excerpt, plural, printable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from rich.console import Console, RenderableType
    from rich.progress import ProgressColumn

    from sheepgen.events import RunEvent
    from sheepgen.resolved_request import ResolvedRequest

_E = TypeVar("_E")

_MOST_BARS = 4
"""Images of a batch progress together: a few bars are enough."""

__all__ = [
    "BytesBar",
    "CountBar",
    "bytes_bar",
    "count_bar",
    "counted_labels",
    "show_progress",
    "spinner",
]


@contextmanager
def spinner(console: Console, activity: str) -> Iterator[None]:
    """Show a spinner on a terminal; it disappears at the end."""
    with _bars(console, SpinnerColumn(), TextColumn("{task.description}", markup=False)) as bars:
        bars.add_task(excerpt(activity), total=None)
        yield


@dataclass(frozen=True, slots=True)
class BytesBar:
    """The bar of a download."""

    bars: Progress
    task: TaskID

    def update(self, done_bytes: int, file: str) -> None:
        """Show how many bytes have arrived, and the current file."""
        self.bars.update(self.task, completed=done_bytes, description=excerpt(file))


@contextmanager
def bytes_bar(console: Console, *, total_bytes: int) -> Iterator[BytesBar]:
    """Show a download bar on a terminal; it disappears at the end."""
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with _bars(console, *columns, TextColumn("{task.description}", markup=False)) as bars:
        yield BytesBar(bars, bars.add_task("", total=total_bytes))


@dataclass(frozen=True, slots=True)
class CountBar:
    """The bar of one activity after another, over things that are counted."""

    bars: Progress
    task: TaskID

    def update(self, activity: str, done: int, total: int) -> None:
        """Show how many are done."""
        self.bars.update(self.task, description=excerpt(activity), completed=done, total=total)


@contextmanager
def count_bar(console: Console, activity: str) -> Iterator[CountBar]:
    """Show a bar on a terminal, of which nothing is known at first; it disappears at the end."""
    text = TextColumn("{task.description}", markup=False)
    with _bars(console, text, BarColumn(), TimeRemainingColumn()) as bars:
        yield CountBar(bars, bars.add_task(excerpt(activity), total=None))


def show_progress(
    events: Iterable[RunEvent | _E],
    console: Console,
    labels: Mapping[ResolvedRequest, str],
    *,
    images: int | None,
    preview: bool = False,
) -> Generator[RunEvent | _E]:
    """Pass events on, and show on ``console`` how far they have come.

    The final line of an image is printed after its event was consumed, and so after its path.

    Args:
        events: With an `ImageSaved` after every `RunFinished`.
        console: Of standard error.
        labels: What each image is called, as `counted_labels` returns it.
        images: How many images there will be; None if that is not known yet.
        preview: Whether a `PreviewDecoded` is to be expected; the console `can_show_pictures`.
    """
    bars = _bars(
        console,
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}", markup=False),
        TimeRemainingColumn(),
    )
    display = _Display(bars, auto_refresh=not preview)
    total = bars.add_task("All images", total=images, pace="", visible=images != 1)
    tasks: dict[ResolvedRequest, TaskID] = {}
    started = waiting = False
    loading = ExitStack()
    try:
        for event in events:
            loading.close()
            if not isinstance(event, Waiting):
                waiting = False
            match event:
                case ModelLoading():
                    display.hide()
                    loading.enter_context(spinner(console, f"Loading {event.model}"))
                case Waiting():
                    if not waiting:
                        display.hide()
                        left = plural(len(event.requests), "image")
                        console.print(Text(f"Waiting for another process to generate {left}."))
                    waiting = True
                case Notice():
                    display.hide()
                    console.print(Text(printable(event.message)))
                case ContactSheetSaved():
                    display.hide()
                    console.print(Text(printable(f"Contact sheet: {event.path}")))
                case SweepPageSaved():
                    display.hide()
                    console.print(Text(printable(f"Page: {event.path}")))
                case AnimationSaved():
                    display.hide()
                    console.print(Text(printable(f"Animation: {event.path}")))
                case RunStarted():
                    if not started:
                        console.print(Text(_beginning(event)))
                        started = True
                    if event.request in tasks:  # it restarts
                        bars.reset(tasks[event.request])
                    else:
                        if picked := describe_picks(event.request):
                            display.hide()
                            console.print(Text(f"{labels[event.request]}: {picked}"))
                        tasks[event.request] = bars.add_task(
                            labels[event.request],
                            total=event.total_steps,
                            pace="",
                            visible=len(tasks) < _MOST_BARS,
                        )
                    display.show()
                case StepCompleted():
                    pace = f"{event.elapsed_s / event.step:.2f} s/step"
                    label = labels[event.request] + (event.stage and f", {event.stage}")
                    bars.update(
                        tasks[event.request], completed=event.step, pace=pace, description=label
                    )
                    display.show()
                case PreviewDecoded():
                    display.picture = draw_in_terminal(event.image, console)
                    display.show()
                case FrameDecoded():
                    display.show()
                case ImageSaved() | RunFailed():
                    task = tasks.pop(event.request, None)
                    bars.advance(total)
                    # The consumer may print on the same terminal.
                    display.hide()
                    if task is not None:
                        bars.remove_task(task)
                    consumed = False
                    try:
                        yield event
                        consumed = True
                    finally:
                        # A saved image is on disk, even if the consumer ends with it; one that
                        # failed is the consumer's to report if it ends the run.
                        if consumed or isinstance(event, ImageSaved):
                            line = f"{labels[event.request]}: {_outcome(event)}"
                            console.print(Text(printable(line)))
                    continue
                case _:
                    pass
            yield event
    finally:
        loading.close()
        display.hide()


def counted_labels(details: Mapping[ResolvedRequest, str]) -> dict[ResolvedRequest, str]:
    """Label images with their number and what distinguishes them: ``Image 2 of 9, seed 4``.

    Args:
        details: What distinguishes each image, as in ``seed 4``, for all that there will be.
    """
    if len(details) == 1:
        return {request: text[:1].upper() + text[1:] for request, text in details.items()}
    return {
        request: f"Image {number} of {len(details)}, {text}"
        for number, (request, text) in enumerate(details.items(), start=1)
    }


class _Display:
    """Bars that can be hidden, and shown again below what was printed meanwhile.

    `Progress` itself would overwrite that.

    Args:
        bars: To be shown.
        auto_refresh: Whether they are also drawn while nothing happens. Pictures are many bytes,
            which are not sent more often than they change.
    """

    def __init__(self, bars: Progress, *, auto_refresh: bool = True) -> None:
        self.picture: RenderableType = ""
        self._bars = bars
        self._auto_refresh = auto_refresh
        self._live: Live | None = None

    def show(self) -> None:
        if self._bars.disable:
            return
        if self._live is None:
            self._live = Live(
                get_renderable=self._content,
                console=self._bars.console,
                transient=True,
                auto_refresh=self._auto_refresh,
                refresh_per_second=10,
                redirect_stdout=False,
            )
            self._live.start()
        if not self._auto_refresh:
            self._live.refresh()

    def hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _content(self) -> RenderableType:
        bars = self._bars.get_renderable()
        return Group(self.picture, bars) if self.picture else bars


def _bars(console: Console, *columns: ProgressColumn) -> Progress:
    return Progress(
        *columns,
        console=console,
        transient=True,
        # The default would redirect standard output to this console.
        redirect_stdout=False,
        disable=console.quiet or not console.is_interactive,
    )


def _beginning(event: RunStarted) -> str:
    offload = "" if event.offload == "none" else f", with offload {event.offload}"
    return f"Generating on {event.device} in {event.dtype}{offload}."


def _outcome(event: ImageSaved | RunFailed) -> str:
    if isinstance(event, RunFailed):
        error = as_sheepgen_error(event.error)
        return f"failed. {error.message} {error.hint}".rstrip()
    steps = plural(event.request.steps_taken, "step")
    outcome = f"{steps}, {event.elapsed_s:.1f} s."
    if event.record.environment.tiled_from:
        outcome += " Decoded in tiles."
    names = [
        event.artifacts[artifact.name].name + ("/" if artifact.files else "")
        for artifact in ARTIFACTS
        if artifact.name in event.artifacts
    ]
    return f"{outcome} Also saved: {', '.join(names)}" if names else outcome
