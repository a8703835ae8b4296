"""From a plan to files: the model is loaded once, images are drawn, saved and told one by one."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from sheepgen.cli.console import note, write_data
from sheepgen.cli.interrupt import stop_flag, until_stopped
from sheepgen.events import ImageSaved
from sheepgen.sinks.atomic import make_folder
from sheepgen.sinks.files import save_images
from sheepgen.sinks.jsonlines import to_json_line
from sheepgen.sinks.progress import show_progress, spinner

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.console import Console

    from sheepgen.cli.plan import RunPlan
    from sheepgen.events import Event
    from sheepgen.frame_options import FrameOptions
    from sheepgen.pipeline.parts import PipelineParts

__all__ = ["draw_images"]


def draw_images(
    plan: RunPlan,
    *,
    device: str,
    dtype: str,
    frames: FrameOptions | None,
    console: Console,
    json: bool,
) -> None:
    """Carry out a plan; each finished image is one line on standard output.

    Args:
        plan: What to draw, and where to.
        device: One of `sheepgen.device_options.DEVICES`.
        dtype: One of `sheepgen.device_options.DTYPES`.
        frames: Which frames are drawn on the way; None for none.
        console: For the bar and notes.
        json: Whether the line is JSON instead of the image's path.

    Raises:
        Interrupted: If Ctrl-C cut it short; images that are finished stay.
    """
    for folder in plan.folders:
        make_folder(folder)
    with spinner(console, f"Loading {plan.spec.name}"):
        from sheepgen.pipeline.loading import load_pipeline

        parts = load_pipeline(plan.spec, device=device, dtype=dtype)

    def say_stopping() -> None:
        note(console, "Stopping after this step; Ctrl-C again stops at once.")

    with stop_flag(say_stopping) as flag:
        events = until_stopped(_all_events(parts, plan, frames), flag)
        saved = save_images(events, plan.layout)
        with closing(show_progress(saved, console, images=len(plan.requests))) as shown:
            for event in shown:
                if isinstance(event, ImageSaved):
                    write_data(to_json_line(event) if json else str(event.path))


def _all_events(
    parts: PipelineParts, plan: RunPlan, frames: FrameOptions | None
) -> Generator[Event]:
    from sheepgen.pipeline.stream import stream

    for request in plan.requests:
        yield from stream(parts, request, frames)
