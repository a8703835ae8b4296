from __future__ import annotations

import io
from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import pytest

from sheepgen.errors import SheepgenError, UsageError
from sheepgen.models.families import FAMILIES
from sheepgen.models.resolve import find_model
from sheepgen.models.staged_families import PARTS
from sheepgen.worker.messages import (
    BatchSize,
    Call,
    Checkpoints,
    Generate,
    Returned,
    read_answer,
    read_message,
    to_bytes,
)
from sheepgen.worker.session import portable
from sheepgen.worker.tasks import Task, Tasks
from tests.samples import sample_record, sample_request

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.worker.session import Session


def reader(data: bytes) -> Any:
    return io.BufferedReader(io.BytesIO(data))


def sent(value: object) -> Any:
    stream = reader(to_bytes(Returned(value=value)))
    return read_answer(stream).value


def asked(value: object, checkpoints: Checkpoints) -> Any:
    message = Call(function=abs, args=(value,), kwargs={})
    stream = reader(to_bytes(message))
    return read_message(stream, checkpoints).args[0]


@pytest.mark.parametrize("family", [*FAMILIES, *PARTS], ids=lambda family: family.name)
def test_families_are_the_tables_own(family: object) -> None:
    assert sent(family) is family


def test_what_is_sent_is_the_same() -> None:
    for value in (sample_request(), sample_record(), MappingProxyType({"none": 3})):
        assert sent(value) == value


def test_a_model_is_the_same_until_its_files_change(model_copy: Path) -> None:
    checkpoints = Checkpoints()
    first = asked(find_model(str(model_copy)), checkpoints)
    again = asked(find_model(str(model_copy)), checkpoints)
    assert first == again
    assert first.checkpoint is again.checkpoint
    (model_copy / "tokenizer" / "merges.txt").touch()
    assert asked(find_model(str(model_copy)), checkpoints).checkpoint is not first.checkpoint


class _StrangeError(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} {two}")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (UsageError("No.", "Do."), UsageError, "No."),
        (RuntimeError("broken"), RuntimeError, "broken"),
        (_StrangeError(1, 2), SheepgenError, "Unexpected _StrangeError: 1 2"),
    ],
)
def test_errors_keep_what_they_say(error: Exception, kind: type, message: str) -> None:
    received = sent(portable(error))
    assert (type(received), str(received)) == (kind, message)
    if isinstance(error, SheepgenError):
        assert received.hint == error.hint
    assert received.__notes__[0].startswith("In the worker:\n")


def test_questions_come_first_and_batches_in_turn() -> None:
    tasks = Tasks()
    request = sample_request()
    batch = Generate(batch=[request], specs={})
    put = [
        Task(cast("Session", "one"), batch),
        Task(cast("Session", "two"), batch),
        Task(cast("Session", "one"), BatchSize(request=request, specs={})),
    ]
    assert tasks.next_question() is None
    deque(map(tasks.put, put), maxlen=0)
    assert len(tasks) == 3
    assert tasks.next_question() is put[2]
    assert tasks.next_question() is None
    tasks.put(put[2])
    assert [tasks.next() for _ in put] == [put[2], put[0], put[1]]
    tasks.close()
    assert tasks.next() is None
