"""What denoising took on this machine, remembered from one run to the next.

It makes an estimate for a person to read. Whatever goes wrong with it is passed over: no image
depends on it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sheepgen.untrusted_file import read_untrusted
from sheepgen.user_cache import cache_folder, write_cache

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.options import DeviceOptions
    from sheepgen.request import ResolvedRequest

__all__ = ["PastRun", "PastRuns", "record_run"]

MAX_ENTRIES = 200
_MAX_BYTES = 2**20
_A_DAY = 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PastRun:
    """One image, as it was made last time.

    Args:
        seconds_per_step: Of the whole run, decoding and all; in a batch, the image's share.
        peak_bytes: Most memory that the process, or the accelerator, ever had in use.
        batch_size: Images that were made together.
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
            request: With every field resolved; size, scheduler, and whether it is guided count.
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

    The last image of a sweep may be made alone. It says nothing of how long the others take, and
    is passed over where a larger batch is remembered.
    """
    past = PastRuns().lookup(request, model_sha256=model_sha256, options=options)
    if past is not None and past.batch_size > run.batch_size:
        return
    runs = _read()
    name = _name(request, model_sha256, options)
    runs.pop(name, None)
    runs[name] = asdict(run)
    write_cache(_path(), json.dumps(dict(list(runs.items())[-MAX_ENTRIES:])))


def _name(request: ResolvedRequest, model_sha256: str, options: DeviceOptions) -> str:
    guided = "guided" if request.guidance_scale > 1 else "free"
    size = f"{request.width}x{request.height}"
    return f"{model_sha256[:16]} {size} {guided} {request.scheduler} {options}"


def _read() -> dict[str, object]:
    with suppress(OSError, ValueError, RecursionError):
        runs = json.loads(read_untrusted(_path(), max_bytes=_MAX_BYTES))
        if isinstance(runs, dict):
            return runs
    return {}


def _path() -> Path:
    return cache_folder() / "past_runs.json"
