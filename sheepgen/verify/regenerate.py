"""Regenerate images from their records, and compare each with its file.

Everything is done as the record says, as far as this machine can: device, dtype, threads. Each
image is generated alone, whatever batch it was once part of. A failure does not stop the others,
and the most expensive images come last.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sheepgen.errors import SheepgenError, as_sheepgen_error
from sheepgen.metadata.image_file import read_record
from sheepgen.verify.compare import Comparison, compare, compare_sizes
from sheepgen.verify.find import Candidate, NotVerified, find_candidates
from sheepgen.verify.pixels import read_picture, read_shape
from sheepgen.verify.recorded_adapters import fetch_recorded_adapters
from sheepgen.verify.recorded_inputs import find_inputs
from sheepgen.verify.recorded_model import ModelFinder

if TYPE_CHECKING:
    from collections.abc import Generator, Hashable, Iterable, Iterator, Sequence
    from pathlib import Path

    from sheepgen.metadata.record import ImageRecord
    from sheepgen.models.spec import ModelSpec
    from sheepgen.verify.compare import Outcome
    from sheepgen.verify.recorded_model import ModelEvent

__all__ = ["Regenerating", "VerificationTask", "regenerate", "stream_verification", "verify_images"]


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationTask:
    """An image, its record, and the model to regenerate it with."""

    candidate: Candidate
    record: ImageRecord
    spec: ModelSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class Regenerating:
    """An image is about to be generated: ``number``, from 1, of ``total`` images."""

    number: int
    total: int


def verify_images(
    paths: Iterable[Path | str],
    *,
    model: str | None = None,
    fetch: bool = False,
    threads: int | None = None,
    offline: bool = False,
) -> Iterator[Outcome]:
    """Regenerate images from their records, and yield how each compares with its file.

    Args:
        paths: Images, folders of images, and manifests of sweeps and batches.
        model: Name of the model to use for all images. If omitted, each record's own is used, if
            it is installed, in the cache at the recorded commit, or a folder with the recorded
            weights.
        fetch: Download a recorded model, and what was added to it, if it is not in the cache.
        threads: CPU threads. If omitted, each record's number, if there are as many processors.
        offline: Do not use the network.

    Yields:
        A `Comparison` or `NotVerified` for each image, as soon as it is known. Images of the same
        model, device and dtype come together. What is wrong with an image is its outcome; nothing
        is raised.
    """
    events = stream_verification(paths, model=model, fetch=fetch, threads=threads, offline=offline)
    return (event for event in events if isinstance(event, Comparison | NotVerified))


def stream_verification(
    paths: Iterable[Path | str],
    *,
    model: str | None = None,
    fetch: bool = False,
    threads: int | None = None,
    offline: bool = False,
) -> Generator[Outcome | Regenerating | ModelEvent]:
    """Yield what `verify_images` does, and before each step that takes time what it is.

    A `DownloadPlan` is followed by the `DownloadProgress` of its download.
    """
    candidates = find_candidates(paths)
    models = ModelFinder(model, fetch=fetch, offline=offline)
    tasks: list[VerificationTask] = []
    for candidate in candidates:
        found = yield from _open(candidate, models)
        if isinstance(found, VerificationTask):
            tasks.append(found)
        else:
            yield found
    total = len(candidates)
    outcomes = regenerate(tasks, threads=threads)
    for number in range(total - len(tasks) + 1, total + 1):
        yield Regenerating(number=number, total=total)
        yield next(outcomes)


def _open(
    candidate: Candidate | NotVerified, models: ModelFinder
) -> Generator[ModelEvent, None, VerificationTask | Outcome]:
    """Read an image's record and find its model, or return what can be said without it."""
    if isinstance(candidate, NotVerified):
        return candidate
    try:
        record = read_record(candidate.path)
        shape = read_shape(candidate.path)
        if resized := compare_sizes(candidate, record, shape):
            return resized
        spec = yield from models.find(record)
        if isinstance(spec, SheepgenError):
            return NotVerified(path=candidate.path, error=spec)
        record = replace(record, request=find_inputs(record.request, candidate.path.parent))
        yield from fetch_recorded_adapters(
            record.request, fetch=models.fetch, offline=models.offline
        )
        resolved = spec.resolve(record.request)  # what is added to the model is here, too
        # The size of a second pass follows from the model, whatever the record says it is.
        if resized := compare_sizes(candidate, replace(record, request=resolved), shape):
            return resized
        return VerificationTask(candidate=candidate, record=record, spec=spec)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other images go on
        return NotVerified(path=candidate.path, error=as_sheepgen_error(error))


def regenerate(
    tasks: Iterable[VerificationTask], *, threads: int | None = None
) -> Iterator[Outcome]:
    """Generate every image again and compare it.

    Args:
        tasks: In any order; those with the same model, device, dtype, attention backend, cache
            and --compile are done together, so that each model is loaded once.
        threads: CPU threads, in place of each record's own.
    """
    groups: defaultdict[Hashable, list[VerificationTask]] = defaultdict(list)
    for task in tasks:
        environment, adapters = task.record.environment, task.record.request.adapters
        loaded = (environment.device, environment.dtype)
        settings = (environment.attention_backend, environment.cache, environment.compiled)
        groups[task.spec, adapters, *loaded, *settings].append(task)
    for group in groups.values():
        yield from _regenerate_group(sorted(group, key=_cost), threads)


def _cost(task: VerificationTask) -> int:
    """Return how much there is to compute, in pixels times steps."""
    return sum(each.width * each.height * each.steps for each in task.record.request.passes)


def _regenerate_group(group: Sequence[VerificationTask], threads: int | None) -> Iterator[Outcome]:
    from sheepgen.pipeline.reproduce import load_as_recorded, reproduce

    try:
        model = load_as_recorded(group[0].spec, group[0].record)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other models go on
        for task in group:
            yield NotVerified(path=task.candidate.path, error=as_sheepgen_error(error))
        return
    for task in group:
        try:
            picture = read_picture(task.candidate.path)
            regenerated = reproduce(model, task.record, threads=threads)
            outcome: Outcome = compare(task.candidate, task.record, picture, regenerated)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other images go on
            outcome = NotVerified(path=task.candidate.path, error=as_sheepgen_error(error))
        yield outcome
