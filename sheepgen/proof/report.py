"""A verdict as a line of text for people, and of JSON for programs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from sheepgen.proof.verdict import Unchecked
from sheepgen.text import excerpt, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.proof.pixels import PixelDifference
    from sheepgen.proof.verdict import Outcome, Verdict

__all__ = ["summary", "to_json_line", "to_line"]

_MAX_ERROR = 400


def to_line(outcome: Outcome) -> str:
    """Return ``PATH: equal``, or how far the image differs and why, as one printable line."""
    path = printable(str(outcome.path))
    if isinstance(outcome, Unchecked):
        said = f"{outcome.error.message} {outcome.error.hint}"
        return f"{path}: unchecked. {excerpt(said, _MAX_ERROR)}"
    if outcome.equal:
        return f"{path}: equal{', as far as a JPEG shows' if outcome.is_jpeg else ''}"
    label = "Cause" if len(outcome.causes) == 1 else "Possible causes"
    return f"{path}: differs in {_parts(outcome)}. {label}: {'; '.join(outcome.causes)}"


def to_json_line(outcome: Outcome) -> str:
    """Return one line of ASCII.

    It is an object with ``path`` and ``verdict``: ``equal``, ``differs`` or ``unchecked``. If it
    is unchecked there is ``error`` with ``kind``, ``message`` and ``hint``; else ``noise_equal``,
    ``latents_equal``, ``pixels`` (null if the sizes differ) with ``largest``, ``share`` and
    ``psnr_db`` (null if nothing differs), ``jpeg``, ``as_listed`` (null without a manifest),
    ``environment`` with pairs of the record's value and this machine's, and ``causes``.
    """
    return json.dumps({"path": str(outcome.path), "verdict": _word(outcome), **_details(outcome)})


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return how many images were equal, differed and could not be checked."""
    words = [_word(outcome) for outcome in outcomes]
    counts = ", ".join(
        f"{words.count(word)} {said}"
        for word, said in (("equal", "equal"), ("differs", "different"), ("unchecked", "unchecked"))
        if word in words
    )
    return f"{len(words)} image{'' if len(words) == 1 else 's'}: {counts}."


def _word(outcome: Outcome) -> str:
    if isinstance(outcome, Unchecked):
        return "unchecked"
    return "equal" if outcome.equal else "differs"


def _parts(verdict: Verdict) -> str:
    parts = {
        "noise": not verdict.noise_equal,
        "latents": not verdict.latents_equal,
        "bytes of the file": verdict.as_listed is False,
        _distance(verdict.pixels): not verdict.pixels_equal,
    }
    return ", ".join(part for part, differs in parts.items() if differs)


def _distance(pixels: PixelDifference | None) -> str:
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
        "jpeg": outcome.is_jpeg,
        "as_listed": outcome.as_listed,
        "environment": outcome.environment,
        "causes": outcome.causes,
    }
