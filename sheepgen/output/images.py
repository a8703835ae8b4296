"""Saving images: the image, the frames on its way, the filmstrip and the animation.

What belongs to one image shares one stem:

    a-sheep_42.png             the image, with its record
    a-sheep_42_frames/         step_000.png (the noise), step_001.png ..., noisy_001.png ...
    a-sheep_42_filmstrip.png   the frames in a row
    a-sheep_42_animation.gif   or .webp

All of it is staged first, then moved into place under a lock on the folder, the image last: where
the image is, everything is, and whole. A stem is free only if none of these names is taken, so
that two processes, or two images, never mix.

What has one of these names is replaced only if it was made for the same image, or if the user said
so; and even then only if it is what it would be replaced by: a file, or a folder of frames alone.
A folder that holds anything else is never removed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.events import FrameDecoded, ImageSaved, RunFailed, RunFinished, RunStarted
from sheepgen.metadata.image_file import encode_image
from sheepgen.output.animation import AnimationKind, encode_animation
from sheepgen.output.atomic import (
    make_folder,
    output_errors,
    staging_folder,
    sync_folder,
    write_synced,
)
from sheepgen.output.filmstrip import encode_filmstrip
from sheepgen.output.locks import lock_folder
from sheepgen.output.ownership import holds_only_frames, own_products

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from sheepgen.events import Event, Events
    from sheepgen.output.manifest import Manifest
    from sheepgen.output.template import OutputTemplate, Target
    from sheepgen.request import ResolvedRequest

__all__ = [
    "FRAME_CHOICES",
    "FrameChoice",
    "OutputLayout",
    "check_overwritable",
    "free_target",
    "obstacle",
    "save_images",
]

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
        overwrite: Replace an image of the same name with all that belongs to it; otherwise, and
            if a folder of something else is there, the new one gets a counter:
            ``a-sheep_42_2.png``.
    """

    template: OutputTemplate
    frames: FrameChoice
    overwrite: bool = False


def save_images(
    events: Events,
    layout: OutputLayout,
    targets: Mapping[ResolvedRequest, Target],
    manifest: Manifest | None = None,
) -> Generator[Event]:
    """Pass events on, and put an `ImageSaved` after every `RunFinished`.

    Frames of one image are kept in memory until it is finished. Runs may be mixed.

    Args:
        events: Of any number of runs.
        layout: What is saved.
        targets: Where each image goes.
        manifest: Of the folder that they go to; files that `own_products` finds to be the same
            image's are replaced. They are looked for when an image is saved, for another process
            may have been killed since the targets were chosen.

    Raises:
        OutputError: If the folder cannot be written to; nothing half-made stays there.
    """
    frames: defaultdict[ResolvedRequest, list[FrameDecoded]] = defaultdict(list)
    for event in events:
        yield event
        match event:
            case RunStarted():  # or started anew
                frames.pop(event.request, None)
            case FrameDecoded():
                frames[event.request].append(event)
            case RunFinished():
                way = frames.pop(event.request, [])
                target = targets[event.request]
                if manifest is not None:
                    own = own_products(target, event.request, manifest)
                    target = replace(target, own=own)
                yield _save(event, way, layout, target)
            case RunFailed():
                frames.pop(event.request, None)
            case _:
                pass


def obstacle(target: Target, *, overwrite: bool = False) -> Path | None:
    """Return what lies at the name of one of the target's products and may not be replaced.

    Args:
        target: Its ``own`` products may be replaced.
        overwrite: Whether all may be.
    """
    for product, path in target.products.items():
        allowed = overwrite or product in target.own
        if os.path.lexists(path) and not (allowed and _is_replaceable(product, path)):
            return path
    return None


def check_overwritable(target: Target) -> None:
    """Refuse to overwrite what is neither an image nor its frames.

    Raises:
        UsageError: If ``--overwrite`` would not replace something that is in the way.
    """
    path = obstacle(target, overwrite=True)
    if path is not None:
        raise UsageError(
            f"{path} is in the way, and --overwrite replaces only files and folders of frames.",
            "Move it, or choose another --output.",
        )


def free_target(target: Target, *, overwrite: bool = False) -> Target:
    """Return the target, or if something is in its way, with the first counter that is free."""
    if obstacle(target, overwrite=overwrite) is None:
        return target
    numbered = (
        replace(target, stem=f"{target.stem}_{number}", own=frozenset()) for number in count(2)
    )
    return next(candidate for candidate in numbered if obstacle(candidate) is None)


def _save(
    run: RunFinished, frames: Sequence[FrameDecoded], layout: OutputLayout, target: Target
) -> ImageSaved:
    make_folder(target.folder)
    data = encode_image(run.image, run.record, target.suffix)
    with output_errors(target.folder), staging_folder(target.folder) as staging:
        staged = _stage_frames(staging, run, frames, layout.frames, target.key)
        staged["image"] = staging / "image"
        write_synced(staged["image"], data)
        with lock_folder(target.folder):
            target = free_target(target, overwrite=layout.overwrite)
            # Without an image of this name, its other products belong to one with another ending.
            replaces_all = layout.overwrite and os.path.lexists(target.products["image"])
            replaced = target.products if replaces_all else staged
            _put_in_place(staged, target, {name: staging / f"old-{name}" for name in replaced})
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


def _put_in_place(staged: Mapping[str, Path], target: Target, replaced: Mapping[str, Path]) -> None:
    """Move what is there out of the way and what was staged in; or leave all as it was.

    Args:
        staged: Where the new products are.
        target: Where they go.
        replaced: Where each product goes that is to be out of the way, if it is there.

    Raises:
        OSError: If something cannot be moved.
    """
    products = target.products
    moves = [(products[name], path) for name, path in replaced.items()]
    moves = [move for move in moves if os.path.lexists(move[0])]
    moves += [(path, products[name]) for name, path in staged.items()]
    done: list[tuple[Path, Path]] = []
    try:
        for before, after in moves:
            before.rename(after)
            done.append((before, after))
    except BaseException:
        for before, after in reversed(done):
            after.rename(before)
        raise


def _is_replaceable(product: str, path: Path) -> bool:
    """Say whether nothing else is lost when a product takes the place of what lies there."""
    mode = path.lstat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
        return True
    return product == "frames" and stat.S_ISDIR(mode) and holds_only_frames(path)


def _stage_frames(
    staging: Path,
    run: RunFinished,
    frames: Sequence[FrameDecoded],
    choice: FrameChoice,
    key: str,
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
        write_synced(staged["filmstrip"], encode_filmstrip(clean, run.image, key=key))
    if choice.animation is not None:
        staged[choice.animation] = staging / choice.animation
        data = encode_animation(clean, run.image, choice.animation, key=key)
        write_synced(staged[choice.animation], data)
    return staged
