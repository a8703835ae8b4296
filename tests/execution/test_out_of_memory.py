"""What is advised if memory is too little, on a graphics card that there need not be."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import pytest
import torch

from sheepgen.errors import SheepgenError
from sheepgen.events import RunFailed
from sheepgen.execution import device_memory
from sheepgen.execution.device_memory import DeviceMemory
from sheepgen.execution.local import LocalExecutor
from sheepgen.execution.out_of_memory import explain_out_of_memory
from sheepgen.models.memory import RESERVE, plan_memory
from sheepgen.models.resolve import find_model
from sheepgen.options import DeviceOptions
from sheepgen.pipeline import device
from sheepgen.request import GenerationRequest, ModelReference
from sheepgen.sanitize import byte_size
from sheepgen.shell_command import TypedCommand

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.models.spec import ModelSpec
    from sheepgen.resolved_request import ResolvedRequest

ERROR = torch.OutOfMemoryError("CUDA out of memory")
OPTIONS = DeviceOptions(device="cuda:0", dtype="fp32")
TYPED = TypedCommand(name="generate", words=(("", ("a sheep",)), ("--seed", ("-s7",))))


@pytest.fixture
def spec(tiny_folder: Path) -> ModelSpec:
    return find_model(str(tiny_folder))


@pytest.fixture
def request_(spec: ModelSpec) -> ResolvedRequest:
    asked = GenerationRequest(prompt="a sheep", seed=1, model=spec.name, num_inference_steps=1)
    return spec.resolve(asked)


def hint(
    spec: ModelSpec,
    request: ResolvedRequest,
    options: DeviceOptions,
    free: int | None,
    command: TypedCommand | None = TYPED,
) -> str:
    """Return what is advised on a card with so much free memory."""
    with pytest.MonkeyPatch.context() as patched:
        for module in (device_memory, device):
            patched.setattr(module, "resolve_device", torch.device)
        patched.setattr(device_memory, "free_memory", lambda _: free)
        known = DeviceMemory(options)
        explained = explain_out_of_memory(ERROR, known, spec, [request], command)
    assert explained.message.startswith("There is not enough memory")
    assert (explained.exit_code, explained.__cause__) == (1, ERROR)
    return explained.hint


def test_the_command_that_fits_changes_as_little_as_can_be(
    spec: ModelSpec, request_: ResolvedRequest
) -> None:
    typed = "sheepgen generate 'a sheep' -s7"
    for options, more in (
        (OPTIONS, "--offload model"),
        (replace(OPTIONS, offload="model"), "--offload group"),
        (replace(OPTIONS, offload="group"), "--dtype bf16 --offload none"),
        (replace(OPTIONS, offload="group", dtype="fp8+bf16"), "--size 24x24 --offload model"),
    ):
        assert hint(spec, request_, options, None) == f"This should fit:\n{typed} {more}"
    free = plan_memory(spec, (32, 32), "bf16").needed["group"] + RESERVE
    assert hint(spec, request_, OPTIONS, free).endswith(" --dtype bf16")


def test_where_nothing_can_be_offloaded_fewer_bits_are_advised() -> None:
    own = find_model("sheepgen")
    request = own.resolve(GenerationRequest(prompt="a sheep", seed=1))
    for dtype, advised in (("fp32", "bf16"), ("bf16", "fp8+bf16")):
        said = hint(own, request, replace(OPTIONS, dtype=dtype), None)
        assert said.endswith(f" --dtype {advised}")


def test_it_is_said_how_much_is_lacking_if_nothing_fits(
    spec: ModelSpec, request_: ResolvedRequest
) -> None:
    said = hint(spec, request_, OPTIONS, 2**20)
    assert said.startswith("Nothing fits: even with --size 8x8 --dtype bf16 it would")
    least = plan_memory(spec, (8, 8), "bf16").needed["group"]
    assert said.endswith(f" take about {byte_size(least + RESERVE - 2**20)} more than is free.")
    smallest = replace(request_, width=2, height=2)
    options = replace(OPTIONS, dtype="fp8+bf16", offload="group")
    assert hint(spec, smallest, options, None) == "No other options are known to take less."


def test_what_is_for_many_sizes_is_advised_for_the_one_image(
    spec: ModelSpec, request_: ResolvedRequest
) -> None:
    sweep = TypedCommand(name="sweep", words=(("", ("a {red|blue} sheep",)),), has_one_size=False)
    advised = hint(spec, request_, OPTIONS, None, sweep)
    assert advised.endswith("\nsheepgen sweep 'a {red|blue} sheep' --offload model")
    options = replace(OPTIONS, offload="group", dtype="fp8+bf16")
    alone = shlex.split(hint(spec, request_, options, None, sweep).splitlines()[1])
    assert alone[:3] == ["sheepgen", "generate", "a sheep"]
    given = dict(zip(alone[3::2], alone[4::2], strict=True))
    assert (given["--width"], given["--height"]) == ("24", "24")
    assert (given["--device"], given["--dtype"]) == ("cuda:0", "fp8+bf16")
    assert (given["--offload"], given["--seed"]) == ("model", "1")
    assert hint(spec, request_, options, None, None).splitlines()[1] == shlex.join(alone)


def test_the_size_of_a_second_pass_is_that_of_the_first(
    spec: ModelSpec, request_: ResolvedRequest
) -> None:
    two = spec.resolve(replace(request_, hires="2:1"))
    options = replace(OPTIONS, offload="group", dtype="fp8+bf16")
    assert hint(spec, two, options, None).endswith(" --size 24x24 --offload none")


@pytest.mark.parametrize("name", ["local.stream_batch", "model_slot.load_model"])
def test_on_the_cpu_a_smaller_dtype_is_advised(
    spec: ModelSpec, request_: ResolvedRequest, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 5 bytes")

    monkeypatch.setattr(device_memory, "free_memory", lambda _: None)
    options = DeviceOptions(device="cpu", dtype="fp32")
    executor = LocalExecutor({ModelReference(spec.name): spec}, options, command=TYPED)
    monkeypatch.setattr(f"sheepgen.execution.{name}", exhausted)
    (failed,) = executor.run([[request_]])
    assert isinstance(failed, RunFailed)
    assert isinstance(failed.error, SheepgenError)
    assert failed.error.hint.endswith(" -s7 --dtype bf16")
