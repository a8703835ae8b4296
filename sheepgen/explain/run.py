"""Generate an image, record how it comes about, and save that beside it: `explain_image`.

The image is an ordinary one: it keeps its bits, has its record, and is saved first, so that
whatever goes wrong later does not lose it.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from sheepgen.caches import NO_CACHE
from sheepgen.errors import UsageError
from sheepgen.events import (
    FrameDecoded,
    ImageSaved,
    ModelLoading,
    Notice,
    RunFinished,
    RunStarted,
    StepCompleted,
)
from sheepgen.execution.run import prepare_folders
from sheepgen.models.families import FAMILIES
from sheepgen.output.artifacts import ARTIFACTS
from sheepgen.output.atomic import output_errors, staging_folder, sync_folder, write_synced
from sheepgen.output.images import save_images
from sheepgen.output.locks import lock_folder
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from sheepgen.events import Event, RunEvent
    from sheepgen.execution.plan import RunPlan
    from sheepgen.explain.report import Ablation, Explanation
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.attention_maps import AttentionMaps
    from sheepgen.pipeline.family import Model
    from sheepgen.pipeline.token_groups import TokenGroup
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["ImageExplained", "check_explainable", "explain_image"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageExplained:
    """The page and its pictures are on disk, complete.

    Args:
        request: The image.
        page: Path of the page.
        pictures: Path of the folder.
        numbers: As `sheepgen.explain.report.to_dict` says.
    """

    request: ResolvedRequest
    page: Path
    pictures: Path
    numbers: dict[str, Any] = field(hash=False)


def check_explainable(spec: ModelSpec, request: ResolvedRequest, *, ablate: bool) -> None:
    """Check that an image can be explained, before its model is loaded.

    Raises:
        UsageError: If it cannot.
    """
    if spec.family.word_attention is None:
        names = [family.name for family in FAMILIES if family.word_attention]
        raise UsageError(
            f"Images of {excerpt(spec.name)} cannot be explained: {spec.family.name} is not "
            "supported.",
            f"Use a model of one of these families: {', '.join(names)}.",
        )
    if "true_cfg" in spec.family.fields and request.true_cfg > 1:
        raise UsageError(
            "Images with --true-cfg cannot be explained: the network runs twice at each step.",
            "Leave out --true-cfg.",
        )
    if request.blend:
        raise UsageError(
            "Blends cannot be explained: their prompts act together, not word by word.",
            "Leave out --blend.",
        )
    if request.branch:
        raise UsageError(
            "A branched image cannot be explained: its prompt may change on the way.",
            "Explain the image that it branches from, without --branch.",
        )
    if ablate and request.prompt_format.has_marks:
        raise UsageError(
            f"--ablate needs plain prompts, but the prompt syntax is {request.prompt_syntax}.",
            "Leave out --ablate or --prompt-syntax.",
        )


def explain_image(
    plan: RunPlan, *, ablate: bool = False
) -> Generator[RunEvent | ImageExplained, None, None]:
    """Generate the image of a plan, and save how it came about beside it.

    Args:
        plan: Of one image.
        ablate: Whether the image is generated again without each word.

    Yields:
        What `sheepgen.execution.run.run_plan` does; then, with ``ablate``, a `Notice` for each word
        and the steps of the image without it; then `ImageExplained`. Nothing comes after a
        `RunFailed`.

    Raises:
        UsageError: If the image cannot be explained, or the device does not go with the dtype.
        ModelError: If the model is damaged.
        OutputError: If the folder cannot be written to.
    """
    (request,) = plan.requests
    check_explainable(plan.spec, request, ablate=ablate)
    if plan.settings.device.cache != NO_CACHE:
        raise UsageError(
            "Images with --cache cannot be explained: at some steps parts of the network do not "
            "run.",
            "Leave out --cache.",
        )
    if plan.settings.device.compiled:
        raise UsageError(
            "Images with --compile cannot be explained: nothing can be seen inside what is "
            "compiled.",
            "Leave out --compile.",
        )
    yield from prepare_folders(target.folder for target in plan.targets.values())
    yield ModelLoading(model=str(request.model_reference))
    from sheepgen.execution.local import LocalExecutor
    from sheepgen.explain.report import Explanation, heat_maps, steps_of
    from sheepgen.options import FrameOptions
    from sheepgen.pipeline.attention_maps import record_attention
    from sheepgen.pipeline.token_groups import token_groups

    executor = LocalExecutor(
        {request.model_reference: plan.spec},
        options=plan.settings.device,
        frames=FrameOptions(noisy=True, decoder=plan.settings.frame_decoder),
        command=plan.settings.command,
    )
    model = cast("Model", executor.load(request.model_reference, request.adapters, [request]))
    groups = token_groups(model, request)
    frames: list[FrameDecoded] = []
    finished = saved = None
    with (
        record_attention(model, [groups]) as maps,
        closing(executor.run([[request]])) as running,
        closing(save_images(_kept(running, frames, plan), plan.layout, plan.targets)) as events,
    ):
        for event in events:
            if isinstance(event, RunFinished):
                finished = event
            elif isinstance(event, ImageSaved):
                saved = event
            yield event
    if finished is None or saved is None:
        return
    ablations = None
    if ablate:
        ablations = yield from _ablate(model, finished, maps, groups)
    explanation = Explanation(
        record=finished.record,
        attention=plan.spec.family.word_attention or "cross",
        image=finished.image.convert("RGB"),
        reading=model.read_prompt(request.prompt, request.prompt_format),
        heat_maps=heat_maps(maps, groups),
        steps=steps_of(frames, maps),
        ablations=ablations,
    )
    yield _save(explanation, saved, plan)


def _kept(events: Iterable[Event], frames: list[FrameDecoded], plan: RunPlan) -> Iterator[Event]:
    """Keep all frames, small, and pass on those that are to be saved, with all other events."""
    from sheepgen.explain.pictures import STEP_SIDE

    for event in events:
        if isinstance(event, RunStarted):  # or restarted
            frames.clear()
        if isinstance(event, FrameDecoded):
            small = event.image.copy()
            small.thumbnail((STEP_SIDE, STEP_SIDE))
            frames.append(replace(event, image=small))
            if not plan.layout.frames.needed or (
                event.kind == "noisy" and not plan.layout.frames.noisy
            ):
                continue
        yield event


def _ablate(
    model: Model, original: RunFinished, maps: AttentionMaps, groups: Sequence[TokenGroup]
) -> Generator[RunEvent, None, list[Ablation]]:
    """Generate the image without each word, and compare it.

    The events of these images have the request of the original, so that progress goes on.
    """
    from sheepgen.explain.ablation import plan_ablations
    from sheepgen.explain.report import ablated
    from sheepgen.pipeline.run import stream

    ablations = []
    for planned in plan_ablations(model, original.request, groups):
        yield Notice(message=f'Generating without "{excerpt(planned.text)}".')
        with closing(stream(planned.model, planned.request)) as events:
            for event in events:
                match event:
                    case RunStarted() | StepCompleted():
                        yield replace(event, request=original.request)
                    case RunFinished():
                        image = event.image.convert("RGB")
                        compared = ablated(planned, image, original.image.convert("RGB"), maps)
                        ablations.append(compared)
                    case _:
                        pass
    return ablations


def _save(explanation: Explanation, saved: ImageSaved, plan: RunPlan) -> ImageExplained:
    """Write the page and its pictures beside the image, whole or not at all.

    Their names are free: they were when the image took its own.
    """
    from sheepgen.explain.page import render_page
    from sheepgen.explain.pictures import encode_pictures, word_pictures
    from sheepgen.explain.report import to_dict

    key = plan.targets[saved.request].key
    folder, stem = saved.path.parent, saved.path.stem
    paths = {each.name: each.path(folder, stem) for each in ARTIFACTS}
    page, pictures = paths["explanation"], paths["explanation_pictures"]
    words = word_pictures(explanation)
    text = render_page(explanation, words, key=key, name=saved.path.name)
    with output_errors(folder), staging_folder(folder) as staging:
        (staging / "pictures").mkdir()
        for name, data in encode_pictures(explanation, words, key=key):
            write_synced(staging / "pictures" / name, data)
        sync_folder(staging / "pictures")
        write_synced(staging / "page", text.encode())
        with lock_folder(folder):
            (staging / "pictures").rename(pictures)
            (staging / "page").rename(page)
            sync_folder(folder)
    return ImageExplained(
        request=saved.request, page=page, pictures=pictures, numbers=to_dict(explanation)
    )
