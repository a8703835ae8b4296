from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from sheepgen.errors import ModelError
from sheepgen.events import RunFinished
from sheepgen.metadata.image_file import encode_image
from sheepgen.pipeline import remake
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from sheepgen.verify.compare import Verdict
from sheepgen.verify.find import Exhibit, Unchecked
from sheepgen.verify.regenerate import Case, examine, open_case
from tests.samples import sample_image, sample_record

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.metadata.record import ImageRecord
    from sheepgen.pipeline.parts import PipelineParts


def refuse(_: ImageRecord) -> NoReturn:
    raise ModelError("Gone.")


def test_a_case_needs_a_record_and_a_model(tmp_path: Path, tiny_parts: PipelineParts) -> None:
    exhibit = Exhibit(path=tmp_path / "x.png")
    assert isinstance(open_case(exhibit, lambda _: tiny_parts.spec), Unchecked)
    exhibit.path.write_bytes(encode_image(sample_image(), sample_record(width=8), ".png"))
    resized = open_case(exhibit, refuse)
    assert isinstance(resized, Verdict)
    assert resized.sizes == ((32, 24), (8, 24))
    exhibit.path.write_bytes(encode_image(sample_image(), sample_record(), ".png"))
    assert open_case(exhibit, lambda _: tiny_parts.spec) == Case(
        exhibit=exhibit, record=sample_record(), spec=tiny_parts.spec
    )
    refused = open_case(exhibit, refuse)
    assert isinstance(refused, Unchecked)
    assert refused.error.message == "Gone."


def test_images_are_grouped_by_model_and_none_stops_another(
    tmp_path: Path, tiny_parts: PipelineParts
) -> None:
    *_, made = stream(
        tiny_parts, GenerationRequest(prompt="a red sheep", seed=7, num_inference_steps=1)
    )
    assert isinstance(made, RunFinished)
    path = tmp_path / "x.png"
    path.write_bytes(encode_image(made.image, made.record, ".png"))
    nowhere = replace(tiny_parts.spec, folder=tmp_path / "nowhere")
    whole = Case(exhibit=Exhibit(path=path), record=made.record, spec=tiny_parts.spec)
    lost = replace(whole, exhibit=Exhibit(path=tmp_path / "lost.png"))
    without_model = replace(whole, spec=nowhere)

    outcomes = list(examine([whole, without_model, lost, without_model, whole]))

    verdicts = [isinstance(each, Verdict) and each.equal for each in outcomes]
    assert verdicts == [True, False, True, False, False]
    assert [each.path.name for each in outcomes] == ["x.png", "lost.png", "x.png", "x.png", "x.png"]
    assert isinstance(outcomes[3], Unchecked)
    assert "nowhere" in outcomes[3].error.message


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread")])
def test_whatever_goes_wrong_with_one_image_is_its_own_outcome(
    tmp_path: Path,
    tiny_parts: PipelineParts,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    *_, made = stream(
        tiny_parts, GenerationRequest(prompt="a red sheep", seed=7, num_inference_steps=1)
    )
    assert isinstance(made, RunFinished)
    path = tmp_path / "x.png"
    path.write_bytes(encode_image(made.image, made.record, ".png"))
    greedy = replace(made.record, request=replace(made.request, num_inference_steps=1000))
    whole = Case(exhibit=Exhibit(path=path), record=made.record, spec=tiny_parts.spec)
    real = remake.remake

    def fail_for_many_steps(parts: PipelineParts, record: ImageRecord, **settings: Any) -> Any:
        if record.request.num_inference_steps == 1000:
            raise error
        return real(parts, record, **settings)

    monkeypatch.setattr(remake, "remake", fail_for_many_steps)
    # What asks for most comes last, and keeps no other image waiting.
    first, last = examine([replace(whole, record=greedy), whole])
    assert isinstance(first, Verdict)
    assert first.equal
    assert isinstance(last, Unchecked)

    def give_up(_: ImageRecord) -> NoReturn:
        raise error

    assert isinstance(open_case(Exhibit(path=path), give_up), Unchecked)


@pytest.mark.parametrize("threads", [None, 2])
def test_threads_may_be_chosen(
    tmp_path: Path, tiny_parts: PipelineParts, threads: int | None
) -> None:
    request = GenerationRequest(prompt="a red sheep", seed=7, num_inference_steps=1)
    *_, made = stream(tiny_parts, request)
    assert isinstance(made, RunFinished)
    path = tmp_path / "x.png"
    path.write_bytes(encode_image(made.image, made.record, ".png"))
    case = Case(exhibit=Exhibit(path=path), record=made.record, spec=tiny_parts.spec)
    (verdict,) = examine([case], threads=threads)
    assert isinstance(verdict, Verdict)
    own = made.record.environment.threads
    assert verdict.environment == ({} if threads in (None, own) else {"threads": (own, threads)})
