"""Whether a model's schedule has room for the steps, found out before its weights are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sheepgen.cli.prompt_check import starting_torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from sheepgen.models.spec import ModelSpec
    from sheepgen.request import ResolvedRequest

__all__ = ["check_schedules"]


def check_schedules(spec: ModelSpec, requests: Iterable[ResolvedRequest], console: Console) -> None:
    """Check that the scheduler of every resolved request gets through its steps.

    Raises:
        UsageError: If so many steps do not fit.
        ModelError: If a scheduler cannot be used with this model.
    """
    for request in requests:
        with starting_torch(console):
            from sheepgen.pipeline.scheduler import check_schedule

        check_schedule(spec, request)
