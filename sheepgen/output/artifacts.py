"""What can be saved beside an image: one table, `ARTIFACTS`, with one row for each.

All files of one image share a stem:

    a-sheep_42.png             the image, with its record
    a-sheep_42_frames/         step_000.png (the noise), step_001.png ..., noisy_001.png ...
                               and of a picture to start from forward_000.png ...
    a-sheep_42_filmstrip.png   the frames in a row
    a-sheep_42_animation.gif   or .webp
    a-sheep_42_schedule.png    how much noise there is at each step
    a-sheep_42_explained.html  the page of ``sheepgen explain``, and a folder with its pictures

Names, saving, the `ImageSaved` event, JSON lines, manifests, ownership, size estimates and progress
all read the table. A new artifact is a row and the function that makes its content.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from sheepgen.errors import OutputError
from sheepgen.metadata.image_file import MAX_FILE_BYTES, encode_image, read_record
from sheepgen.output.animation import encode_animation
from sheepgen.output.filmstrip import encode_filmstrip
from sheepgen.output.noise_schedule import encode_noise_schedule
from sheepgen.untrusted_file import read_untrusted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from PIL.Image import Image

    from sheepgen.events import FrameDecoded
    from sheepgen.metadata.record import ImageRecord
    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "ARTIFACTS",
    "FRAME_CHOICES",
    "Artifact",
    "ArtifactSource",
    "Content",
    "FrameChoice",
    "json_keys",
]

Content: TypeAlias = "bytes | Iterator[tuple[str, bytes]]"
"""The bytes of a file, or names and bytes of the files in a folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameChoice:
    """One value of ``--frames``.

    Args:
        name: As in ``--frames`` and in `Artifact.choices`.
        noisy: Whether noisy frames are wanted besides the clean ones.
    """

    name: str
    noisy: bool = False

    @property
    def needed(self) -> bool:
        """Whether frames are needed at all."""
        return bool(self.artifacts())

    def artifacts(self) -> tuple[Artifact, ...]:
        """Return the rows of `ARTIFACTS` that are to be saved."""
        return tuple(artifact for artifact in ARTIFACTS if self.name in artifact.choices)


FRAME_CHOICES: Mapping[str, FrameChoice] = MappingProxyType(
    {
        "none": FrameChoice(name="none"),
        "strip": FrameChoice(name="strip"),
        "steps": FrameChoice(name="steps"),
        "gif": FrameChoice(name="gif"),
        "webp": FrameChoice(name="webp"),
        "all": FrameChoice(name="all", noisy=True),
    }
)
"""The values of ``--frames``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtifactSource:
    """What artifacts are made from.

    Args:
        image: The finished image, RGB; None if there is none but the frames.
        record: Its record; None without an image.
        frames: In the order in which they came; clean and noisy ones may be mixed.
        key: The image's `sheepgen.execution.image_key.image_key`.
    """

    image: Image | None
    record: ImageRecord | None
    frames: Sequence[FrameDecoded]
    key: str

    def shown_frames(self) -> list[FrameDecoded]:
        """Return the picture dissolving, if there is one, and then the image appearing.

        Where nothing else is known of it, these are the noisy frames.
        """
        return [frame for frame in self.frames if frame.kind != "noisy"] or [*self.frames]


def _encode_frames(source: ArtifactSource) -> Iterator[tuple[str, bytes]] | None:
    """Encode every frame as a PNG with the image's record and its own step."""
    if not source.frames:
        return None
    return ((_frame_name(frame), _encode_frame(frame, source.record)) for frame in source.frames)


def _frame_name(frame: FrameDecoded) -> str:
    prefix = "step" if frame.kind == "clean" else frame.kind
    return f"{prefix}_{frame.step:03}.png"


def _encode_frame(frame: FrameDecoded, record: ImageRecord | None) -> bytes:
    step = {"sheepgen-step": f"{frame.step}/{frame.total_steps}"}
    return encode_image(frame.image, record, ".png", texts=step)


def _encode_filmstrip(source: ArtifactSource) -> bytes:
    return encode_filmstrip(source.shown_frames(), source.image, key=source.key)


def _encode_gif(source: ArtifactSource) -> bytes:
    return encode_animation(source.shown_frames(), source.image, "gif", key=source.key)


def _encode_webp(source: ArtifactSource) -> bytes:
    return encode_animation(source.shown_frames(), source.image, "webp", key=source.key)


def _encode_schedule(source: ArtifactSource) -> bytes | None:
    return encode_noise_schedule(source.shown_frames(), key=source.key)


def _encode_nothing(_: ArtifactSource) -> None:
    """Stand for what is made after the image is saved."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """One kind of file or folder beside an image.

    Args:
        name: Unique; ``image`` is taken by the image itself.
        pattern: Its file name, with ``{stem}`` for what all names of the image begin with.
        json_key: Its key in JSON lines and manifests. Artifacts of which an image has at most one
            may share it. Empty for what is made after the image is saved.
        choices: The values of ``--frames`` that save it.
        encode: Makes the content, or returns None if there is nothing to save.
        max_pictures: Upper bound of its size, in uncompressed images, for a number of clean and a
            number of noisy frames.
        recognized_by: What in the content shows which image it was made for: the image's ``key``
            somewhere in the file, or the request in the ``record`` of every file in the folder.
        files: For a folder, what the names of the files in it look like; None for a file.
    """

    name: str
    pattern: str
    json_key: str
    choices: frozenset[str]
    encode: Callable[[ArtifactSource], Content | None]
    max_pictures: Callable[[int, int], int]
    recognized_by: Literal["key", "record"] = "key"
    files: re.Pattern[str] | None = None

    def path(self, folder: Path, stem: str) -> Path:
        """Return where this artifact of an image goes."""
        return folder / self.pattern.format(stem=stem)

    def was_made_for(self, path: Path, request: ResolvedRequest, key: str) -> bool:
        """Check, by its content alone, whether what is at ``path`` belongs to an image."""
        try:
            match self.recognized_by:
                case "key":
                    return bool(key) and key.encode() in read_untrusted(
                        path, max_bytes=MAX_FILE_BYTES
                    )
                case "record":
                    return self.is_folder_of_its_files(path) and all(
                        read_record(file).request == request for file in path.iterdir()
                    )
        except (OSError, OutputError):
            return False

    def is_folder_of_its_files(self, path: Path) -> bool:
        """Check whether ``path`` is a folder that has nothing but this artifact's files in it."""
        if self.files is None or path.is_symlink():
            return False
        try:
            with os.scandir(path) as entries:
                return all(
                    self.files.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
                    for entry in entries
                )
        except OSError:
            return False


ARTIFACTS: tuple[Artifact, ...] = (
    Artifact(
        name="frames",
        pattern="{stem}_frames",
        json_key="frames",
        choices=frozenset({"steps", "gif", "webp", "all"}),
        encode=_encode_frames,
        max_pictures=lambda clean, noisy: clean + noisy,
        recognized_by="record",
        files=re.compile(r"(step|noisy|forward)_[0-9]{3,}\.png"),
    ),
    Artifact(
        name="filmstrip",
        pattern="{stem}_filmstrip.png",
        json_key="filmstrip",
        choices=frozenset({"strip", "steps", "gif", "webp", "all"}),
        encode=_encode_filmstrip,
        max_pictures=lambda _clean, _noisy: 4,
    ),
    Artifact(
        name="gif",
        pattern="{stem}_animation.gif",
        json_key="animation",
        choices=frozenset({"gif", "all"}),
        encode=_encode_gif,
        max_pictures=lambda clean, _noisy: clean,
    ),
    Artifact(
        name="webp",
        pattern="{stem}_animation.webp",
        json_key="animation",
        choices=frozenset({"webp"}),
        encode=_encode_webp,
        max_pictures=lambda clean, _noisy: clean,
    ),
    Artifact(
        name="schedule",
        pattern="{stem}_schedule.png",
        json_key="schedule",
        choices=frozenset({"all"}),
        encode=_encode_schedule,
        max_pictures=lambda _clean, _noisy: 4,
    ),
    Artifact(
        name="explanation",
        pattern="{stem}_explained.html",
        json_key="",
        choices=frozenset(),
        encode=_encode_nothing,
        max_pictures=lambda _clean, _noisy: 0,
    ),
    Artifact(
        name="explanation_pictures",
        pattern="{stem}_explained",
        json_key="",
        choices=frozenset(),
        encode=_encode_nothing,
        max_pictures=lambda _clean, _noisy: 0,
        files=re.compile(r"[a-z0-9-]+_(heat|overlay|without|difference)\.png|(clean|noisy)\.png"),
    ),
)


def json_keys() -> tuple[str, ...]:
    """Return the keys of all artifacts in JSON lines and manifests, each once."""
    return tuple(dict.fromkeys(each.json_key for each in ARTIFACTS if each.json_key))
