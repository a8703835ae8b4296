"""What the drawing commands share: an executor that Ctrl-C stops, and telling what it has made."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from sheepgen.cli.console import note, write_data
from sheepgen.cli.interrupt import StoppableExecutor, stop_flag
from sheepgen.events import ImageSaved, RunFailed
from sheepgen.sinks.jsonlines import to_json_line
from sheepgen.sinks.progress import show_progress, spinner

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from rich.console import Console

    from sheepgen.catalog import ModelSpec
    from sheepgen.events import Event
    from sheepgen.frame_options import FrameOptions

__all__ = ["local_executor", "tell_images"]


@contextmanager
def local_executor(
    specs: Mapping[str, ModelSpec],
    *,
    device: str,
    dtype: str,
    frames: FrameOptions | None,
    console: Console,
) -> Iterator[StoppableExecutor]:
    """Load the first of the models and make an executor; Ctrl-C stops it behind a step.

    Raises:
        UsageError: If this machine has no such device, or it does not go with the format.
        ModelError: If the model is damaged.
    """
    first = next(iter(specs))
    with spinner(console, f"Loading {first}"):
        from sheepgen.sweep.local import LocalExecutor

        executor = LocalExecutor(specs, device=device, dtype=dtype, frames=frames)
        executor.load(first)

    def say_stopping() -> None:
        note(console, "Stopping after this step; Ctrl-C again stops at once.")

    with stop_flag(say_stopping) as flag:
        yield StoppableExecutor(executor, flag)


def tell_images(
    events: Generator[Event], console: Console, *, images: int, json: bool, keep_going: bool
) -> int:
    """Show how images come along; each finished one is one line on standard output.

    Args:
        events: With an `ImageSaved` behind every `RunFinished`.
        console: For the bar and notes.
        images: How many there will be.
        json: Whether the line is JSON instead of the image's path.
        keep_going: Whether a failed image is counted instead of raised.

    Returns:
        How many images failed.

    Raises:
        Interrupted: If Ctrl-C cut it short; images that are finished stay.
    """
    failed = 0
    if not keep_going:
        events = _until_failure(events)
    with closing(events), closing(show_progress(events, console, images=images)) as shown:
        for event in shown:
            match event:
                case ImageSaved():
                    write_data(to_json_line(event) if json else str(event.path))
                case RunFailed():
                    failed += 1
                case _:
                    pass
    return failed


def _until_failure(events: Generator[Event]) -> Generator[Event]:
    """Pass events on; raise what a run failed with."""
    with closing(events):
        for event in events:
            if isinstance(event, RunFailed):
                raise event.error
            yield event
