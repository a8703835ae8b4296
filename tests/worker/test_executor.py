"""Images made by a worker are those of this process, and none is lost if it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError, UsageError
from sheepgen.events import RunFinished, RunStarted
from sheepgen.execution.checks import check_device, plan_memory
from sheepgen.execution.engine import LocalEngine
from sheepgen.models.resolve import find_model
from sheepgen.options import DeviceOptions
from sheepgen.request import ModelReference
from sheepgen.worker.client import WorkerEngine, WorkerExecutor
from tests.execution.conformance import ExecutorConformance, alone, pictures
from tests.samples import sample_request
from tests.test_imports import SLOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sheepgen.execution.engine import Engine
    from sheepgen.execution.executor import Executor
    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.worker.door import Door, State
    from sheepgen.worker.server import Worker

ROOT = Path(__file__).parents[2]
ON_CPU = DeviceOptions(device="cpu", dtype="fp32")

PROBE = """
import json, sys
from sheepgen.__main__ import main
sys.argv[0] = "sheepgen"
try:
    main()
except SystemExit as leaving:
    code = leaving.code
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def load(engine: Engine, model: str, options: DeviceOptions = ON_CPU) -> Executor:
    reference = ModelReference(model)
    return engine.load_executor(
        {reference: find_model(model)},
        options,
        None,
        None,
        first=reference,
        adapters=Adapters(),
        images=(),
    )


@pytest.fixture
def model(tiny_folder: Path) -> str:
    return str(tiny_folder)


@pytest.fixture
def engines() -> Iterator[Callable[[], WorkerEngine]]:
    """Return what makes engines, as many as there are commands."""
    made: list[WorkerEngine] = []

    def make() -> WorkerEngine:
        made.append(WorkerEngine())
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture(params=[1, 2])
def executor(
    model: str,
    worker: Worker,  # noqa: ARG001 - which it uses
    engines: Callable[[], WorkerEngine],
    request: pytest.FixtureRequest,
) -> Executor:
    executor = load(engines(), model, replace(ON_CPU, batch_size=request.param))
    assert isinstance(executor, WorkerExecutor)
    return executor


class TestConformance(ExecutorConformance):
    def test_records_and_pictures_are_those_of_this_process(
        self, executor: Executor, model: str, requests: list[ResolvedRequest]
    ) -> None:
        here = load(LocalEngine(), model)
        for made, expected in zip(
            executor.run(alone(requests)), here.run(alone(requests)), strict=True
        ):
            assert type(made) is type(expected)
            if isinstance(made, RunFinished) and isinstance(expected, RunFinished):
                assert made.record == expected.record
                assert made.image.tobytes() == expected.image.tobytes()

    def test_a_worker_that_ends_loses_no_image(
        self, executor: Executor, door: Door, model: str, requests: list[ResolvedRequest]
    ) -> None:
        events = []
        for event in executor.run(alone(requests)):
            events.append(event)
            if isinstance(event, RunStarted) and len(events) == 1:
                door.close()
        assert [event.request for event in events if isinstance(event, RunFinished)] == requests
        here = load(LocalEngine(), model)
        assert pictures(iter(events)) == pictures(here.run(alone(requests)))

    def test_a_command_that_is_gone_has_only_its_own_image_stopped(
        self,
        executor: Executor,
        engines: Callable[[], WorkerEngine],
        state: State,
        model: str,
        requests: list[ResolvedRequest],
    ) -> None:
        events = executor.run([[replace(requests[0], num_inference_steps=999)]])
        next(events)
        events.close()
        other = load(engines(), model)
        assert len(pictures(other.run(alone(requests)))) == 3
        assert state.images == 3


@pytest.mark.usefixtures("worker")
def test_several_commands_share_a_model(
    engines: Callable[[], WorkerEngine], state: State, model: str
) -> None:
    requests = [sample_request(model=model, width=32, height=32, seed=seed) for seed in range(3)]
    running = [load(engines(), model).run(alone(requests)) for _ in range(3)]
    events = [event for together in zip(*running, strict=True) for event in together]
    assert len([event for event in events if isinstance(event, RunFinished)]) == 9
    assert len(pictures(iter(events))) == 3
    assert state.models == (model,)


@pytest.mark.usefixtures("worker")
def test_a_model_whose_files_change_is_loaded_anew(
    engines: Callable[[], WorkerEngine], state: State, model_copy: Path
) -> None:
    load(engines(), str(model_copy))
    weights = model_copy / "unet" / "diffusion_pytorch_model.safetensors"
    os.utime(weights, (1, 1))
    load(engines(), str(model_copy))
    assert state.models == (str(model_copy),) * 2


@pytest.mark.usefixtures("worker")
def test_what_planning_asks_is_answered_as_here(
    engines: Callable[[], WorkerEngine], model: str
) -> None:
    spec, engine = find_model(model), engines()
    assert engine.call(plan_memory, [], {}, ON_CPU) is None
    with pytest.raises(UsageError, match="This machine has no cuda:7 device") as raised:
        engine.call(check_device, "cuda:7")
    assert "PyTorch" in raised.value.hint
    assert "Traceback" in raised.value.__notes__[0]
    lora = Adapters(lora="missing.safetensors")
    with pytest.raises(ModelError) as missing:
        engine.load_executor(
            {ModelReference(model): spec},
            ON_CPU,
            None,
            None,
            first=ModelReference(model),
            adapters=lora,
            images=(),
        )
    assert missing.value.exit_code == 1


@pytest.mark.usefixtures("worker")
def test_a_command_with_a_worker_loads_nothing_slow(model: str, tmp_path: Path) -> None:
    words = ["a sheep", "--model", model, "--steps", "2", "-v", "--frames", "gif"]
    result = subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    code, modules = json.loads(result.stderr.splitlines()[-1])
    assert code == 0, result.stderr
    assert f"Using the worker, process {os.getpid()}." in result.stderr
    assert (tmp_path / result.stdout.strip()).is_file()
    assert [name for name in SLOW if name in modules] == []
