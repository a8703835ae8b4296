"""Saving one run from Python, as the command line saves it: `save`."""

from __future__ import annotations

from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.events import ImageSaved, RunFailed, RunStarted
from sheepgen.metadata.image_file import check_format
from sheepgen.output.images import FRAME_CHOICES, OutputLayout, save_images
from sheepgen.output.template import OutputTemplate, Target

if TYPE_CHECKING:
    from sheepgen.events import Events

__all__ = ["save"]


def save(
    events: Events, path: str | Path, *, frames: str = "none", overwrite: bool = False
) -> ImageSaved:
    """Draw an image and save it with its record, and the frames on its way if they are wanted.

    All of it appears whole or not at all, the image last.

    Args:
        events: Of one image, from `sheepgen.stream`; with `FrameOptions` if there are to be frames.
        path: Of the image. Its ending is that of a PNG, JPEG or WebP. The folder is made if it is
            not there.
        frames: A key of `FRAME_CHOICES`: ``none``, ``strip``, ``steps``, ``gif``, ``webp`` or
            ``all``. They go beside the image.
        overwrite: Replace an image of that name with all that belongs to it; otherwise the new one
            gets a counter, ``fox_2.png``.

    Returns:
        Where everything is.

    Raises:
        UsageError: If there is no such choice of frames, or an image cannot be written as that.
        OutputError: If the folder cannot be written to; nothing half-made stays there.
    """
    if frames not in FRAME_CHOICES:
        raise UsageError(
            f"{frames!r} is not a choice of frames.", f"Use one of {', '.join(FRAME_CHOICES)}."
        )
    path = Path(path)
    target = Target(folder=path.parent, stem=path.stem, suffix=path.suffix)
    layout = OutputLayout(
        template=OutputTemplate(text=str(path), suffix=path.suffix),
        frames=FRAME_CHOICES[frames],
        overwrite=overwrite,
    )
    head = list(islice(events, 1))
    targets = {event.request: target for event in head}
    for event in save_images(_checked(chain(head, events), target), layout, targets):
        match event:
            case ImageSaved():
                return event
            case RunFailed():
                raise event.error
            case _:
                pass
    raise ValueError("the events have no image in them, or were taken already")


def _checked(events: Events, target: Target) -> Events:
    """Pass events on; refuse before anything is drawn what the file could not hold."""
    for event in events:
        if isinstance(event, RunStarted):
            check_format(target.suffix, event.request)
        yield event
