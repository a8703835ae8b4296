"""How a model fits on a graphics card, which there need not be one to decide."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from sheepgen.execution import checks, device_memory, local, model_slot
from sheepgen.execution.checks import offload_warnings
from sheepgen.execution.device_memory import DeviceMemory
from sheepgen.execution.local import LocalExecutor
from sheepgen.models.memory import RESERVE, plan_memory
from sheepgen.models.resolve import find_model
from sheepgen.options import OFFLOADS, DeviceOptions
from sheepgen.pipeline import device
from sheepgen.pipeline.loading import load_model
from sheepgen.request import GenerationRequest, ModelReference

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import LoadedModel

OPTIONS = DeviceOptions(device="cuda:0", dtype="fp32")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], None]:
    """Return a function that gives this machine a graphics card with so much free memory."""

    def insert(free: int | None) -> None:
        for module in (device_memory, device):
            monkeypatch.setattr(module, "resolve_device", torch.device)
        monkeypatch.setattr(device_memory, "free_memory", lambda _: free)

    return insert


@pytest.fixture
def spec(tiny_folder: Path) -> ModelSpec:
    return find_model(str(tiny_folder))


def test_the_fastest_way_that_fits_is_chosen(
    spec: ModelSpec, card: Callable[[int | None], None]
) -> None:
    for offload, needed in plan_memory(spec, (32, 32), "fp32").needed.items():
        card(needed + RESERVE)
        planned = DeviceMemory(OPTIONS).plan(spec)
        assert planned.offload == offload
        assert (planned.device, planned.dtype) == ("cuda:0", "fp32")
        assert planned.free_bytes == needed + RESERVE
        asked = [
            DeviceMemory(replace(OPTIONS, offload=each)).plan(spec).offload for each in OFFLOADS
        ]
        assert asked == [*OFFLOADS], "what is asked for is done"
    card(None)
    assert DeviceMemory(OPTIONS).plan(spec).offload == "none"


def test_without_its_package_layers_stay_together(
    spec: ModelSpec, card: Callable[[int | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    card(0)
    assert DeviceMemory(OPTIONS).plan(spec).offload == "group"
    monkeypatch.setattr(device_memory, "has_group_offload", lambda: False)
    assert DeviceMemory(OPTIONS).plan(spec).offload == "model"


def test_the_cpu_and_small_models_are_not_offloaded(
    spec: ModelSpec, card: Callable[[int | None], None]
) -> None:
    asked = replace(OPTIONS, offload="model")
    on_cpu = replace(asked, device="cpu")
    assert DeviceMemory(on_cpu).plan(spec).offload == "none"
    assert [*offload_warnings([spec], on_cpu)] == ["Warning: offload has no effect on the CPU."]
    card(0)
    small = find_model("sheepgen")
    assert DeviceMemory(asked).plan(small).offload == "none"
    assert [*offload_warnings([spec, small], asked)] == [
        "Warning: offload has no effect with sheepgen: it is small."
    ]
    assert [*offload_warnings([small], OPTIONS)] == []
    request = small.resolve(GenerationRequest(prompt="a sheep", seed=1))
    planned = checks.plan_memory([request], {ModelReference("sheepgen"): small}, asked)
    assert planned is not None
    assert planned.offload == "none"


def test_a_model_is_loaded_anew_if_larger_images_need_its_room(
    spec: ModelSpec, card: Callable[[int | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def load(spec: Any, *, offload: str, **_: Any) -> LoadedModel:
        loaded.append(offload)
        return load_model(spec, device="cpu")

    monkeypatch.setattr(model_slot, "load_model", load)
    monkeypatch.setattr(local, "record_image", lambda *_, **__: None)
    card(plan_memory(spec, (32, 32), "fp32", guided=False).needed["none"] + RESERVE)
    small = spec.resolve(
        GenerationRequest(
            prompt="a sheep", seed=1, model=spec.name, num_inference_steps=1, guidance_scale=1.0
        )
    )
    large = replace(small, width=64)
    executor = LocalExecutor({ModelReference(spec.name): spec}, OPTIONS)
    events = executor.run([[each] for each in (small, replace(small, seed=2), large, small)])
    assert sum(type(event).__name__ == "RunFinished" for event in events) == 4
    assert len(loaded) == 2
    assert loaded[0] == "none" != loaded[1]
