"""Images are made again, each from its record, and judged.

Everything is done as the record says, as far as this machine can: device, number format, threads.
Each image is made alone, whatever batch it was once part of. What goes wrong with one does not
stop the rest, and what asks for most comes last.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.errors import as_sheepgen_error
from sheepgen.metadata.image_file import read_record
from sheepgen.verify.compare import compare_sizes, judge
from sheepgen.verify.find import Unchecked
from sheepgen.verify.pixels import read_picture, read_shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sheepgen.metadata.record import ImageRecord
    from sheepgen.models.spec import ModelSpec
    from sheepgen.verify.compare import Outcome, Verdict
    from sheepgen.verify.find import Exhibit

__all__ = ["Case", "examine", "open_case"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """An image, its record, and the model that is to make it again."""

    exhibit: Exhibit
    record: ImageRecord
    spec: ModelSpec


def open_case(exhibit: Exhibit, find: Callable[[ImageRecord], ModelSpec]) -> Case | Outcome:
    """Read an image's record and find its model, or return what can be said without it.

    Args:
        exhibit: The image.
        find: Returns the model to use, or raises a `SheepgenError`.
    """
    try:
        record = read_record(exhibit.path)
        if resized := compare_sizes(exhibit, record, read_shape(exhibit.path)):
            return resized
        return Case(exhibit=exhibit, record=record, spec=find(record))
    except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
        return Unchecked(path=exhibit.path, error=as_sheepgen_error(error))


def examine(cases: Iterable[Case], *, threads: int | None = None) -> Iterator[Outcome]:
    """Make every image again and judge it.

    Args:
        cases: In any order; those with the same model, device and number format are examined
            together, so that a model is loaded once.
        threads: CPU threads to compute with in place of each record's own.
    """
    groups: defaultdict[tuple[ModelSpec, str, str], list[Case]] = defaultdict(list)
    for case in cases:
        environment = case.record.environment
        groups[case.spec, environment.device, environment.dtype].append(case)
    for group in groups.values():
        yield from _examine_group(sorted(group, key=_cost), threads)


def _cost(case: Case) -> int:
    """Return how much there is to compute, in pixels times steps."""
    request = case.record.request
    return request.width * request.height * request.num_inference_steps


def _examine_group(group: Sequence[Case], threads: int | None) -> Iterator[Outcome]:
    from sheepgen.pipeline.remake import load_as_recorded, remake

    try:
        parts = load_as_recorded(group[0].spec, group[0].record.environment)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other models go on
        for case in group:
            yield Unchecked(path=case.exhibit.path, error=as_sheepgen_error(error))
        return

    def verdict(case: Case) -> Verdict:
        picture = read_picture(case.exhibit.path)
        remade = remake(parts, case.record, threads=threads)
        return judge(case.exhibit, case.record, picture, remade)

    for case in group:
        try:
            outcome: Outcome = verdict(case)
        except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
            outcome = Unchecked(path=case.exhibit.path, error=as_sheepgen_error(error))
        yield outcome
