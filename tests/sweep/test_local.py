from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sheepgen.catalog import find_model
from sheepgen.events import RunFailed, RunFinished
from sheepgen.pipeline import conditioning, loading
from sheepgen.pipeline.stream import generate
from sheepgen.sweep import local
from sheepgen.sweep.local import LocalExecutor
from tests.sweep.conformance import ExecutorConformance, pictures
from tests.tiny import save_tiny_model

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, NoReturn

    from sheepgen.pipeline.parts import PipelineParts
    from sheepgen.request import GenerationRequest


@pytest.fixture
def model(tiny_folder: Path) -> str:
    return str(tiny_folder)


@pytest.fixture
def executor(model: str) -> LocalExecutor:
    return LocalExecutor({model: find_model(model)}, device="cpu", dtype="fp32")


class TestConformance(ExecutorConformance):
    def test_pictures_are_those_of_the_pipeline(
        self,
        executor: LocalExecutor,
        requests: list[GenerationRequest],
        tiny_parts: PipelineParts,
    ) -> None:
        expected = {request: generate(tiny_parts, request).tobytes() for request in requests}
        assert pictures(executor.run(iter(requests))) == expected

    def test_models_come_one_after_the_other(
        self,
        model: str,
        requests: list[GenerationRequest],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        other = str(save_tiny_model(tmp_path / "other", seed=1))
        loaded: list[str] = []

        def load(spec: Any, **settings: Any) -> PipelineParts:
            loaded.append(spec.name)
            return load_pipeline(spec, **settings)

        load_pipeline = loading.load_pipeline
        monkeypatch.setattr(local, "load_pipeline", load)
        executor = LocalExecutor({name: find_model(name) for name in (model, other)})
        changed = [replace(request, model=other) for request in requests]
        drawn = pictures(executor.run([*requests, *changed]))
        assert loaded == [model, other]
        assert len(set(drawn.values())) == 6

    def test_each_prompt_is_encoded_once(
        self,
        executor: LocalExecutor,
        requests: list[GenerationRequest],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        encoded: list[tuple[str, str | None]] = []

        def encode(parts: PipelineParts, prompt: str, negative_prompt: str | None) -> Any:
            encoded.append((prompt, negative_prompt))
            return encode_prompt(parts, prompt, negative_prompt)

        encode_prompt = conditioning.encode_prompt
        monkeypatch.setattr(local, "encode_prompt", encode)
        goats = [replace(request, prompt="a goat") for request in requests]
        list(executor.run([*requests, *goats]))
        assert encoded == [("a red sheep", ""), ("a goat", "")]

    def test_unexpected_errors_are_told_as_they_are(
        self,
        executor: LocalExecutor,
        requests: list[GenerationRequest],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def broken(*_: object, **__: object) -> NoReturn:
            raise MemoryError("all of it")

        with monkeypatch.context() as patched:
            patched.setattr(local, "stream", broken)
            (failed,) = executor.run(requests[:1])
        assert isinstance(failed, RunFailed)
        assert isinstance(failed.error, MemoryError)
        assert isinstance([*executor.run(requests[:1])][-1], RunFinished)
