from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from sheepgen import options as run_options
from sheepgen.errors import UsageError
from sheepgen.options import DeviceOptions, check_device_options, check_device_present

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:0", "cuda:12", "mps", "xpu", "cpu"])
@pytest.mark.parametrize("dtype", ["auto", "fp32", "bf16"])
def test_known_words_pass(device: str, dtype: str) -> None:
    check_device_options(device, dtype)


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:-1", "CPU", "cuda:0\n", "\x1b[31m"])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(UsageError, match="Unknown device") as error:
        check_device_options(device, "auto")
    assert "cuda:N" in error.value.hint
    assert "\x1b" not in error.value.message


@pytest.mark.parametrize("dtype", ["float32", "half", "int8"])
def test_an_unknown_format_is_refused(dtype: str) -> None:
    with pytest.raises(UsageError, match=f'Unknown dtype "{dtype}"') as error:
        check_device_options("cpu", dtype)
    assert error.value.hint.endswith(" fp8, fp8+fp32, fp8+bf16, fp8+fp16.")


def test_half_precision_is_not_for_the_cpu() -> None:
    check_device_options("cuda", "fp16")
    with pytest.raises(UsageError, match="50 times slower"):
        check_device_options("cpu", "fp16")


def test_options_are_checked_as_they_are_made() -> None:
    assert str(DeviceOptions()) == "auto auto 1"
    assert str(DeviceOptions(device="cuda:1", dtype="bf16", batch_size=None)) == "cuda:1 bf16 auto"
    with pytest.raises(UsageError, match="Unknown device"):
        DeviceOptions(device="abacus")
    with pytest.raises(UsageError, match="got 0"):
        DeviceOptions(batch_size=0)


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a folder in place of /dev."""
    monkeypatch.setattr(run_options, "_DEV", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("system", "file", "has", "lacks"),
    [
        ("linux", "null", ["auto", "cpu"], ["cuda", "cuda:1", "mps", "xpu"]),
        ("linux", "nvidiactl", ["cuda", "cuda:1", "cpu"], ["mps", "xpu"]),
        ("linux", "nvhost-gpu", ["cuda"], ["xpu"]),
        ("linux", "dxg", ["cuda", "xpu"], ["mps"]),
        ("linux", "kfd", ["cuda"], ["xpu"]),
        ("linux", "dri", ["xpu"], ["cuda"]),
        ("darwin", "null", ["mps", "cpu"], ["cuda", "xpu"]),
        ("win32", "null", ["cuda", "xpu"], ["mps"]),
        ("freebsd14", "null", ["cuda", "xpu", "mps"], []),
    ],
)
def test_a_device_of_which_there_is_no_trace_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    devices: Path,
    system: str,
    file: str,
    has: list[str],
    lacks: list[str],
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    (devices / file).touch()
    for device in has:
        check_device_present(device)
    for device in lacks:
        with pytest.raises(UsageError, match=f"no {device} device"):
            check_device_present(device)
