"""Saving images with what belongs to them, all at once: `save_images`, and `save` for one image.

Everything is written to a staging folder first, then moved into place under the folder's lock, the
image last: once the image is there, so is all the rest, complete. A stem is free only if none of
an image's paths exists, so two processes, or two images, never mix their files.

An existing path is replaced only if it was made for the same image, or if the user asked for it
(`OutputLayout.overwrite`), and then only if it is of the same kind: a file, or a folder that has
nothing but frames in it.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.events import FrameDecoded, ImageSaved, RunFailed, RunFinished, RunStarted
from sheepgen.metadata.image_file import check_format, encode_image
from sheepgen.output.artifacts import FRAME_CHOICES, ArtifactSource, FrameChoice
from sheepgen.output.atomic import (
    make_folder,
    output_errors,
    staging_folder,
    sync_folder,
    write_synced,
)
from sheepgen.output.locks import lock_folder
from sheepgen.output.ownership import free_target, own_paths
from sheepgen.output.template import OutputTemplate, Target

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

    from sheepgen.events import Event, Events
    from sheepgen.output.artifacts import Content
    from sheepgen.output.manifest import Manifest
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["OutputLayout", "save", "save_artifacts", "save_images"]

_PATIENCE = 0.02
"""Share of the time that an image took, for which the next one waits until it is on disk. One that
took minutes is announced at once; of many that took a second each, most is saved meanwhile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputLayout:
    """Where images are saved, and what is saved with them.

    Args:
        template: Names the image.
        frames: Which artifacts are saved.
        overwrite: Replace an image of the same name with all that belongs to it. Otherwise, and
            if the existing paths cannot be replaced, the new image gets a counter:
            ``a-sheep_42_2.png``.
    """

    template: OutputTemplate
    frames: FrameChoice
    overwrite: bool = False


def save(
    events: Events, path: str | Path, *, frames: str = "none", overwrite: bool = False
) -> ImageSaved:
    """Generate an image and save it with its record and the artifacts that ``frames`` asks for.

    Args:
        events: Of one image, from `sheepgen.stream`; with `FrameOptions` if frames are wanted.
        path: Where to save the image. The extension selects PNG, JPEG or WebP. The folder is
            created if needed; artifacts go beside the image.
        frames: ``none``, ``strip``, ``steps``, ``gif``, ``webp`` or ``all``.
        overwrite: Replace an image of that name with all that belongs to it; otherwise the new one
            gets a counter, ``fox_2.png``.

    Raises:
        UsageError: If ``frames`` is unknown, or the file format cannot hold the image.
        OutputError: If the folder cannot be written to; nothing incomplete is left there.
    """
    if frames not in FRAME_CHOICES:
        raise UsageError(f'Unknown frames "{frames}".', f"Use one of {', '.join(FRAME_CHOICES)}.")
    path = Path(path)
    target = Target(folder=path.parent, stem=path.stem, suffix=path.suffix)
    choice = FRAME_CHOICES[frames]
    collected: list[FrameDecoded] = []
    for event in events:
        match event:
            case RunStarted():
                check_format(target.suffix, event.request)
                collected.clear()
            case FrameDecoded():
                collected.append(event)
            case RunFinished():
                return _save(event, collected, choice, target, overwrite=overwrite)
            case RunFailed():
                raise event.error
            case _:
                pass
    raise ValueError("the events do not contain an image, or were consumed already")


def save_images(
    events: Events,
    layout: OutputLayout,
    targets: Mapping[ResolvedRequest, Target],
    manifest: Manifest | None = None,
) -> Generator[Event]:
    """Pass events on, and yield an `ImageSaved` after every `RunFinished`.

    A thread encodes and writes an image while the next one is generated; no more than two are with
    it. Images are saved in the order in which they are finished, and those before a `RunFailed` are
    announced before it. Closing the generator, or an error, waits for the thread: then the images
    that were finished are on disk, though the last were not announced.

    Frames of an image are kept in memory until it is saved. Events of several runs may be mixed.

    Args:
        events: Of any number of runs.
        layout: What is saved.
        targets: Where each image goes.
        manifest: Of the folder, if its images are to be replaced by the same images. What belongs
            to an image is found out when it is saved: another process may have been killed since
            the run began.

    Raises:
        OutputError: If the folder cannot be written to; nothing incomplete is left there.
    """
    frames: defaultdict[ResolvedRequest, list[FrameDecoded]] = defaultdict(list)
    waiting: deque[Future[ImageSaved]] = deque()
    with ThreadPoolExecutor(max_workers=1) as writer:
        for event in events:
            yield from _written(waiting, most_left=0 if isinstance(event, RunFailed) else 1)
            yield event
            match event:
                case RunStarted():  # or restarted
                    frames.pop(event.request, None)
                case FrameDecoded():
                    frames[event.request].append(event)
                case RunFinished(request=request):
                    target = targets[request]
                    if manifest is not None:
                        target = replace(target, own=own_paths(target, request, manifest))
                    saving = writer.submit(
                        _save,
                        event,
                        frames.pop(request, []),
                        layout.frames,
                        target,
                        overwrite=layout.overwrite,
                    )
                    waiting.append(saving)
                    wait([saving], timeout=_PATIENCE * event.elapsed_s)
                case RunFailed():
                    frames.pop(event.request, None)
                case _:
                    pass
        yield from _written(waiting, most_left=0)


def _written(waiting: deque[Future[ImageSaved]], *, most_left: int) -> Iterator[ImageSaved]:
    """Take the images that are saved off the queue, and wait until no more than some are left."""
    while waiting and (len(waiting) > most_left or waiting[0].done()):
        yield waiting.popleft().result()


def _save(
    run: RunFinished,
    frames: list[FrameDecoded],
    choice: FrameChoice,
    target: Target,
    *,
    overwrite: bool,
) -> ImageSaved:
    data = encode_image(run.image, run.record, target.suffix)
    source = ArtifactSource(image=run.image, record=run.record, frames=frames, key=target.key)
    paths = save_artifacts(source, choice, target, image=data, overwrite=overwrite)
    return ImageSaved(
        request=run.request,
        record=run.record,
        path=paths.pop("image"),
        artifacts=paths,
        sha256=hashlib.sha256(data).hexdigest(),
        elapsed_s=run.elapsed_s,
    )


def save_artifacts(
    source: ArtifactSource,
    choice: FrameChoice,
    target: Target,
    *,
    image: bytes | None,
    overwrite: bool,
) -> dict[str, Path]:
    """Save what is wanted of the frames of a run, and its image, all at once.

    Args:
        source: What it is made from.
        choice: What is wanted.
        target: Where it goes, if nothing is in the way.
        image: Bytes of the image's file; None if there is none.
        overwrite: As in `OutputLayout`.

    Returns:
        The paths of the ``image`` and of its artifacts, of those that there are.

    Raises:
        OutputError: If the folder cannot be written to; nothing incomplete is left there.
    """
    make_folder(target.folder)
    with output_errors(target.folder), staging_folder(target.folder) as staging:
        staged: dict[str, Path] = {}
        for artifact in choice.artifacts():
            if (content := artifact.encode(source)) is not None:
                staged[artifact.name] = staging / artifact.name
                _write(staging / artifact.name, content)
        if image is not None:
            staged["image"] = staging / "image"
            write_synced(staged["image"], image)
        with lock_folder(target.folder):
            target = free_target(target, overwrite=overwrite)
            # If there is no image of this name, the rest belongs to one with another extension.
            replaces_all = overwrite and os.path.lexists(target.path)
            replaced = target.paths() if replaces_all else staged
            _put_in_place(staged, target, {name: staging / f"old-{name}" for name in replaced})
            sync_folder(target.folder)
    paths = target.paths()
    return {name: paths[name] for name in staged}


def _write(path: Path, content: Content) -> None:
    if isinstance(content, bytes):
        write_synced(path, content)
        return
    path.mkdir()
    for name, data in content:
        write_synced(path / name, data)
    sync_folder(path)


def _put_in_place(staged: Mapping[str, Path], target: Target, replaced: Mapping[str, Path]) -> None:
    """Move existing paths out of the way and the staged ones in; undo all of it on failure.

    Args:
        staged: New files by name; the image is the last.
        target: Where they go.
        replaced: Where to move each existing path that is replaced.

    Raises:
        OSError: If something cannot be moved.
    """
    paths = target.paths()
    moves = [(paths[name], path) for name, path in replaced.items()]
    moves = [move for move in moves if os.path.lexists(move[0])]
    moves += [(path, paths[name]) for name, path in staged.items()]
    done: list[tuple[Path, Path]] = []
    try:
        for before, after in moves:
            before.rename(after)
            done.append((before, after))
    except BaseException:
        for before, after in reversed(done):
            after.rename(before)
        raise
