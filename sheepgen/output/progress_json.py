"""``--progress-json``: how far images have come, one line of JSON an event, for other programs.

Every line has ``event`` and what the image is called: ``image``, counted as they begin, or what
the caller says; and its ``seed``. In a sweep ``detail`` says what tells the image from the others.
``started`` adds ``total_steps``, ``device`` and ``dtype``; ``step`` adds ``step``,
``total_steps``, ``timestep`` and ``seconds``; ``saved`` adds ``path`` and ``seconds``; ``failed``
adds ``error`` and ``seconds``. A run that begins anew is ``started`` again.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

from sheepgen.events import ImageSaved, RunFailed, RunStarted, StepCompleted
from sheepgen.output.jsonl import error_to_dict

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import TextIO

    from sheepgen.events import Event, Events
    from sheepgen.request import ResolvedRequest

__all__ = ["write_progress"]


def write_progress(
    events: Events,
    stream: TextIO,
    *,
    call: Callable[[ResolvedRequest], Mapping[str, Any]] | None = None,
    detail: Callable[[ResolvedRequest], str] | None = None,
) -> Generator[Event]:
    """Pass events on and write each to ``stream`` as it comes.

    Args:
        events: With an `ImageSaved` behind every `RunFinished`.
        stream: Standard error.
        call: What an image is called, asked once a run; else they are counted.
        detail: What tells an image from the others.
    """
    numbers = count(1)
    call = call or (lambda _: {"image": next(numbers)})
    called: dict[ResolvedRequest, dict[str, Any]] = {}
    for event in events:
        if (said := _said(event)) is not None:
            if event.request not in called:
                called[event.request] = dict(call(event.request))
                if detail is not None:
                    called[event.request]["detail"] = detail(event.request)
            kind, details = said
            line = {"event": kind, **called[event.request], "seed": event.request.seed, **details}
            stream.write(json.dumps(line) + "\n")
            stream.flush()
        if isinstance(event, ImageSaved | RunFailed):
            del called[event.request]
        yield event


def _said(event: Event) -> tuple[str, dict[str, Any]] | None:
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
        case _:
            return None
