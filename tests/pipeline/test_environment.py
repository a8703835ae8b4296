"""What is recorded of the machine."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest
import torch

import sheepgen
from sheepgen.machine import processor_name
from sheepgen.metadata.record import PIPELINE_VERSION
from sheepgen.pipeline.environment import describe_environment, device_name, dtype_name

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel


def test_the_environment_of_a_run(tiny_parts: StableDiffusionModel) -> None:
    environment = describe_environment(tiny_parts)
    assert environment.sheepgen == sheepgen.__version__
    assert environment.recipe == PIPELINE_VERSION
    assert environment.torch == torch.__version__
    assert environment.python == platform.python_version()
    assert (environment.device, environment.dtype) == ("cpu", "fp32")
    assert environment.device_name
    assert environment.threads == torch.get_num_threads()
    assert environment.batch_size == 1
    assert environment.model_sha256 == tiny_parts.spec.sha256
    assert environment.model_revision is None
    assert platform.node() not in str(environment) or len(platform.node()) < 3


def test_dtype_names() -> None:
    assert [dtype_name(dtype) for dtype in (torch.float32, torch.bfloat16, torch.float16)] == [
        "fp32",
        "bf16",
        "fp16",
    ]


def test_processors(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Slide Rule 9000\nflags\t: fpu\n")
    assert processor_name(cpuinfo) == "Slide Rule 9000"
    cpuinfo.write_text("processor\t: 0\n")
    assert processor_name(cpuinfo) == (platform.processor() or platform.machine())
    assert processor_name(tmp_path / "missing")


def test_a_processor_is_named_with_its_instructions() -> None:
    instructions = torch.backends.cpu.get_cpu_capability()
    assert device_name(torch.device("cpu")) == f"{processor_name()} ({instructions})"


@pytest.mark.parametrize("kind", ["cuda", "xpu"])
def test_graphics_cards(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(getattr(torch, kind), "get_device_name", "card {}".format)
    assert device_name(torch.device(f"{kind}:1")) == f"card {kind}:1"
