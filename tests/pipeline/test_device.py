from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import torch

from sheepgen.errors import UsageError
from sheepgen.pipeline.device import (
    BF16_PARAMETERS,
    available_devices,
    cpu_dtype,
    peak_memory,
    resolve_device,
    resolve_dtype,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Pretend to be a machine with nothing but a CPU; tests add what they need."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.xpu, "is_available", lambda: False)
    return monkeypatch


@pytest.mark.usefixtures("machine")
def test_every_machine_has_a_cpu() -> None:
    assert available_devices() == ("cpu",)
    assert resolve_device("auto") == resolve_device("cpu") == torch.device("cpu")


def test_cards_come_first(machine: pytest.MonkeyPatch) -> None:
    machine.setattr(torch.cuda, "device_count", lambda: 2)
    machine.setattr(torch.backends.mps, "is_available", lambda: True)
    machine.setattr(torch.xpu, "is_available", lambda: True)

    assert available_devices() == ("cuda:0", "cuda:1", "mps", "xpu", "cpu")
    assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda:0")
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    assert resolve_device("xpu") == torch.device("xpu")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps", "xpu"])
def test_a_device_that_is_not_there_is_said(name: str) -> None:
    with pytest.raises(UsageError, match=f"no {name} device") as error:
        resolve_device(name)

    assert error.value.hint == f"PyTorch {torch.__version__} sees cpu."


def test_unknown_words_are_refused() -> None:
    with pytest.raises(UsageError, match='Unknown device "tpu"'):
        resolve_device("tpu")
    with pytest.raises(UsageError, match='Unknown dtype "int4"'):
        resolve_dtype("int4", torch.device("cpu"))


@pytest.mark.parametrize(
    ("device", "dtype"),
    [("cpu", torch.float32), ("mps", torch.float16), ("xpu", torch.bfloat16)],
)
def test_each_device_has_its_own_format(device: str, dtype: torch.dtype) -> None:
    assert resolve_dtype("auto", torch.device(device)) == dtype


@pytest.mark.parametrize(
    ("instructions", "parameters", "dtype"),
    [
        ({}, 10**12, torch.float32),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, 10**12, torch.float32),
        ({"avx512_bf16": True, "amx_bf16": False}, 859_520_964, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": True}, BF16_PARAMETERS, torch.bfloat16),
        ({"amx_bf16": True}, BF16_PARAMETERS - 1, torch.float32),
        ({"avx512_bf16": True}, 0, torch.float32),
        ({"architecture": "aarch64", "bf16": True}, 10**12, torch.float32),
    ],
)
def test_cpus_take_bf16_for_large_models_if_they_multiply_it(
    instructions: Mapping[str, object], parameters: int, dtype: torch.dtype
) -> None:
    assert cpu_dtype(instructions, parameters) == dtype


@pytest.mark.parametrize(
    ("capability", "has_bf16", "dtype"),
    [
        ((7, 5), True, torch.float16),
        ((8, 0), True, torch.bfloat16),
        ((9, 0), True, torch.bfloat16),
        ((9, 0), False, torch.float16),
    ],
)
def test_cards_that_would_emulate_bf16_take_fp16(
    monkeypatch: pytest.MonkeyPatch,
    capability: tuple[int, int],
    has_bf16: bool,
    dtype: torch.dtype,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bf16)

    assert resolve_dtype("auto", torch.device("cuda:0")) == dtype


def test_a_format_may_be_asked_for() -> None:
    assert resolve_dtype("bf16", torch.device("cpu")) == torch.bfloat16
    assert resolve_dtype("fp32", torch.device("cpu"), 10**12) == torch.float32
    assert resolve_dtype("fp32", torch.device("cuda:0")) == torch.float32
    assert resolve_dtype("fp16", torch.device("cuda:0")) == torch.float16
    with pytest.raises(UsageError, match="50 times slower"):
        resolve_dtype("fp16", torch.device("cpu"))


def test_peak_memory_is_the_process_or_the_card(machine: pytest.MonkeyPatch) -> None:
    peak = peak_memory(torch.device("cpu"))
    assert peak is None if sys.platform == "win32" else peak is not None and peak > 2**26
    machine.setattr(torch.cuda, "max_memory_allocated", lambda device: 7 + device.index)
    assert peak_memory(torch.device("cuda:1")) == 8
    assert peak_memory(torch.device("mps")) is None
