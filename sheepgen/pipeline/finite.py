"""Whether latents are finite, found out without a graphics card having to wait for the answer.

NaN or infinity is an error that names the step, and never becomes a picture. To read a number from
a CUDA card is to wait until it has done all that it was asked for; so the number of a step is read
when the next step has been queued. A step is passed on only then: progress says what is done.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch

from sheepgen.errors import NonFiniteError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from torch import Tensor

__all__ = ["Step", "finite_steps", "read_late"]


class Step(Protocol):
    """One step, just taken: see `sheepgen.pipeline.denoise.DenoiseStep`."""

    @property
    def latents(self) -> Tensor:
        """After the step."""


_S = TypeVar("_S", bound=Step)


def read_late(latents: Tensor) -> tuple[int, Callable[[], bool]]:
    """Start to find out whether latents are finite.

    Returns:
        How many steps to queue before the answer is read, and what reads it: it waits until the
        latents are computed, and for nothing that was queued after them.
    """
    finite = latents.isfinite().all()
    if latents.device.type != "cuda":
        return 0, lambda: bool(finite)
    answer = finite.to("cpu", non_blocking=True)  # into pinned memory
    computed = torch.cuda.Event()  # type: ignore[no-untyped-call]
    computed.record(torch.cuda.current_stream(latents.device))

    def read() -> bool:
        computed.synchronize()
        return bool(answer)

    return 1, read


def finite_steps(
    steps: Iterable[_S],
    total_steps: int,
    *,
    check: Callable[[Tensor], tuple[int, Callable[[], bool]]] = read_late,
) -> Generator[_S, None, None]:
    """Yield steps whose latents are finite.

    Args:
        steps: As they are taken.
        total_steps: How many there are.
        check: What `read_late` is.

    Raises:
        NonFiniteError: If the latents of a step are not finite, before the step is yielded.
    """
    unread: deque[tuple[int, _S, Callable[[], bool]]] = deque()
    for number, step in enumerate(steps, 1):
        lag, is_finite = check(step.latents)
        unread.append((number, step, is_finite))
        if len(unread) > lag:
            yield _checked(*unread.popleft(), total_steps)
    for each in unread:
        yield _checked(*each, total_steps)


def _checked(number: int, step: _S, is_finite: Callable[[], bool], total_steps: int) -> _S:
    if not is_finite():
        raise NonFiniteError(
            f"The latents are not finite after step {number} of {total_steps}.",
            "Try --dtype fp32, another --scheduler, or other --steps.",
        )
    return step
