"""What a run will take: steps, time, disk and memory, before anything of it is loaded.

Time and memory are those of past runs on this machine, which are remembered in the user's cache.
Whatever goes wrong with that memory is passed over: no image depends on it.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sheepgen.guidance_interval import ALL_STEPS
from sheepgen.sanitize import byte_size
from sheepgen.untrusted_file import read_untrusted
from sheepgen.user_cache import cache_folder, write_cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from sheepgen.events import RunFinished
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions
    from sheepgen.output.artifacts import FrameChoice
    from sheepgen.request import ModelReference
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["Estimate", "PastRun", "PastRuns", "estimate", "record_image", "record_run"]

_RECORD_BYTES = 4_000

MAX_ENTRIES = 200
_MAX_BYTES = 2**20
_A_DAY = 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PastRun:
    """One image, as it was generated last time.

    Args:
        seconds_per_step: Of the whole run, decoding and all; in a batch, the image's share.
        peak_bytes: Most memory that the process, or the accelerator, ever had in use.
        batch_size: Images that were generated together.
    """

    seconds_per_step: float
    peak_bytes: int | None
    batch_size: int


class PastRuns:
    """All that is remembered at the moment."""

    def __init__(self) -> None:
        self._runs = _read()

    def lookup(
        self, request: ResolvedRequest, *, model_sha256: str, options: DeviceOptions
    ) -> PastRun | None:
        """Return what such an image took last time, or None.

        Args:
            request: With every field resolved; size, second pass, scheduler, and whether it is
                guided count.
            model_sha256: Of the model's weights.
            options: As asked for.
        """
        match self._runs.get(_name(request, model_sha256, options)):
            case {
                "seconds_per_step": float(seconds),
                "peak_bytes": int() | None as peak,
                "batch_size": int(batch_size),
            } if 0 <= seconds < _A_DAY:
                return PastRun(seconds_per_step=seconds, peak_bytes=peak, batch_size=batch_size)
            case _:
                return None


def record_run(
    request: ResolvedRequest, run: PastRun, *, model_sha256: str, options: DeviceOptions
) -> None:
    """Remember it for `PastRuns`; the oldest entries make room.

    The last image of a sweep may be generated alone. It says nothing of how long the others take,
    and is ignored if a larger batch is remembered.
    """
    past = PastRuns().lookup(request, model_sha256=model_sha256, options=options)
    if past is not None and past.batch_size > run.batch_size:
        return
    runs = _read()
    name = _name(request, model_sha256, options)
    runs.pop(name, None)
    runs[name] = asdict(run)
    write_cache(_path(), json.dumps(dict(list(runs.items())[-MAX_ENTRIES:])))


def record_image(event: RunFinished, *, model_sha256: str, options: DeviceOptions) -> None:
    """Remember what an image took that this process has just generated; see `record_run`."""
    from sheepgen.pipeline.device import peak_memory, resolve_device

    environment = event.record.environment
    share = event.elapsed_s / environment.batch_size
    run = PastRun(
        seconds_per_step=round(share / event.request.steps_taken, 5),
        peak_bytes=peak_memory(resolve_device(environment.device)),
        batch_size=environment.batch_size,
    )
    record_run(event.request, run, model_sha256=model_sha256, options=options)


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What images that are still to be generated will take.

    Args:
        steps: Denoising steps, of all images.
        seconds: As the last such images took here; None if one of them is the first of its kind.
        max_bytes: What the files take if nothing in them could be compressed.
        free_bytes: Of the disk that they go to.
        peak_bytes: Memory, as the last such images took here; None if one is the first.
        weight_bytes: Of the largest model, on the disk; in memory it is half or twice that where
            its numbers have 16 bits at one place and 32 at the other.
    """

    steps: int
    seconds: float | None
    max_bytes: int
    free_bytes: int
    peak_bytes: int | None
    weight_bytes: int

    @property
    def time(self) -> str:
        """The time in words."""
        if self.seconds is None:
            return "unknown (first run of its kind on this machine)"
        return f"about {timedelta(seconds=math.ceil(self.seconds))}"

    @property
    def disk(self) -> str:
        """The disk in words."""
        return f"at most {byte_size(self.max_bytes)}, {byte_size(self.free_bytes)} free"


def estimate(
    requests: Iterable[ResolvedRequest],
    specs: Mapping[ModelReference, ModelSpec],
    frames: FrameChoice,
    folder: Path,
    options: DeviceOptions,
) -> Estimate:
    """Estimate what images will take.

    Args:
        requests: Resolved.
        specs: Their models.
        frames: What is saved of the frames.
        folder: Where the files go; it need not be there yet.
        options: How the images are generated.
    """
    requests = list(requests)
    past_runs = PastRuns()
    own = [specs[request.model_reference] for request in requests]
    past = [
        past_runs.lookup(request, model_sha256=spec.sha256, options=options)
        for request, spec in zip(requests, own, strict=True)
    ]
    known = [run for run in past if run is not None]
    peaks = [run.peak_bytes for run in known if run.peak_bytes is not None]
    seconds = sum(
        run.seconds_per_step * _steps(request)
        for request, run in zip(requests, past, strict=True)
        if run is not None
    )
    return Estimate(
        steps=sum(map(_steps, requests)),
        seconds=seconds if len(known) == len(requests) else None,
        max_bytes=sum(_file_bytes(request, frames) for request in requests),
        free_bytes=_free_bytes(folder),
        peak_bytes=max(peaks, default=None) if len(peaks) == len(requests) else None,
        weight_bytes=max((spec.weight_bytes for spec in own), default=0),
    )


def _steps(request: ResolvedRequest) -> int:
    return request.steps_taken


def _file_bytes(request: ResolvedRequest, frames: FrameChoice) -> int:
    # The words are in the record and in AUTOMATIC1111's parameters, in up to six bytes a letter.
    words = 12 * len(request.prompt + request.negative_prompt)
    picture = 3 * math.prod(request.final_size) + _RECORD_BYTES + words
    # Schedulers of second order take nearly two timesteps a step.
    clean = 2 * _steps(request) + len(request.passes)
    if request.image is not None or request.hires:
        clean *= 2  # it is shown dissolving first
    noisy = clean if frames.noisy else 0
    beside = sum(artifact.max_pictures(clean, noisy) for artifact in frames.artifacts())
    return picture * (1 + beside)


def _free_bytes(folder: Path) -> int:
    # Unlike pathlib's, this `exists` does not fail for a name that is too long, or forbidden.
    there = next(filter(os.path.exists, (folder.absolute(), *folder.absolute().parents)))
    return shutil.disk_usage(there).free


def _name(request: ResolvedRequest, model_sha256: str, options: DeviceOptions) -> str:
    guided = "guided" if request.guidance_scale > 1 else "free"
    if request.guidance_interval != ALL_STEPS:
        guided += f" {request.guidance_interval}"
    size = f"{request.width}x{request.height}" + (request.hires and f" hires {request.hires}")
    size += request.upscaler and " upscaled"
    return f"{model_sha256[:16]} {size} {guided} {request.scheduler} {options}"


def _read() -> dict[str, object]:
    with suppress(OSError, ValueError, RecursionError):
        runs = json.loads(read_untrusted(_path(), max_bytes=_MAX_BYTES))
        if isinstance(runs, dict):
            return runs
    return {}


def _path() -> Path:
    return cache_folder() / "past_runs.json"
