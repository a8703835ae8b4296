from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.errors import UsageError
from sheepgen.events import RunFinished
from sheepgen.pipeline import reproduce as reproduce_module
from sheepgen.pipeline.reproduce import load_as_recorded, processors, reproduce
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest

if TYPE_CHECKING:
    from sheepgen.pipeline.family import Model


@pytest.fixture(scope="module")
def made(tiny_parts: Model) -> RunFinished:
    request = GenerationRequest(prompt="a red sheep", seed=7, num_inference_steps=2)
    *_, finished = stream(tiny_parts, request)
    assert isinstance(finished, RunFinished)
    return finished


def test_the_same_request_gives_the_same_bits(tiny_parts: Model, made: RunFinished) -> None:
    remade = reproduce(tiny_parts, made.record, threads=None)
    assert remade.record == made.record
    assert remade.image.tobytes() == made.image.tobytes()


def test_there_is_a_processor() -> None:
    assert 1 <= processors() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("recorded", "asked", "used"),
    [(2, None, 2), (1, 3, 3), (0, None, None), (-1, None, None), (5, None, None)],
)
def test_threads_are_the_records_for_the_time_of_the_work(
    tiny_parts: Model,
    made: RunFinished,
    monkeypatch: pytest.MonkeyPatch,
    recorded: int,
    asked: int | None,
    used: int | None,
) -> None:
    monkeypatch.setattr(reproduce_module, "processors", lambda: 4)
    before = torch.get_num_threads()
    environment = replace(made.record.environment, threads=recorded)
    remade = reproduce(tiny_parts, replace(made.record, environment=environment), threads=asked)
    assert remade.record.environment.threads == (used or before)
    assert torch.get_num_threads() == before


def test_what_cannot_fit_into_memory_is_not_begun(
    tiny_parts: Model, made: RunFinished, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two layers of 32x32 pixels with 4 channels of 4 bytes are the least that the picture takes.
    monkeypatch.setattr(reproduce_module, "_memory_bytes", lambda _: 32_768)
    assert reproduce(tiny_parts, made.record, threads=None).record == made.record
    monkeypatch.setattr(reproduce_module, "_memory_bytes", lambda _: 32_767)
    with pytest.raises(UsageError, match=r"32x32 pixels need at least 32\.8 kB of memory"):
        reproduce(tiny_parts, made.record, threads=None)


@pytest.mark.parametrize(
    ("device", "dtype", "loaded"),
    [
        ("cpu", "fp32", ("cpu", "fp32")),
        ("cpu", "bf16", ("cpu", "bf16")),
        ("cpu", "fp16", ("cpu", "auto")),
        ("cpu", "\x1b[2J", ("cpu", "auto")),
        ("cuda:1", "fp16", ("cuda:1", "fp16")),
        ("cuda:9", "fp16", ("cuda:0", "fp16")),
        ("mps", "fp32", ("auto", "fp32")),
        ("abacus:0", "fp32", ("auto", "fp32")),
    ],
)
def test_the_model_is_loaded_as_recorded_where_that_can_be(
    tiny_parts: Model,
    made: RunFinished,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    dtype: str,
    loaded: tuple[str, str],
) -> None:
    asked = []

    def load(
        _: object,
        *,
        device: str,
        dtype: str,
        adapters: object,
        attention_backend: str,
        cache: str,
        compiled: bool,
    ) -> Model:
        assert not adapters
        assert (attention_backend, cache, compiled) == ("native", "none", False)
        asked.append((device, dtype))
        return tiny_parts

    monkeypatch.setattr(reproduce_module, "available_devices", lambda: ("cuda:0", "cuda:1", "cpu"))
    monkeypatch.setattr(reproduce_module, "resolve_device", torch.device)
    monkeypatch.setattr(reproduce_module, "load_model", load)
    environment = replace(made.record.environment, device=device, dtype=dtype)
    load_as_recorded(tiny_parts.spec, replace(made.record, environment=environment))
    assert asked == [loaded]
