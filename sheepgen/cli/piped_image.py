"""``--image -``: a picture from a pipe, which is kept beside what is made of it.

Without it no one could verify or rerun the image. It is written once nothing is known to stand in
the way of the run, and not at all by ``--dry-run``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.init_image import MAX_FILE_BYTES, image_suffix, inspect_bytes, offer_bytes
from sheepgen.output.atomic import make_folder, output_errors, staging_folder, write_synced

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PIPE", "PipedImage", "check_pipe_is_free", "read_piped_image"]

PIPE = "-"
"""Stands for standard input."""

_NAME_DIGITS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class PipedImage:
    """A picture that was piped in.

    Args:
        path: Where it is kept; until then its bytes are taken from memory.
        data: The bytes of its file.
    """

    path: Path
    data: bytes

    def keep(self) -> str:
        """Write it, unless it is there, and return a sentence about it.

        Raises:
            OutputError: If the folder cannot be written to.
        """
        folder = self.path.parent
        make_folder(folder)
        if not self.path.exists():
            with output_errors(folder), staging_folder(folder) as staging:
                write_synced(staging / self.path.name, self.data)
                (staging / self.path.name).replace(self.path)
        return f"Saved the picture from the pipe as {self.path}."


def check_pipe_is_free(prompt: str | None) -> None:
    """Refuse to read both a picture and the prompt from standard input.

    Args:
        prompt: As typed; None if it would be read from a pipe.

    Raises:
        UsageError: If the prompt is to be read from there.
    """
    if prompt in (None, PIPE):
        raise UsageError(
            "Standard input cannot be both the picture and the prompt.",
            "Give the prompt in quotes: sheepgen 'a red fox' --image - < sketch.png",
        )


def read_piped_image(folder: Path) -> PipedImage:
    """Read a picture from standard input.

    Args:
        folder: Where it is to be kept.

    Raises:
        UsageError: If nothing is piped, or the piped data is not a picture.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "No picture was piped in.", "For example: sheepgen 'a red fox' --image - < sketch.png"
        )
    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(f"The piped picture is larger than {MAX_FILE_BYTES // 2**20} MiB.")
    sha256 = inspect_bytes(data, "Standard input").sha256
    path = folder / f"input_{sha256[:_NAME_DIGITS]}{image_suffix(data)}"
    offer_bytes(str(path), data)
    return PipedImage(path=path, data=data)
