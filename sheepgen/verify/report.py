"""A verdict as a line of text for people, and of JSON for programs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from sheepgen.options import MAX_THREADS
from sheepgen.sanitize import excerpt, plural, printable
from sheepgen.verify.find import Unchecked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.verify.compare import Outcome, Verdict

__all__ = ["summary", "to_json_line", "to_line"]

_MAX_ERROR = 400

_WORDS = {
    "equal": "equal",
    "equal_within_processor": "equal within what another processor changes",
    "differs": "different",
    "unchecked": "unchecked",
}
"""Verdicts as programs and as people read them."""


def to_line(outcome: Outcome) -> str:
    """Return ``PATH: equal``, or how far the image differs and why, as one printable line.

    Where another processor explains the difference, the line says so instead.
    """
    path = printable(str(outcome.path))
    if isinstance(outcome, Unchecked):
        said = f"{outcome.error.message} {outcome.error.hint}"
        return f"{path}: unchecked. {excerpt(said, _MAX_ERROR)}"
    if outcome.equal:
        return f"{path}: equal{', as far as a JPEG shows' if outcome.is_jpeg else ''}"
    if outcome.equal_within_processor:
        recorded, here = outcome.environment["device_name"]
        return (
            f"{path}: {_WORDS['equal_within_processor']} ({excerpt(recorded)}, here "
            f"{excerpt(here)}): {_distance(outcome)}"
        )
    label = "Possible cause" if len(outcome.causes) == 1 else "Possible causes"
    causes = "; ".join(outcome.causes)
    return f"{path}: differs in {_parts(outcome)}. {label}: {causes}{_advice(outcome)}"


def to_json_line(outcome: Outcome) -> str:
    """Return one line of ASCII.

    It is an object with ``path`` and ``verdict``: ``equal``, ``equal_within_processor``,
    ``differs`` or ``unchecked``. If it is unchecked there is ``error`` with ``kind``, ``message``
    and ``hint``; else ``noise_equal`` and ``latents_equal`` (null if the image was not made again,
    because the sizes differ), ``sizes`` (of the file and of the record, if they differ),
    ``pixels`` (null if the sizes differ) with ``largest``, ``share`` and ``psnr_db`` (null if
    nothing differs), ``jpeg``, ``as_listed`` (null without a manifest), ``environment`` with pairs
    of the record's value and this machine's, and ``causes``.
    """
    return json.dumps({"path": str(outcome.path), "verdict": _word(outcome), **_details(outcome)})


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return how many images there are of each verdict."""
    words = [_word(outcome) for outcome in outcomes]
    counts = ", ".join(
        f"{words.count(word)} {said}" for word, said in _WORDS.items() if word in words
    )
    return f"{plural(len(words), 'image')}: {counts}."


def _word(outcome: Outcome) -> str:
    if isinstance(outcome, Unchecked):
        return "unchecked"
    if outcome.equal:
        return "equal"
    return "equal_within_processor" if outcome.equal_within_processor else "differs"


def _advice(verdict: Verdict) -> str:
    """Return what would compute with more threads than this machine has processors."""
    recorded, here = verdict.environment.get("threads", (0, 0))
    if isinstance(recorded, int) and isinstance(here, int) and here < recorded <= MAX_THREADS:
        return f". To compute with as many threads: --threads {recorded}"
    return ""


def _parts(verdict: Verdict) -> str:
    parts = {
        "noise": verdict.noise_equal is False,
        "latents": verdict.latents_equal is False,
        "bytes of the file": verdict.as_listed is False,
        _distance(verdict): not verdict.pixels_equal,
    }
    return ", ".join(part for part, differs in parts.items() if differs)


def _distance(verdict: Verdict) -> str:
    if verdict.sizes is not None:
        (width, height), (recorded_width, recorded_height) = verdict.sizes
        return f"size ({width}x{height}, recorded {recorded_width}x{recorded_height})"
    pixels = verdict.pixels
    if pixels is None:
        return "size"
    return (
        f"pixels (by at most {pixels.largest} of 255, {pixels.share:.2%} of them, "
        f"PSNR {pixels.psnr_db:.1f} dB)"
    )


def _details(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Unchecked):
        error = outcome.error
        kind = type(error).__name__
        return {"error": {"kind": kind, "message": error.message, "hint": error.hint}}
    pixels = outcome.pixels
    return {
        "noise_equal": outcome.noise_equal,
        "latents_equal": outcome.latents_equal,
        "pixels": pixels
        and {
            "largest": pixels.largest,
            "share": pixels.share,
            "psnr_db": pixels.psnr_db if math.isfinite(pixels.psnr_db) else None,
        },
        "sizes": outcome.sizes,
        "jpeg": outcome.is_jpeg,
        "as_listed": outcome.as_listed,
        "environment": outcome.environment,
        "causes": outcome.causes,
    }
