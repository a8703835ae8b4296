"""All that is decided about a run before a weight is loaded.

What is wrong with a request, a name or a model's files is said within a moment, and
``--dry-run`` is the same work, told instead of carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sheepgen.cli.download import obtain_model
from sheepgen.cli.prompt_check import check_prompts
from sheepgen.cli.schedule_check import check_schedules
from sheepgen.execution.image_key import image_key
from sheepgen.models.spec import outside_warnings
from sheepgen.output.ownership import check_replaceable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rich.console import Console

    from sheepgen.cli.prompt_check import PromptLength
    from sheepgen.models.hub import DownloadPlan
    from sheepgen.models.spec import ModelSpec
    from sheepgen.output.images import OutputLayout
    from sheepgen.output.template import Target
    from sheepgen.request import GenerationRequest, ResolvedRequest

__all__ = ["RunPlan", "make_plan"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlan:
    """A run that nothing is known to stand against.

    Args:
        spec: The model, complete on this disk.
        requests: One an image, with every field resolved.
        layout: Where the files go.
        targets: Where each image goes if nothing is there yet.
        prompts: How much of the ``prompt`` and the ``negative prompt`` the model reads.
        warnings: A line on what is asked for outside of the model's range, if anything is.
    """

    spec: ModelSpec
    requests: tuple[ResolvedRequest, ...]
    layout: OutputLayout
    targets: Mapping[ResolvedRequest, Target]
    prompts: Mapping[str, PromptLength]
    warnings: tuple[str, ...]

    @property
    def folders(self) -> set[Path]:
        """The folders that files go to."""
        return {target.folder for target in self.targets.values()}


def make_plan(
    request: GenerationRequest,
    layout: OutputLayout,
    *,
    count: int,
    dtype: str,
    strict: bool,
    offline: bool,
    download: Callable[[DownloadPlan], None],
    console: Console,
) -> RunPlan:
    """Find the model and settle everything that it decides.

    Args:
        request: The first image; the others differ by their seeds, which count up from its own.
        layout: Where the files go.
        count: How many images.
        dtype: Number format as asked for.
        strict: Whether a prompt that is too long is an error.
        offline: Whether the network is forbidden.
        download: Fetches a model that is not here.
        console: For notes.

    Raises:
        UsageError: If the model cannot draw what was asked for, ``strict`` forbids it, or
            something is in the way that must not be overwritten.
        ModelError: If the model cannot be had.
    """
    wanted = [replace(request, seed=request.seed + number) for number in range(count)]
    spec = obtain_model(request.model, offline=offline, download=download)
    requests = [spec.resolve(each) for each in wanted]
    first = requests[0]
    targets = {
        each: layout.template.target(
            each, index, image_key(each, model_sha256=spec.sha256, dtype=dtype)
        )
        for index, each in enumerate(requests, start=1)
    }
    if layout.overwrite:
        for target in targets.values():
            check_replaceable(target, overwrite=True)
    check_schedules(spec, [first], console)
    prompts = check_prompts(spec, first, console, strict=strict)
    return RunPlan(
        spec=spec,
        requests=tuple(requests),
        layout=layout,
        targets=targets,
        prompts=prompts,
        warnings=outside_warnings(requests, {spec.name: spec}),
    )
