"""What happens while images are generated, as plain data.

Events carry numbers, strings and Pillow images, never tensors or models, so that a
consumer (a bar, a file writer, another process) needs to know nothing of how images are generated.

For each request, in this order: `RunStarted`, `StepCompleted` once a scheduler step,
`FrameDecoded` once a wanted frame, then `RunFinished`. `ImageSaved` is added by
`sheepgen.output.images` after every `RunFinished`. An executor ends a run that goes wrong, wherever
it stands, with `RunFailed`; or it lets the run begin anew, with another `RunStarted`. Events of
several runs may be mixed; ``request`` tells them apart.

In a run of many images, other events come between these, which are of no single image:
`ModelLoading`, `Waiting`, `Notice`, `ContactSheetSaved`, `SweepPageSaved`, `AnimationSaved`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from PIL.Image import Image

    from sheepgen.metadata.record import ImageRecord
    from sheepgen.options import Offload
    from sheepgen.resolved_request import ResolvedRequest

__all__ = [
    "AnimationSaved",
    "ContactSheetSaved",
    "Event",
    "Events",
    "FrameDecoded",
    "FrameKind",
    "ImageSaved",
    "ModelLoading",
    "Notice",
    "PreviewDecoded",
    "RunEvent",
    "RunFailed",
    "RunFinished",
    "RunStarted",
    "StepCompleted",
    "SweepPageSaved",
    "Waiting",
]


FrameKind = Literal["forward", "clean", "noisy"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunStarted:
    """An image is about to be generated; ``request`` has every field resolved.

    ``offload`` is what of the model is off the device while it does not work.
    """

    request: ResolvedRequest
    total_steps: int
    device: str
    dtype: str
    offload: Offload = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class StepCompleted:
    """One scheduler step is done. ``step`` counts from 1 to ``total_steps``.

    ``total_steps`` is the number of scheduler timesteps of all passes: second-order schedulers take
    two of them for one of the requested ``num_inference_steps``. ``stage`` names the network, as in
    `sheepgen.passes.Pass`.
    """

    request: ResolvedRequest
    step: int
    total_steps: int
    timestep: float
    elapsed_s: float
    stage: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameDecoded:
    """One intermediate picture.

    ``clean`` frames show the model's estimate of the finished image at that step, ``noisy``
    frames the running latents themselves. Step 0 is what the first step begins with. ``forward``
    frames come before both if that is not noise alone: they show the picture that the image starts
    from, at step 0 as it is, and then with more and more noise.

    Those of a second pass, which are larger, follow those of the first and count on from
    ``steps_before``, the steps of the first: ``forward`` frames, that begin with what the first
    pass made, upscaled, and end with what the second begins with; then the others. Passes that make
    no picture have no frames: then the first that has some (``is_first``) counts on from them.

    ``change`` is how far the latents are from those of the frame of this kind before it,
    ``|after - before| / |before|``; None for the first.

    ``alpha`` and ``sigma`` are the shares of clean latents and of noise that the run has come to at
    that step, whatever the frame shows; None in diffusers' own loop.
    """

    request: ResolvedRequest
    kind: FrameKind
    step: int
    total_steps: int
    timestep: float
    image: Image
    steps_before: int = 0
    is_first: bool = True
    change: float | None = None
    alpha: float | None = None
    sigma: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviewDecoded:
    """What the image would be after this step, small, for a terminal to show.

    Args:
        request: Which image.
        image: RGB, of any size.
    """

    request: ResolvedRequest
    image: Image


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFinished:
    """The image is done; ``record`` is all that is needed to make it again.

    ``elapsed_s`` counts from the start of its run; images that are generated together share it.
    """

    request: ResolvedRequest
    image: Image
    record: ImageRecord
    elapsed_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFailed:
    """There will be no image of this request."""

    request: ResolvedRequest
    error: Exception
    elapsed_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageSaved:
    """The image and its artifacts are on disk, complete.

    ``artifacts`` has their paths by their names in `sheepgen.output.artifacts.ARTIFACTS`.
    """

    request: ResolvedRequest
    record: ImageRecord
    path: Path
    artifacts: Mapping[str, Path] = field(hash=False)
    sha256: str
    elapsed_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelLoading:
    """The weights of a model are about to be loaded; the next event comes after it."""

    model: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """Another process is generating the images that are left. It comes again until they are done.

    ``requests`` are those images. If the other process ends without them, they are generated here.
    """

    requests: tuple[ResolvedRequest, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """A sentence for the user: nothing failed, but something is not as usual."""

    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ContactSheetSaved:
    """One page of a sweep's contact sheet lies on disk, whole."""

    path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepPageSaved:
    """The page of a sweep lies on disk, whole."""

    path: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class AnimationSaved:
    """The animation of a sweep lies on disk, whole."""

    path: Path


Event = (
    RunStarted
    | StepCompleted
    | PreviewDecoded
    | FrameDecoded
    | RunFinished
    | RunFailed
    | ImageSaved
)
Events = Iterator[Event]
RunEvent = (
    Event | ModelLoading | Waiting | Notice | ContactSheetSaved | SweepPageSaved | AnimationSaved
)
