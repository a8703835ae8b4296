"""An outcome as a line of text for people, and as a line of JSON for programs."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from sheepgen.options import MAX_THREADS
from sheepgen.sanitize import excerpt, plural, printable
from sheepgen.verify.find import NotVerified

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.verify.compare import Comparison, Outcome

__all__ = ["summary", "to_json_line", "to_line"]

_MAX_ERROR = 400

_WORDS = {
    "equal": "equal",
    "equal_within_processor": "equal except for processor rounding",
    "differs": "differ",
    "unchecked": "skipped",
}
"""Verdicts, for programs and for people."""


def to_line(outcome: Outcome) -> str:
    """Return ``PATH: equal``, or how far the image differs and why, as one printable line.

    If another processor explains the difference, the line says so instead.
    """
    path = printable(str(outcome.path))
    if isinstance(outcome, NotVerified):
        reason = f"{outcome.error.message} {outcome.error.hint}".rstrip()
        return f"{path}: skipped: {excerpt(reason, _MAX_ERROR)}"
    if outcome.equal:
        return f"{path}: equal{' (after JPEG compression)' if outcome.is_jpeg else ''}"
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
    ``differs`` or ``unchecked``. An unchecked image has ``error`` with ``kind``, ``message`` and
    ``hint``. The others have ``noise_equal`` and ``latents_equal`` (null if the image was not
    regenerated, because the sizes differ), ``sizes`` (of the file and of the record, if they
    differ), ``pixels`` (null if the sizes differ) with ``largest``, ``share`` and ``psnr_db`` (null
    if nothing differs), ``jpeg``, ``as_listed`` (null without a manifest), ``environment`` with
    pairs of the record's value and this machine's, and ``causes``.
    """
    return json.dumps({"path": str(outcome.path), "verdict": outcome.verdict, **_details(outcome)})


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return how many images have each verdict: ``3 images: 2 equal, 1 differs.``."""
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    counts = [
        f"{verdicts[verdict]} {'differs' if word == 'differ' and verdicts[verdict] == 1 else word}"
        for verdict, word in _WORDS.items()
        if verdict in verdicts
    ]
    return f"{plural(len(outcomes), 'image')}: {', '.join(counts)}."


def _advice(comparison: Comparison) -> str:
    """Return the option that computes with as many threads as recorded, if there were fewer."""
    recorded, here = comparison.environment.get("threads", (0, 0))
    if isinstance(recorded, int) and isinstance(here, int) and here < recorded <= MAX_THREADS:
        return f". To use as many threads: --threads {recorded}"
    return ""


def _parts(comparison: Comparison) -> str:
    parts = {
        "noise": comparison.noise_equal is False,
        "latents": comparison.latents_equal is False,
        "bytes of the file": comparison.matches_manifest is False,
        _distance(comparison): not comparison.pixels_equal,
    }
    return ", ".join(part for part, differs in parts.items() if differs)


def _distance(comparison: Comparison) -> str:
    if comparison.sizes is not None:
        (width, height), (recorded_width, recorded_height) = comparison.sizes
        return f"size ({width}x{height}, recorded {recorded_width}x{recorded_height})"
    pixels = comparison.pixels
    assert pixels is not None, "only another size keeps them from being compared"
    return (
        f"pixels (by at most {pixels.largest} of 255, {pixels.share:.2%} of them, "
        f"PSNR {pixels.psnr_db:.1f} dB)"
    )


def _details(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, NotVerified):
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
        "as_listed": outcome.matches_manifest,
        "environment": outcome.environment,
        "causes": outcome.causes,
    }
