"""Saving images: the image, the frames on its way, the filmstrip and the animation.

What belongs to one image shares one stem:

    a-sheep_42.png             the image, with its record
    a-sheep_42_frames/         step_000.png (the noise), step_001.png ..., noisy_001.png ...
    a-sheep_42_filmstrip.png   the frames in a row
    a-sheep_42_animation.gif   or .webp

All of it is staged first, then moved into place under a lock on the folder, the image last: where
the image is, everything is, and whole. A stem is free only if none of these names is taken, so
that two processes, or two images, never mix.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import chain, count
from types import MappingProxyType
from typing import TYPE_CHECKING

from sheepgen.events import FrameDecoded, ImageSaved, RunFailed, RunFinished, RunStarted
from sheepgen.image_file import encode_image
from sheepgen.sinks.animation import AnimationKind, encode_animation
from sheepgen.sinks.atomic import (
    make_folder,
    output_errors,
    staging_folder,
    sync_folder,
    write_synced,
)
from sheepgen.sinks.filmstrip import encode_filmstrip
from sheepgen.sinks.locks import lock_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from sheepgen.events import Event, Events
    from sheepgen.request import GenerationRequest
    from sheepgen.sinks.naming import OutputTemplate, Target

__all__ = ["FRAME_CHOICES", "FrameChoice", "OutputLayout", "free_target", "save_images"]

_PREFIXES = {"clean": "step", "noisy": "noisy"}


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameChoice:
    """What is saved of the frames: each one, the noisy ones too, a filmstrip, an animation."""

    steps: bool = False
    noisy: bool = False
    filmstrip: bool = False
    animation: AnimationKind | None = None

    @property
    def needed(self) -> bool:
        """Whether frames are needed at all."""
        return self != FrameChoice()


FRAME_CHOICES: Mapping[str, FrameChoice] = MappingProxyType(
    {
        "none": FrameChoice(),
        "strip": FrameChoice(filmstrip=True),
        "steps": FrameChoice(filmstrip=True, steps=True),
        "gif": FrameChoice(filmstrip=True, steps=True, animation="gif"),
        "webp": FrameChoice(filmstrip=True, steps=True, animation="webp"),
        "all": FrameChoice(filmstrip=True, steps=True, noisy=True, animation="gif"),
    }
)
"""The words of ``--frames``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputLayout:
    """Where images go and what goes with them.

    Args:
        template: Names the image.
        frames: What is saved of the frames.
        overwrite: Replace an image of the same name with all that belongs to it; otherwise the
            new one gets a counter: ``a-sheep_42_2.png``.
    """

    template: OutputTemplate
    frames: FrameChoice
    overwrite: bool = False


def save_images(
    events: Events, layout: OutputLayout, place: Callable[[GenerationRequest], Target]
) -> Generator[Event]:
    """Pass events on, and put an `ImageSaved` behind every `RunFinished`.

    Frames of one image are kept in memory until it is finished. Runs may be mixed.

    Args:
        events: Of any number of runs.
        layout: What is saved.
        place: Where each image goes.

    Raises:
        OutputError: If the folder cannot be written to; nothing half-made stays there.
    """
    frames: defaultdict[GenerationRequest, list[FrameDecoded]] = defaultdict(list)
    for event in events:
        yield event
        match event:
            case RunStarted():  # or started anew
                frames.pop(event.request, None)
            case FrameDecoded():
                frames[event.request].append(event)
            case RunFinished():
                way = frames.pop(event.request, [])
                yield _save(event, way, layout, place(event.request))
            case RunFailed():
                frames.pop(event.request, None)
            case _:
                pass


def free_target(target: Target, *, overwrite: bool = False) -> Target:
    """Return the target with the first counter under which no product of it exists."""
    numbered = (replace(target, stem=f"{target.stem}_{number}") for number in count(2))
    return next(
        candidate
        for candidate in chain([target], numbered)
        if overwrite or not any(map(os.path.lexists, candidate.products.values()))
    )


def _save(
    run: RunFinished, frames: Sequence[FrameDecoded], layout: OutputLayout, target: Target
) -> ImageSaved:
    make_folder(target.folder)
    data = encode_image(run.image, run.record, target.suffix)
    with output_errors(target.folder), staging_folder(target.folder) as staging:
        staged = _stage_frames(staging, run, frames, layout.frames)
        staged["image"] = staging / "image"
        write_synced(staged["image"], data)
        with lock_folder(target.folder):
            target = free_target(target, overwrite=layout.overwrite)
            for product, path in target.products.items():
                if os.path.lexists(path):
                    path.rename(staging / f"old-{product}")
            for product, path in staged.items():
                path.rename(target.products[product])
            sync_folder(target.folder)
    saved = {product: target.products[product] for product in staged}
    return ImageSaved(
        request=run.request,
        record=run.record,
        path=saved["image"],
        frames_folder=saved.get("frames"),
        filmstrip=saved.get("filmstrip"),
        animation=saved.get("gif") or saved.get("webp"),
        sha256=hashlib.sha256(data).hexdigest(),
        elapsed_s=run.elapsed_s,
    )


def _stage_frames(
    staging: Path, run: RunFinished, frames: Sequence[FrameDecoded], choice: FrameChoice
) -> dict[str, Path]:
    """Write what is wanted of the frames into the staging folder; return it by product."""
    staged: dict[str, Path] = {}
    clean = [frame for frame in frames if frame.kind == "clean"]
    if choice.steps and frames:
        staged["frames"] = staging / "frames"
        staged["frames"].mkdir()
        for frame in frames:
            step = {"sheepgen-step": f"{frame.step}/{frame.total_steps}"}
            data = encode_image(frame.image, run.record, ".png", texts=step)
            name = f"{_PREFIXES[frame.kind]}_{frame.step:03}.png"
            write_synced(staged["frames"] / name, data)
        sync_folder(staged["frames"])
    if choice.filmstrip:
        staged["filmstrip"] = staging / "filmstrip"
        write_synced(staged["filmstrip"], encode_filmstrip(clean, run.image))
    if choice.animation is not None:
        staged[choice.animation] = staging / choice.animation
        write_synced(staged[choice.animation], encode_animation(clean, run.image, choice.animation))
    return staged
