"""An executor that Ctrl-C stops."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from threading import Event as Flag
from typing import TYPE_CHECKING

from sheepgen.cli.interrupt import StoppableExecutor, interrupts_set
from sheepgen.output.progress import spinner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rich.console import Console

    from sheepgen.events import RunFailed
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions, FrameOptions

__all__ = ["local_executor", "log_failure"]

_log = logging.getLogger(__name__)


@contextmanager
def local_executor(
    specs: Mapping[str, ModelSpec],
    options: DeviceOptions,
    *,
    frames: FrameOptions | None,
    console: Console,
) -> Iterator[StoppableExecutor]:
    """Load the first of the models and make an executor; Ctrl-C stops it after a step.

    Raises:
        UsageError: If this machine has no such device, or it does not go with the format.
        ModelError: If the model is damaged.
    """
    first = next(iter(specs))
    with spinner(console, f"Loading {first}"):
        from sheepgen.execution.local import LocalExecutor

        executor = LocalExecutor(specs, options=options, frames=frames)
        executor.load(first)
    flag = Flag()
    with interrupts_set(flag, console):
        yield StoppableExecutor(executor, flag)


def log_failure(failed: RunFailed) -> None:
    """Log with its traceback what an image failed with, where the others go on."""
    _log.debug("%s", failed.error, exc_info=failed.error)
