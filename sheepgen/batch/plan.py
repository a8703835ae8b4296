"""Plan jobs: everything that is decided about a line before its image is generated."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sheepgen.batch.jobs import job_id, parse_job
from sheepgen.errors import UsageError
from sheepgen.events import Notice
from sheepgen.execution.checks import (
    check_adapters,
    check_device,
    check_schedules,
    plan_memory,
)
from sheepgen.execution.image_key import image_key
from sheepgen.execution.plan import find_or_plan_download
from sheepgen.execution.prompts import named_texts, prompt_notes, read_prompts, reading_of
from sheepgen.execution.settings import RunSettings
from sheepgen.init_image import check_init_image, init_image_notes
from sheepgen.metadata.image_file import check_format
from sheepgen.models.hub import DownloadPlan
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.output.jsonl import error_to_dict
from sheepgen.output.ownership import free_target
from sheepgen.output.template import DEFAULT_OUTPUT, parse_output
from sheepgen.prompt_template import expand_request, literal_notes
from sheepgen.request import EMBEDDED_MODEL, TEMPLATES
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import lies_in

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from pathlib import Path

    from sheepgen.adapters import Adapters
    from sheepgen.batch.jobs import JobId
    from sheepgen.execution.memory import RunMemory
    from sheepgen.models.spec import ModelSpec
    from sheepgen.output.template import Target
    from sheepgen.presets import Presets
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.request import ModelReference
    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.shard import Shard

__all__ = ["JobAnswered", "JobPlanner", "PlannedJob", "failed_line", "plan_batch"]

_MAX_WARNINGS = 20
"""Lines may come without end."""

_NAMES_IN_SHARDS = "outputs/{prompt}_{seed}_{key}.png"
"""Of different images they are different, so that no shard has to know what others call theirs."""

_ANY_JOB = '{"prompt": "any"}'


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedJob:
    """A job, ready to be generated.

    Args:
        line: Number of its line.
        id: The sender's name for it.
        request: What to generate.
        reading: What its model makes of the prompt.
        key: Its `sheepgen.execution.image_key.image_key`.
        target: Where the image goes if that path is free, inside the batch's folder.
    """

    line: int
    id: JobId
    request: ResolvedRequest
    reading: PromptReading
    key: str
    target: Target


@dataclass(frozen=True, kw_only=True, slots=True)
class JobAnswered:
    """A line is done.

    Args:
        line: Its number.
        job: The job; None if the line could not be planned.
        answer: Plain JSON values, as ``sheepgen batch`` prints them: ``line``, ``id``, ``status``
            (``done``, ``failed`` or ``planned``), and what
            `sheepgen.output.jsonl.outcome_to_dict` says of the image. A line that could not be
            planned has ``error`` alone; an image that existed already has ``cached``.
        memory: What the image takes on the device, if that was asked for: by `plan_batch`.
    """

    line: int
    job: PlannedJob | None
    answer: Mapping[str, Any]
    memory: RunMemory | None = None

    @property
    def failed(self) -> bool:
        """Whether there is no image."""
        return bool(self.answer["status"] == "failed")


class JobPlanner:
    """Plans the jobs of a batch. Each model is found and checked when it is first named.

    Args:
        output: A folder with a slash at its end, or a template, as ``--output`` takes it. The
            template's folder is the batch's: no job is saved outside it.
        settings: How images are generated and saved.
        defaults: Fields of the request that lines may omit.
        presets: Names that models and LoRAs may have in lines and defaults.
        shard: The only one whose jobs are planned; None for all jobs.

    Raises:
        UsageError: If no job could be right, or two shards could give two images one name.
    """

    def __init__(
        self,
        output: str | None,
        settings: RunSettings,
        defaults: Mapping[str, Any],
        presets: Presets | None,
        shard: Shard | None = None,
    ) -> None:
        names = DEFAULT_OUTPUT if shard is None else _NAMES_IN_SHARDS
        self.layout = settings.layout(parse_output(output, several=True, default=names))
        self.shard = shard
        if shard is not None and not self.layout.template.is_unique:
            raise UsageError(
                "With --shard, the names of images must all be different.",
                "Put {key} or {index} into --output.",
            )
        self.specs: dict[ModelReference, ModelSpec] = {}
        self._settings = settings
        self._wildcards = settings.open_wildcards()
        self._defaults = {"model": EMBEDDED_MODEL, **defaults}
        self._presets = presets
        self._warned: set[str] = set()
        any_request = parse_job(_ANY_JOB, self._defaults, presets).request
        self.model, self.adapters = any_request.model_reference, any_request.adapters
        check_format(self.layout.template.suffix, any_request)

    @property
    def folder(self) -> Path:
        """The batch's folder."""
        return self.layout.template.home

    def plan(
        self, line: int, text: str
    ) -> Generator[Notice, None, PlannedJob | DownloadPlan | None]:
        """Read a line and decide everything that depends on its model.

        Its prompts are templates, from which its seed picks.

        Yields:
            Notes on prompts that are not read as they are, on what is done to pictures, and on
            values outside the model's range.

        Returns:
            The job, or None if it is another shard's; or, if its model or what is added to it is
            not on this disk, the download that comes next.

        Raises:
            UsageError: If the job or a wildcard is wrong, a shard would pick a seed, nothing in the
                prompt is known to its model, or ``strict`` forbids a prompt.
            ModelError: If the model cannot be had.
        """
        job = parse_job(text, self._defaults, self._presets, picks_seeds=self.shard is None)
        template = self.layout.template
        if job.output is not None:
            template = parse_output(job.output, several=False, inside=template.home)
        asked = expand_request(job.request, self._wildcards)
        check_format(template.suffix, asked)
        check_init_image(asked)
        spec = self.find(asked.model_reference, asked.adapters)
        if isinstance(spec, DownloadPlan):
            return spec
        request = spec.resolve(asked)
        key = image_key(
            request,
            model_sha256=spec.sha256,
            dtype=self._settings.device.dtype,
            attention_backend=self._settings.device.attention_backend,
            cache=self._settings.device.cache,
            compiled=self._settings.device.compiled,
        )
        if self.shard is not None and not self.shard.has(key):
            return None
        target = template.target(request, line, key)
        if job.output is not None and not lies_in(self.folder, target.folder):
            raise UsageError(
                f"output leads out of the batch's folder through a link: {excerpt(target.folder)}",
                "Use another path, or make the link's own folder the batch's.",
            )
        engine = self._settings.engine
        engine.call(check_schedules, spec, [request])
        engine.call(check_adapters, spec, [request])
        prompts = read_prompts(
            engine,
            replace(spec, adapters=request.adapters),
            named_texts([request], where=f" of line {line}"),
            named_texts([request], is_negative=True, where=f" of line {line}"),
            form=request.prompt_format,
            strict=self._settings.strict,
        )
        for text in prompt_notes(prompt for prompt in prompts if prompt.has_findings):
            yield Notice(message=text)
        typed = [getattr(job.request, name) for name in TEMPLATES]
        for warning in (
            *(() if self._wildcards else literal_notes(typed)),
            *init_image_notes([request]),
            *self._settings.warnings([spec]),
            *outside_warnings([request], self.specs),
        ):
            if warning not in self._warned and len(self._warned) < _MAX_WARNINGS:
                yield Notice(message=warning)
                self._warned.add(warning)
        return PlannedJob(
            line=line,
            id=job.id,
            request=request,
            reading=reading_of(request, prompts),
            key=key,
            target=target,
        )

    def reports(self, line: int) -> bool:
        """Check whether a line that cannot be planned is answered here, not by another shard."""
        return self.shard is None or self.shard.answers_for(line)

    def find(self, model: ModelReference, adapters: Adapters) -> ModelSpec | DownloadPlan:
        """Return a model, from memory if it was named before; or the download that comes next.

        Raises:
            UsageError: If the name is not that of a model.
            ModelError: If the model, or what is added to it, cannot be had.
        """
        found = find_or_plan_download(
            self.specs.get(model, model),
            [adapters],
            offline=self._settings.offline,
            download=False,
        )
        if not isinstance(found, DownloadPlan):
            self.specs[model] = found
        return found


def plan_batch(
    lines: Iterable[tuple[int, str]],
    output: str | None = None,
    settings: RunSettings | None = None,
    *,
    defaults: Mapping[str, Any] | None = None,
    presets: Presets | None = None,
    shard: Shard | None = None,
) -> Iterator[JobAnswered | Notice]:
    """Check the jobs of a batch without generating anything; the arguments are `run_batch`'s.

    Yields:
        A `JobAnswered` for each line of the shard: ``planned``, with the ``path`` its image would
        get, its ``request``, what its model makes of the ``prompt``, ``warnings`` and ``memory``;
        or ``failed``. If its model is not on this disk, the answer has the bytes ``to_fetch``
        instead.

    Raises:
        UsageError: If no job could be right.
    """
    settings = settings or RunSettings()
    planner = JobPlanner(output, settings, defaults or {}, presets, shard)
    engine = settings.engine
    engine.call(check_device, settings.device.device)
    for line, text in lines:
        answer: dict[str, Any] = {"line": line, "id": job_id(text), "status": "planned"}
        try:
            job = yield from planner.plan(line, text)
            if job is None:
                continue
            taken = None
            if not isinstance(job, DownloadPlan):
                taken = engine.call(plan_memory, [job.request], planner.specs, settings.device)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other lines go on
            if planner.reports(line):
                yield failed_line(line, text, error)
            continue
        if isinstance(job, DownloadPlan):
            yield JobAnswered(line=line, job=None, answer={**answer, "to_fetch": job.total_bytes})
            continue
        target = free_target(job.target, overwrite=settings.overwrite)
        answer |= {
            "path": str(target.path),
            "request": asdict(job.request),
            "prompt": asdict(job.reading),
            "warnings": outside_warnings([job.request], planner.specs),
            "memory": taken and taken.to_dict(),
        }
        yield JobAnswered(line=line, job=job, answer=answer, memory=taken)


def failed_line(line: int, text: str, error: Exception) -> JobAnswered:
    """Return the answer to a line that could not be planned."""
    answer = {"line": line, "id": job_id(text), "status": "failed", "error": error_to_dict(error)}
    return JobAnswered(line=line, job=None, answer=answer)
