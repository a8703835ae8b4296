from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPTextModel

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError, NonFiniteError
from sheepgen.events import RunFailed, RunFinished, RunStarted, StepCompleted
from sheepgen.execution import local, model_slot
from sheepgen.execution.executor import in_batches
from sheepgen.execution.local import LocalExecutor
from sheepgen.models.resolve import find_model
from sheepgen.options import DeviceOptions
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import generate, stream_batch
from sheepgen.request import GenerationRequest, ModelReference
from tests.execution.conformance import ExecutorConformance, alone, pictures
from tests.lora import LAYERS, save_lora
from tests.samples import sample_request
from tests.tiny import TEXT_WIDTH, assert_same_weights, save_tiny_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

    from sheepgen.events import Event
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import LoadedModel
    from sheepgen.resolved_request import ResolvedRequest

ON_CPU = DeviceOptions(device="cpu", dtype="fp32")


@pytest.fixture
def model(tiny_folder: Path) -> str:
    return str(tiny_folder)


@pytest.fixture(params=[1, 2])
def executor(model: str, request: pytest.FixtureRequest) -> LocalExecutor:
    options = replace(ON_CPU, batch_size=request.param)
    return LocalExecutor({ModelReference(model): find_model(model)}, options)


class TestConformance(ExecutorConformance):
    def test_pictures_are_those_of_the_pipeline(
        self,
        executor: LocalExecutor,
        requests: list[ResolvedRequest],
        tiny_parts: LoadedModel,
    ) -> None:
        expected = {request: generate(tiny_parts, request).tobytes() for request in requests}
        assert pictures(executor.run(alone(requests))) == expected

    def test_models_come_one_after_the_other(
        self,
        model: str,
        requests: list[ResolvedRequest],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        other = str(save_tiny_model(tmp_path / "other", seed=1))
        loaded: list[str] = []

        def load(spec: Any, **settings: Any) -> LoadedModel:
            loaded.append(spec.name)
            return load_model(spec, **settings)

        monkeypatch.setattr(model_slot, "load_model", load)
        executor = LocalExecutor(
            {ModelReference(name): find_model(name) for name in (model, other)}, ON_CPU
        )
        changed = [replace(request, model=other) for request in requests]
        drawn = pictures(executor.run(alone([*requests, *changed])))
        assert loaded == [model, other]
        assert len(set(drawn.values())) == 6

    def test_each_prompt_is_encoded_once(
        self,
        executor: LocalExecutor,
        requests: list[ResolvedRequest],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        encoded: list[int] = []
        forward = CLIPTextModel.forward

        def counted(*arguments: Any, **settings: Any) -> Any:
            encoded.append(len(arguments))
            return forward(*arguments, **settings)

        monkeypatch.setattr(CLIPTextModel, "forward", counted)
        goats = [replace(request, prompt="a goat") for request in requests]
        list(executor.run(alone([*requests, *goats])))
        assert len(encoded) == 3, "the prompts, and the negative prompt that they share"

    def test_unexpected_errors_are_told_as_they_are(
        self,
        executor: LocalExecutor,
        requests: list[ResolvedRequest],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def broken(*_: object, **__: object) -> NoReturn:
            raise LookupError("all of it")

        with monkeypatch.context() as patched:
            patched.setattr(local, "stream_batch", broken)
            (failed,) = executor.run([requests[:1]])
        assert isinstance(failed, RunFailed)
        assert isinstance(failed.error, LookupError)
        assert isinstance([*executor.run([requests[:1]])][-1], RunFinished)

    def test_one_that_fails_in_a_batch_fails_alone(
        self,
        executor: LocalExecutor,
        requests: list[ResolvedRequest],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def sensitive(
            parts: LoadedModel, batch: list[ResolvedRequest], *_: Any, **__: Any
        ) -> Iterator[Event]:
            for event in stream_batch(parts, batch):
                yield event
                if requests[1] in batch and isinstance(event, StepCompleted):
                    raise NonFiniteError("NaN.")

        monkeypatch.setattr(local, "stream_batch", sensitive)
        events = list(executor.run([requests]))
        outcomes = {
            event.request: type(event)
            for event in events
            if isinstance(event, RunFailed | RunFinished)
        }
        assert outcomes == {
            requests[0]: RunFinished,
            requests[1]: RunFailed,
            requests[2]: RunFinished,
        }
        begun = [event.request for event in events if isinstance(event, RunStarted)]
        alone = executor.batch_size(requests[0]) == 1
        expected = [2, 2, 2] if alone else [3, 3, 2]
        assert [begun.count(request) for request in requests] == expected

    def test_what_is_finished_in_a_batch_stays_finished(
        self,
        executor: LocalExecutor,
        requests: list[ResolvedRequest],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def breaking(parts: LoadedModel, batch: list[ResolvedRequest], *_: Any, **__: Any):  # type: ignore[no-untyped-def]  # noqa: ANN202
            for event in stream_batch(parts, batch):
                yield event
                if len(batch) > 1 and isinstance(event, RunFinished):
                    raise OSError("the last of it")

        monkeypatch.setattr(local, "stream_batch", breaking)
        finished = [
            event.request.seed
            for event in executor.run([requests])
            if isinstance(event, RunFinished)
        ]
        assert finished == [5, 3, 8]

    @pytest.mark.parametrize(
        ("images", "room", "tried"),
        [
            (4, 2, [4, 2, 2]),
            (5, 2, [5, 2, 2, 1]),
            (9, 2, [9, 4, 2, 2, 2, 2, 1]),
            (3, 1, [3, 1, 1, 1]),
        ],
    )
    def test_a_batch_that_memory_is_too_small_for_is_made_in_parts(
        self, model: str, monkeypatch: pytest.MonkeyPatch, images: int, room: int, tried: list[int]
    ) -> None:
        sizes: list[int] = []

        def hungry(parts: LoadedModel, batch: list[ResolvedRequest], *_: Any, **__: Any):  # type: ignore[no-untyped-def]  # noqa: ANN202
            sizes.append(len(batch))
            if len(batch) > room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return stream_batch(parts, batch)

        monkeypatch.setattr(local, "stream_batch", hungry)
        executor = LocalExecutor(
            {ModelReference(model): find_model(model)}, replace(ON_CPU, batch_size=16)
        )
        first = sample_request(model=model, width=32, height=32, num_inference_steps=1)
        requests = [replace(first, seed=seed) for seed in range(images)]
        again = [replace(first, seed=100 + seed) for seed in range(images)]
        assert len(pictures(executor.run([requests]))) == images
        assert sizes == tried
        assert executor.batch_size(first) == room
        assert executor.batch_size(replace(first, width=64)) == max(1, room // 2)
        sizes.clear()
        assert len(pictures(executor.run(in_batches(again, executor)))) == images
        assert max(sizes) == room, "what was too much once is not tried again"

    def test_a_model_that_cannot_be_loaded_is_tried_once_a_batch(
        self,
        executor: LocalExecutor,
        requests: list[ResolvedRequest],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        tries: list[str] = []

        def broken(spec: ModelSpec, **_: object) -> NoReturn:
            tries.append(spec.name)
            raise ModelError("It is damaged.")

        monkeypatch.setattr(model_slot, "load_model", broken)
        events = list(executor.run([requests]))
        assert [type(event) for event in events] == [RunFailed] * 3
        assert {event.request for event in events} == set(requests)
        assert len(tries) == 1

    @pytest.mark.parametrize(("side", "together"), [(32, 64), (128, 16), (512, 1), (1024, 1)])
    def test_how_many_pay_on_a_processor(self, model: str, side: int, together: int) -> None:
        executor = LocalExecutor({}, DeviceOptions(device="cpu", batch_size=None))
        request = sample_request(model=model, width=side, height=side)
        assert executor.batch_size(request) == together


def test_models_whose_loras_vary_are_those_that_are_loaded_anew(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ink, dots = (str(tmp_path / f"{name}.safetensors") for name in ("ink", "dots"))
    save_lora(Path(model), Path(ink))
    save_lora(Path(model), Path(dots), layers=LAYERS[2:], seed=6)
    save_file({"emb_params": torch.ones(1, TEXT_WIDTH)}, tmp_path / "fuzzy.safetensors")
    embedding = str(tmp_path / "fuzzy.safetensors")
    loaded: list[str] = []

    def load(spec: Any, *, adapters: Adapters, **settings: Any) -> LoadedModel:
        loaded.append(adapters.lora)
        return load_model(spec, adapters=adapters, **settings)

    monkeypatch.setattr(model_slot, "load_model", load)
    reference = ModelReference(model)
    executor = LocalExecutor({reference: find_model(model)}, ON_CPU)
    shared = GenerationRequest(
        prompt="a fuzzy sheep", seed=1, num_inference_steps=1, model=model, embedding=embedding
    )
    for lora in (f"{ink}:0.4", f"{ink}:0.8", "", f"{dots},{ink}:-1", dots, f"{ink}:0.4"):
        adapters = Adapters(lora=lora, embedding=embedding)
        found: Any = executor.load(reference, adapters)
        fresh: Any = load_model(model, device="cpu", dtype="fp32", adapters=adapters)
        for name in ("unet", "text_encoder", "vae"):
            assert_same_weights(getattr(found, name), getattr(fresh, name))
        # Prompts that were encoded with other weights are not taken from memory.
        request = fresh.spec.resolve(replace(shared, lora=lora))
        assert pictures(executor.run([[request]])) == {request: generate(fresh, request).tobytes()}
    assert loaded == [f"{ink}:0.4", ""]
