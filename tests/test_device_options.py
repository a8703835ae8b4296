from __future__ import annotations

import pytest

from sheepgen.device_options import DeviceOptions, check_device_options
from sheepgen.errors import UsageError


@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:0", "cuda:12", "mps", "xpu", "cpu"])
@pytest.mark.parametrize("dtype", ["auto", "fp32", "bf16"])
def test_known_words_pass(device: str, dtype: str) -> None:
    check_device_options(device, dtype)


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:-1", "CPU", "cuda:0\n", "\x1b[31m"])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(UsageError, match="no device") as error:
        check_device_options(device, "auto")
    assert "cuda:N" in error.value.hint
    assert "\x1b" not in error.value.message


@pytest.mark.parametrize("dtype", ["float32", "half", "int8"])
def test_an_unknown_format_is_refused(dtype: str) -> None:
    with pytest.raises(UsageError, match=f"no number format {dtype}"):
        check_device_options("cpu", dtype)


def test_half_precision_is_not_for_the_cpu() -> None:
    check_device_options("cuda", "fp16")
    with pytest.raises(UsageError, match="50 times slower"):
        check_device_options("cpu", "fp16")


def test_options_are_checked_as_they_are_made() -> None:
    assert str(DeviceOptions()) == "auto auto 1"
    assert str(DeviceOptions(device="cuda:1", dtype="bf16", batch_size=None)) == "cuda:1 bf16 auto"
    with pytest.raises(UsageError, match="no device"):
        DeviceOptions(device="abacus")
    with pytest.raises(UsageError, match="batch size is 0"):
        DeviceOptions(batch_size=0)
