"""What is decided about a job before it is drawn, as `plan_run` does for one request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sheepgen.batch.jobs import parse_job
from sheepgen.batch.run import PlannedJob
from sheepgen.cli.aliases import canonical_option
from sheepgen.cli.console import note
from sheepgen.cli.download import obtain_model
from sheepgen.errors import UsageError
from sheepgen.execution.checks import check_schedules, measure_prompts, unread_words
from sheepgen.execution.image_key import image_key
from sheepgen.metadata.image_file import check_format
from sheepgen.models.spec import outside_warnings
from sheepgen.output.template import parse_output
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import lies_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rich.console import Console

    from sheepgen.models.hub import DownloadPlan
    from sheepgen.models.spec import ModelSpec
    from sheepgen.output.template import OutputTemplate

__all__ = ["JobPlanner"]

_MOST_WARNINGS = 20
"""Whoever is not warned by so many will not be by more, and lines may come without end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobPlanner:
    """Plans jobs; a model is found and checked when it is first named.

    Args:
        defaults: Fields of the request, for what a line does not say.
        template: Where images go whose lines do not say it; its folder is the batch's.
        dtype: Number format as asked for.
        strict: Whether a prompt that is too long is an error.
        offline: Whether the network is forbidden.
        download: Fetches a model that is not here.
        console: For notes.
        specs: The models so far, by name; an executor may share it.
        warned: Warnings so far; each is printed once.
    """

    defaults: Mapping[str, Any]
    template: OutputTemplate
    dtype: str
    strict: bool
    offline: bool
    download: Callable[[DownloadPlan], None]
    console: Console
    specs: dict[str, ModelSpec]
    warned: set[str] = field(default_factory=set)

    def plan(self, line: int, text: str) -> PlannedJob:
        """Read a line and settle everything that its model decides.

        Raises:
            UsageError: If the job is wrong, or ``strict`` forbids it.
            ModelError: If the model cannot be had.
        """
        job = parse_job(text, self.defaults, spell=canonical_option)
        template = self.template
        if job.output is not None:
            template = parse_output(job.output, several=False, inside=template.home)
        check_format(template.suffix, job.request)
        spec = self.find(job.request.model)
        request = spec.resolve(job.request)
        key = image_key(request, model_sha256=spec.sha256, dtype=self.dtype)
        target = template.target(request, line, key)
        if job.output is not None:
            self._check_folder(target.folder)
        texts = {
            f"prompt of line {line}": request.prompt,
            f"negative prompt of line {line}": request.negative_prompt,
        }
        check_schedules(spec, [request])
        for unread in unread_words(measure_prompts(spec, texts), strict=self.strict):
            note(self.console, unread)
        for warning in outside_warnings([request], self.specs):
            if warning not in self.warned and len(self.warned) < _MOST_WARNINGS:
                note(self.console, warning)
                self.warned.add(warning)
        return PlannedJob(line=line, id=job.id, request=request, key=key, target=target)

    def find(self, model: str) -> ModelSpec:
        """Return a model, from memory if it was named before.

        Raises:
            UsageError: If the name is of no known kind.
            ModelError: If the model cannot be had.
        """
        if model not in self.specs:
            self.specs[model] = obtain_model(model, offline=self.offline, download=self.download)
        return self.specs[model]

    def _check_folder(self, folder: Path) -> None:
        """Refuse a folder that a link puts outside the batch's own."""
        if not lies_in(self.template.home, folder):
            raise UsageError(
                f"output leads out of the batch's folder through a link: {excerpt(folder)}",
                "Write another path, or draw the batch into the link's own folder.",
            )
