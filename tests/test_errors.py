from __future__ import annotations

import errno

import pytest
import torch

from sheepgen.errors import ModelError, OutputError, as_sheepgen_error, ran_out_of_memory

CPU = (
    "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 274877906944 bytes. Error code 12 (Cannot allocate memory)"
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5.90 GB)"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to"), True),
        (RuntimeError(CPU), True),
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("out of luck"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_a_full_memory_is_expected_from_other_failures(error: Exception, *, expected: bool) -> None:
    assert ran_out_of_memory(error) is expected


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "There is not enough memory."),
        (RuntimeError(CPU), "There is not enough memory for another 274.9 GB."),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has"),
            "There is not enough memory for another 2.50 GiB.",
        ),
    ],
)
def test_a_full_memory_is_said_with_a_way_out(error: Exception, message: str) -> None:
    said = as_sheepgen_error(error)
    assert said.message == message
    assert "--size" in said.hint
    assert said.__cause__ is error


def test_what_the_system_refuses_is_not_a_fault_of_sheepgen() -> None:
    said = as_sheepgen_error(PermissionError(errno.EACCES, "Permission denied", "/x"))
    assert isinstance(said, OutputError)
    assert said.message == "Permission denied: /x"
    assert "fault" not in said.hint


def test_what_was_raised_on_purpose_stays() -> None:
    error = ModelError("No model.")
    assert as_sheepgen_error(error) is error
    assert as_sheepgen_error(OSError("odd")).message == "Unexpected OSError: odd"
