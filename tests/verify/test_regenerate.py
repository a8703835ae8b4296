from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from sheepgen.events import RunFinished
from sheepgen.metadata.image_file import encode_image
from sheepgen.pipeline import reproduce
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from sheepgen.verify import recorded_model
from sheepgen.verify.compare import Comparison
from sheepgen.verify.find import Candidate, NotVerified
from sheepgen.verify.recorded_model import HashingModel
from sheepgen.verify.regenerate import (
    Regenerating,
    VerificationTask,
    regenerate,
    stream_verification,
    verify_images,
)
from tests.samples import sample_image, sample_record

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.metadata.record import ImageRecord
    from sheepgen.pipeline.family import Model


def made_by(parts: Model) -> RunFinished:
    *_, made = stream(
        parts,
        GenerationRequest(
            prompt="a red sheep", seed=7, num_inference_steps=1, model=parts.spec.name
        ),
    )
    assert isinstance(made, RunFinished)
    return made


def test_an_image_needs_a_record_and_a_model(tmp_path: Path, tiny_parts: Model) -> None:
    path = tmp_path / "x.png"
    (missing,) = verify_images([path])
    assert isinstance(missing, NotVerified)
    assert missing.error.message == f"No such file: {path}."
    path.write_bytes(encode_image(sample_image(), sample_record(width=8, model="gone"), ".png"))
    (resized,) = verify_images([path])
    assert isinstance(resized, Comparison)
    assert resized.sizes == ((32, 24), (8, 24))
    path.write_bytes(encode_image(sample_image(), sample_record(model="gone"), ".png"))
    (refused,) = verify_images([path])
    assert isinstance(refused, NotVerified)
    assert "a model that is not here" in refused.error.message
    assert (refused.verdict, refused.is_confirmed) == ("unchecked", False)
    made = made_by(tiny_parts)
    path.write_bytes(encode_image(made.image, made.record, ".png"))
    (equal,) = verify_images([str(path)])
    assert (equal.path, equal.verdict, equal.is_confirmed) == (path, "equal", True)


def test_what_takes_time_is_an_event_before_it(tmp_path: Path, tiny_parts: Model) -> None:
    made = made_by(tiny_parts)
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(encode_image(made.image, made.record, ".png"))
    hashing, missing, *events = stream_verification([tmp_path, tmp_path / "lost.png"])
    assert hashing == HashingModel(name=tiny_parts.spec.name)
    assert isinstance(missing, NotVerified)
    assert events[0] == Regenerating(number=2, total=3)
    assert isinstance(events[1], Comparison)
    assert events[2] == Regenerating(number=3, total=3)
    assert isinstance(events[3], Comparison)
    assert len(events) == 4


def test_images_are_grouped_by_model_and_none_stops_another(
    tmp_path: Path, tiny_parts: Model
) -> None:
    made = made_by(tiny_parts)
    path = tmp_path / "x.png"
    path.write_bytes(encode_image(made.image, made.record, ".png"))
    checkpoint = replace(tiny_parts.spec.checkpoint, folder=tmp_path / "nowhere")
    nowhere = replace(tiny_parts.spec, checkpoint=checkpoint, sha256="0" * 64)
    whole = VerificationTask(
        candidate=Candidate(path=path), record=made.record, spec=tiny_parts.spec
    )
    lost = replace(whole, candidate=Candidate(path=tmp_path / "lost.png"))
    without_model = replace(whole, spec=nowhere)

    outcomes = list(regenerate([whole, without_model, lost, without_model, whole]))

    comparisons = [isinstance(each, Comparison) and each.equal for each in outcomes]
    assert comparisons == [True, False, True, False, False]
    assert [each.path.name for each in outcomes] == ["x.png", "lost.png", "x.png", "x.png", "x.png"]
    assert isinstance(outcomes[3], NotVerified)
    assert "nowhere" in outcomes[3].error.message


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread")])
def test_whatever_goes_wrong_with_one_image_is_its_own_outcome(
    tmp_path: Path,
    tiny_parts: Model,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    made = made_by(tiny_parts)
    path = tmp_path / "x.png"
    path.write_bytes(encode_image(made.image, made.record, ".png"))
    greedy = replace(made.record, request=replace(made.request, num_inference_steps=1000))
    whole = VerificationTask(
        candidate=Candidate(path=path), record=made.record, spec=tiny_parts.spec
    )
    real = reproduce.reproduce

    def fail_for_many_steps(parts: Model, record: ImageRecord, **settings: Any) -> Any:
        if record.request.num_inference_steps == 1000:
            raise error
        return real(parts, record, **settings)

    monkeypatch.setattr(reproduce, "reproduce", fail_for_many_steps)
    # What asks for most comes last, and keeps no other image waiting.
    first, last = regenerate([replace(whole, record=greedy), whole])
    assert isinstance(first, Comparison)
    assert first.equal
    assert isinstance(last, NotVerified)

    def give_up(*_: Any, **__: Any) -> NoReturn:
        raise error

    monkeypatch.setattr(recorded_model, "find_model", give_up)
    (outcome,) = verify_images([path])
    assert isinstance(outcome, NotVerified)


@pytest.mark.parametrize("threads", [None, 2])
def test_threads_may_be_chosen(tmp_path: Path, tiny_parts: Model, threads: int | None) -> None:
    made = made_by(tiny_parts)
    path = tmp_path / "x.png"
    path.write_bytes(encode_image(made.image, made.record, ".png"))
    task = VerificationTask(
        candidate=Candidate(path=path), record=made.record, spec=tiny_parts.spec
    )
    (comparison,) = regenerate([task], threads=threads)
    assert isinstance(comparison, Comparison)
    own = made.record.environment.threads
    assert comparison.environment == ({} if threads in (None, own) else {"threads": (own, threads)})
