"""Everything that is decided about a run before a weight is loaded.

What is wrong with a request, a name or a model's files is said within a moment. A plan holds all
that there is to say about the run; `sheepgen.execution.run.run_plan` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, overload

from sheepgen.execution.checks import (
    check_adapters,
    check_device,
    check_schedules,
    device_warnings,
    plan_memory,
)
from sheepgen.execution.image_key import image_key
from sheepgen.execution.prompts import named_texts, prompt_notes, read_prompts, reading_of
from sheepgen.execution.settings import RunSettings
from sheepgen.execution.timing import Estimate, estimate
from sheepgen.init_image import check_init_image, init_image_notes
from sheepgen.metadata.image_file import check_format
from sheepgen.models.added.places import fetch_added, plan_added
from sheepgen.models.hub import DownloadPlan
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model, resolve_model
from sheepgen.output.ownership import check_replaceable, free_target
from sheepgen.output.template import (
    BRANCHED_OUTPUT,
    DEFAULT_OUTPUT,
    Target,
    parse_output,
)
from sheepgen.prompt_template import expand_request, literal_notes
from sheepgen.request import TEMPLATES, ModelReference

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sheepgen.adapters import Adapters
    from sheepgen.execution.memory import RunMemory
    from sheepgen.models.spec import ModelSpec
    from sheepgen.output.images import OutputLayout
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.request import GenerationRequest
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["RunPlan", "find_or_plan_download", "plan_run"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPlan:
    """A run that nothing is known to stand in the way of.

    Args:
        spec: The model, complete on this disk.
        requests: One per image.
        settings: As they were given.
        layout: Where the files go.
        targets: Where each image goes if nothing is there yet.
        free_targets: Where it goes as things are, with a counter if its own name is taken.
        prompts: What the model makes of the first image's ``prompt`` and ``negative prompt``.
        prompt_notes: A line about each prompt with something to report.
        image_notes: A line about what is done to the picture to start from, if anything is.
        warnings: Sentences on what has no effect, and on what is outside of the model's range.
        estimate: What the run will take.
        memory: What it takes on the device.
    """

    spec: ModelSpec
    requests: tuple[ResolvedRequest, ...]
    settings: RunSettings
    layout: OutputLayout
    targets: Mapping[ResolvedRequest, Target]
    free_targets: Mapping[ResolvedRequest, Target]
    prompts: Mapping[str, PromptReading]
    prompt_notes: tuple[str, ...]
    image_notes: tuple[str, ...]
    warnings: tuple[str, ...]
    estimate: Estimate
    memory: RunMemory


@overload
def plan_run(
    request: GenerationRequest,
    output: str | None = None,
    settings: RunSettings | None = None,
    *,
    count: int = ...,
    spec: ModelSpec | None = ...,
    templates: Collection[str] = ...,
    branches: Sequence[str] = ...,
    download: Literal[True] = True,
) -> RunPlan: ...


@overload
def plan_run(
    request: GenerationRequest,
    output: str | None = None,
    settings: RunSettings | None = None,
    *,
    count: int = ...,
    spec: ModelSpec | None = ...,
    templates: Collection[str] = ...,
    branches: Sequence[str] = ...,
    download: Literal[False],
) -> RunPlan | DownloadPlan: ...


def plan_run(
    request: GenerationRequest,
    output: str | None = None,
    settings: RunSettings | None = None,
    *,
    count: int = 1,
    spec: ModelSpec | None = None,
    templates: Collection[str] = TEMPLATES,
    branches: Sequence[str] = (),
    download: bool = True,
) -> RunPlan | DownloadPlan:
    """Plan one image, or several with seeds that count up.

    Args:
        request: The first image; its prompts may be templates, from which each seed picks one.
        output: A file, a folder with a slash at its end, or a template, as ``--output`` takes it.
        settings: How the images are generated and saved.
        count: How many images.
        spec: The model, if it was found before.
        templates: Fields that are templates; others are taken as they are.
        branches: Values of ``branch``, with each of which there are as many images; none for the
            request's own.
        download: Whether a model, or what is added to it, is downloaded if it is not on this
            disk; otherwise what that would take is returned.

    Raises:
        UsageError: If the model cannot generate what was asked for, nothing in the prompt is known
            to it, ``strict`` forbids a prompt, the picture to start from cannot be used, or
            something is in the way that must not be overwritten.
        ModelError: If the model cannot be had.
    """
    settings = settings or RunSettings()
    branches = branches or (request.branch,)
    layout = settings.layout(
        parse_output(
            output,
            several=count * len(branches) > 1,
            default=BRANCHED_OUTPUT if any(branches) else DEFAULT_OUTPUT,
        )
    )
    wildcards = settings.open_wildcards()
    wanted = [
        expand_request(
            replace(request, seed=request.seed + number, branch=branch), wildcards, texts=templates
        )
        for branch in branches
        for number in range(count)
    ]
    for each in wanted:
        check_format(layout.template.suffix, each)
    check_init_image(request)
    found = find_or_plan_download(
        spec or request.model_reference,
        [request.adapters],
        offline=settings.offline,
        download=download,
    )
    if isinstance(found, DownloadPlan):
        return found
    requests = tuple(map(found.resolve, wanted))
    targets = {
        each: layout.template.target(
            each,
            index,
            image_key(
                each,
                model_sha256=found.sha256,
                dtype=settings.device.dtype,
                attention_backend=settings.device.attention_backend,
                cache=settings.device.cache,
                compiled=settings.device.compiled,
            ),
        )
        for index, each in enumerate(requests, start=1)
    }
    if layout.overwrite:
        for target in targets.values():
            check_replaceable(target, overwrite=True)
    engine = settings.engine
    engine.call(check_device, settings.device.device)
    first = requests[0]
    engine.call(check_schedules, found, [first])
    engine.call(check_adapters, found, [first])
    prompts = read_prompts(
        engine,
        replace(found, adapters=first.adapters),
        named_texts(requests),
        named_texts(requests, is_negative=True),
        form=first.prompt_format,
        strict=settings.strict,
    )
    specs = {first.model_reference: found}
    memory = engine.call(plan_memory, requests, specs, settings.device)
    assert memory is not None, "there is at least one image"
    typed = [] if wildcards else [getattr(request, name) for name in templates]
    return RunPlan(
        spec=found,
        requests=requests,
        settings=settings,
        layout=layout,
        targets=targets,
        free_targets={
            each: free_target(target, overwrite=layout.overwrite)
            for each, target in targets.items()
        },
        prompts={
            "prompt": reading_of(first, prompts),
            "negative prompt": next(each.reading for each in prompts if each.is_negative),
        },
        prompt_notes=prompt_notes(prompts),
        image_notes=init_image_notes(requests),
        warnings=(
            *settings.warnings([found]),
            *engine.call(device_warnings, [found], settings.device),
            *literal_notes(typed),
            *outside_warnings(requests, specs),
        ),
        estimate=estimate(requests, specs, layout.frames, layout.template.home, settings.device),
        memory=memory,
    )


def find_or_plan_download(
    model: ModelReference | ModelSpec,
    adapters: Iterable[Adapters],
    *,
    offline: bool,
    download: bool,
) -> ModelSpec | DownloadPlan:
    """Find a model and what is added to it, or return the download that comes next.

    Args:
        model: As a request names it, or as it was found before.
        adapters: What is added to it.
        offline: Whether the network is forbidden.
        download: Whether all is downloaded instead.

    Raises:
        UsageError: If the name is not that of a model.
        ModelError: If something cannot be had.
    """
    if isinstance(model, ModelReference):
        find = find_model if download else resolve_model
        found = find(model.name, variant=model.variant, replaced=model.replaced, offline=offline)
        if isinstance(found, DownloadPlan):
            return found
        model = found
    # What nothing can be added to is reported when requests are resolved, without a download.
    wanted = dict.fromkeys(each or model.adapters for each in adapters)
    for each in filter(model.family.takes, wanted):
        if download:
            fetch_added(each, offline=offline)
        elif (plan := plan_added(each, offline=offline)) is not None:
            return plan
    return model
