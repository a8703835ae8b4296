"""The steps that are guided, as they are written: ``0.1-0.8``, shares of the steps of a pass.

While there is almost nothing but noise, guidance does harm, and near the end it changes little
(https://arxiv.org/abs/2404.07724). Where it is off, the network does not run without the prompt,
and a step costs half. The paper's interval is one of noise levels; this is one of steps, as in
diffusers' guiders.
"""

from __future__ import annotations

from sheepgen.errors import UsageError
from sheepgen.fields import FIELDS

__all__ = ["ALL_STEPS", "canonical_interval", "guided_steps"]

ALL_STEPS = "0-1"


def guided_steps(text: str, steps: int) -> range:
    """Return which of a pass's steps are guided, counted from 0.

    Args:
        text: ``START-STOP``.
        steps: Of the pass, as the scheduler takes them.

    Raises:
        UsageError: If the text looks otherwise, or a share is out of its range.
    """
    start, stop = _shares(text)
    # Truncated as diffusers' guiders do.
    return range(int(start * steps), int(stop * steps))


def canonical_interval(text: str) -> str:
    """Return the canonical form of an interval.

    Raises:
        UsageError: If the text looks otherwise, or a share is out of its range.
    """
    start, stop = _shares(text)
    return f"{start:g}-{stop:g}"


def _shares(text: str) -> tuple[float, float]:
    FIELDS["guidance_interval"].check(text)
    start, stop = map(float, text.split("-"))
    if not start < stop <= 1:
        raise UsageError(
            "guidance interval must begin before it ends, and end at 1 or before, got "
            f"{start:g}-{stop:g}."
        )
    return start, stop
