"""Which models a worker keeps, and which go for the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sheepgen.adapters import Adapters
from sheepgen.models.resolve import find_model
from sheepgen.options import DeviceOptions
from sheepgen.worker import models
from sheepgen.worker.models import KeptModels
from tests.lora import save_lora
from tests.tiny import save_tiny_model

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import LoadedModel

ON_CPU = DeviceOptions(device="cpu", dtype="fp32")


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> list[ModelSpec]:
    folder = tmp_path_factory.mktemp("models")
    return [find_model(str(save_tiny_model(folder / str(seed), seed=seed))) for seed in range(3)]


def load(kept: KeptModels, spec: ModelSpec, options: DeviceOptions = ON_CPU) -> LoadedModel:
    needed = kept.memory(options).plan(spec)
    return kept.load(spec, Adapters(), options, needed)


def test_a_model_is_loaded_once(specs: list[ModelSpec]) -> None:
    kept = KeptModels()
    first = load(kept, specs[0])
    load(kept, specs[1])
    assert load(kept, specs[0]) is first
    assert load(kept, specs[0], DeviceOptions(device="auto", dtype="fp32", batch_size=4)) is first
    assert load(kept, specs[0], DeviceOptions(device="cpu", dtype="bf16")) is not first
    assert kept.names == (specs[1].name, specs[0].name, specs[0].name)


def test_the_one_used_longest_ago_makes_room(
    specs: list[ModelSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptModels()
    for spec in (specs[0], specs[1], specs[0]):
        load(kept, spec)
    free = iter([0])  # and unknown after that, as if it were enough for none
    monkeypatch.setattr(models, "free_memory", lambda _: next(free, 2**40))
    load(kept, specs[2])
    assert kept.names == (specs[0].name, specs[2].name)


def test_if_free_memory_is_not_known_one_is_kept(
    specs: list[ModelSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptModels()
    monkeypatch.setattr(models, "free_memory", lambda _: None)
    for spec in specs:
        load(kept, spec)
    assert kept.names == (specs[2].name,)


def test_what_others_take_counts_as_free(specs: list[ModelSpec]) -> None:
    kept = KeptModels()
    load(kept, specs[0])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sheepgen.execution.device_memory.free_memory", lambda _: 1000)
        alone = KeptModels().memory(ON_CPU).free_bytes
        beside = kept.memory(ON_CPU).free_bytes
    assert alone == 1000
    assert beside is not None
    assert beside > 1000


def test_all_but_the_last_are_unloaded_on_demand(specs: list[ModelSpec]) -> None:
    kept = KeptModels()
    load(kept, specs[0])
    assert not kept.unload_others()
    load(kept, specs[1])
    assert kept.unload_others()
    assert kept.names == (specs[1].name,)


def test_a_lora_that_changes_is_added_anew(specs: list[ModelSpec], tmp_path: Path) -> None:
    kept, path = KeptModels(), tmp_path / "ink.safetensors"
    adapters = Adapters(lora=str(path))
    needed = kept.memory(ON_CPU).plan(specs[0])
    made: list[LoadedModel] = []
    for seed in (1, 1, 2):
        if len(made) != 1:
            save_lora(specs[0].folder, path, seed=seed)
        made.append(kept.load(specs[0], adapters, ON_CPU, needed))
    assert made[0] is made[1]
    assert made[2] is not made[0]
