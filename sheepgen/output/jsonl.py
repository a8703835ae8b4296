"""JSON Lines for other programs: what became of each image, and ``--progress-json``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from sheepgen.errors import as_sheepgen_error
from sheepgen.events import ImageSaved, RunFailed, RunStarted, StepCompleted
from sheepgen.metadata.record_json import to_dict
from sheepgen.output.artifacts import ARTIFACTS, json_keys

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping
    from typing import TextIO

    from sheepgen.events import RunEvent
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["error_to_dict", "outcome_to_dict", "to_json_line", "write_progress"]

_E = TypeVar("_E")


def to_json_line(outcome: ImageSaved | RunFailed) -> str:
    """Return `outcome_to_dict` as one line of ASCII, without a line break."""
    return json.dumps(outcome_to_dict(outcome))


def outcome_to_dict(outcome: ImageSaved | RunFailed) -> dict[str, Any]:
    """Describe what became of an image as plain JSON values.

    Every outcome has ``status`` (``done`` or ``failed``), ``seed``, ``seconds`` (since its batch
    began) and ``request``. A saved image has ``path``, the paths of its artifacts (or null) as
    ``frames``, ``filmstrip`` and ``animation``, the file's ``sha256``, and the other entries of its
    record: ``environment``, ``noise_sha256``, ``latents_sha256``, ``truncated`` and, if the model
    parses prompts, ``understood``, ``unused`` and ``corrected`` (see
    `sheepgen.prompt_reading.PromptReading`). A failed one has ``error``, see `error_to_dict`.
    """
    line: dict[str, Any] = {"seed": outcome.request.seed, "seconds": round(outcome.elapsed_s, 3)}
    if not isinstance(outcome, ImageSaved):
        error = error_to_dict(outcome.error)
        return {"status": "failed", **line, "error": error, "request": asdict(outcome.request)}
    saved = {
        artifact.json_key: str(outcome.artifacts[artifact.name])
        for artifact in ARTIFACTS
        if artifact.name in outcome.artifacts
    }
    return {
        "status": "done",
        "path": str(outcome.path),
        **dict.fromkeys(json_keys()),
        **saved,
        "sha256": outcome.sha256,
        **line,
        **to_dict(outcome.record),
    }


def error_to_dict(error: Exception) -> dict[str, str]:
    """Describe an error: ``kind``, ``message`` and ``hint``."""
    known = as_sheepgen_error(error)
    return {"kind": type(error).__name__, "message": known.message, "hint": known.hint}


def write_progress(
    events: Iterable[RunEvent | _E],
    stream: TextIO,
    labels: Mapping[ResolvedRequest, Mapping[str, Any]],
) -> Generator[RunEvent | _E]:
    """Pass events on, and write a line of JSON for each as it comes: ``--progress-json``.

    Every line has ``event``, the image's label and its ``seed``. ``started`` adds ``total_steps``,
    ``device``, ``dtype`` and ``offload``; ``step`` adds ``step``, ``total_steps``, ``timestep``,
    ``seconds`` and, in another stage than that which makes the picture, ``stage``; ``saved`` adds
    ``path``, ``seconds`` and, if the model parses prompts, ``understood``, ``unused`` and
    ``corrected``; ``failed`` adds ``error`` and ``seconds``.
    A run that restarts is ``started`` again.

    Args:
        events: With an `ImageSaved` after every `RunFinished`.
        stream: Usually standard error.
        labels: What identifies each image, as plain JSON values: ``image``, which counts them, and
            in a sweep ``detail``; or the ``line`` of a batch.
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
                "offload": event.offload,
            }
        case StepCompleted():
            return "step", {
                "step": event.step,
                "total_steps": event.total_steps,
                "timestep": event.timestep,
                "seconds": round(event.elapsed_s, 3),
                **({"stage": event.stage} if event.stage else {}),
            }
        case ImageSaved():
            saved = {"path": str(event.path), "seconds": round(event.elapsed_s, 3)}
            record = to_dict(event.record)
            words = ("understood", "unused", "corrected")
            return "saved", {**saved, **{key: record[key] for key in words if key in record}}
        case RunFailed():
            return "failed", {
                "error": error_to_dict(event.error),
                "seconds": round(event.elapsed_s, 3),
            }
