"""How images are generated and saved, whatever they are: `RunSettings`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.execution.engine import Engine, LocalEngine
from sheepgen.options import DeviceOptions, FrameDecoder, FrameOptions
from sheepgen.output.artifacts import FRAME_CHOICES
from sheepgen.output.images import OutputLayout
from sheepgen.sanitize import excerpt
from sheepgen.wildcards import Wildcards

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sheepgen.models.spec import ModelSpec
    from sheepgen.output.template import OutputTemplate
    from sheepgen.shell_command import TypedCommand

__all__ = ["RunSettings"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSettings:
    """How images are generated and saved, whatever they show.

    Args:
        device: What computes them.
        frames: What is saved of the steps, a key of `FRAME_CHOICES`.
        frame_decoder: How steps become pictures.
        preview: Whether each step is decoded as it comes, to be shown.
        overwrite: Whether files that are in the way may be replaced.
        strict: Whether words of a prompt that the model does not read or use are an error.
        offline: Whether the network is forbidden.
        wildcards: Folder of the files that ``__name__`` in a prompt is picked from; None for none.
        command: What was typed, to be shown with other options if there is too little memory.
        engine: What computes them.

    Raises:
        UsageError: If the choice of frames is unknown.
    """

    device: DeviceOptions = field(default_factory=DeviceOptions)
    frames: str = "none"
    frame_decoder: FrameDecoder = "auto"
    preview: bool = False
    overwrite: bool = False
    strict: bool = False
    offline: bool = False
    wildcards: Path | None = None
    command: TypedCommand | None = None
    engine: Engine = field(default_factory=LocalEngine, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Check the choice of frames."""
        if self.frames not in FRAME_CHOICES:
            raise UsageError(
                f'Unknown choice of frames "{excerpt(self.frames)}".',
                f"Known: {', '.join(FRAME_CHOICES)}.",
            )

    def open_wildcards(self) -> Wildcards | None:
        """Return the wildcards, if there are any.

        Raises:
            UsageError: If they are not in a folder.
        """
        return None if self.wildcards is None else Wildcards(self.wildcards)

    def layout(self, template: OutputTemplate) -> OutputLayout:
        """Return where files go, and which, if ``template`` names the images."""
        frames = FRAME_CHOICES[self.frames]
        return OutputLayout(template=template, frames=frames, overwrite=self.overwrite)

    def warnings(self, specs: Iterable[ModelSpec]) -> tuple[str, ...]:
        """Return a warning for each setting that has no effect, or not all of it.

        Args:
            specs: The models.
        """
        found = []
        if self.frame_decoder != "auto" and not FRAME_CHOICES[self.frames].needed:
            found.append(f"Warning: frame decoder has no effect with frames {self.frames}.")
        for spec in specs:
            if spec.family.own_loop:
                continue
            name = excerpt(spec.name)
            if self.preview:
                found.append(
                    f"Warning: preview has no effect with {name}; it runs in diffusers' own loop."
                )
            if FRAME_CHOICES[self.frames].needed:
                found.append(
                    f"Warning: frames of {name} show the noisy latents; it runs in diffusers' own "
                    "loop, which gives no estimates of the finished image."
                )
            if self.device.batch_size not in (None, 1):
                found.append(
                    f"Warning: batch size has no effect with {name}; diffusers' own loop makes one "
                    "image at a time here."
                )
        return tuple(found)

    def frame_options(self) -> FrameOptions | None:
        """Return which frames are to be decoded, or None for none."""
        choice = FRAME_CHOICES[self.frames]
        if not (choice.needed or self.preview):
            return None
        return FrameOptions(
            clean=choice.needed,
            noisy=choice.noisy,
            preview=self.preview,
            decoder=self.frame_decoder,
        )
