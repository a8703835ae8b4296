"""``--progress-json``: how far images have come, one line of JSON an event, for other programs.

Every line has ``event``, what the caller calls the image (``image`` counts them; in a sweep
``detail`` says what tells it from the others) and its ``seed``. ``started`` adds ``total_steps``,
``device`` and ``dtype``; ``step`` adds ``step``, ``total_steps``, ``timestep`` and ``seconds``;
``saved`` adds ``path`` and ``seconds``; ``failed`` adds ``error`` and ``seconds``. A run that
begins anew is ``started`` again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sheepgen.events import ImageSaved, RunFailed, RunStarted, StepCompleted
from sheepgen.output.jsonl import error_to_dict

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from typing import TextIO

    from sheepgen.events import RunEvent
    from sheepgen.request import ResolvedRequest

__all__ = ["write_progress"]


def write_progress(
    events: Iterable[RunEvent],
    stream: TextIO,
    labels: Mapping[ResolvedRequest, Mapping[str, Any]],
) -> Generator[RunEvent]:
    """Pass events on and write each to ``stream`` as it comes.

    Args:
        events: With an `ImageSaved` after every `RunFinished`.
        stream: Standard error.
        labels: What each image is called, as plain JSON values.
    """
    for event in events:
        match event:
            case RunStarted() | StepCompleted() | ImageSaved() | RunFailed():
                kind, details = _describe(event)
                label = {**labels[event.request], "seed": event.request.seed}
                stream.write(json.dumps({"event": kind, **label, **details}) + "\n")
                stream.flush()
            case _:
                pass
        yield event


def _describe(
    event: RunStarted | StepCompleted | ImageSaved | RunFailed,
) -> tuple[str, dict[str, Any]]:
    match event:
        case RunStarted():
            return "started", {
                "total_steps": event.total_steps,
                "device": event.device,
                "dtype": event.dtype,
            }
        case StepCompleted():
            return "step", {
                "step": event.step,
                "total_steps": event.total_steps,
                "timestep": event.timestep,
                "seconds": round(event.elapsed_s, 3),
            }
        case ImageSaved():
            return "saved", {"path": str(event.path), "seconds": round(event.elapsed_s, 3)}
        case RunFailed():
            return "failed", {
                "error": error_to_dict(event.error),
                "seconds": round(event.elapsed_s, 3),
            }
