"""The blocks of a denoiser compiled for this machine: ``--compile``.

A network repeats a few kinds of blocks, which take most of its time. PyTorch turns each kind into
code for this processor or card, and all blocks of a kind and size share it; so compiling takes
seconds, where a whole network takes minutes. Sums are added in another order: some bits change, and
they are always the same on one machine, for every size is compiled by itself.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sheepgen.errors import UsageError
from sheepgen.pipeline.offload import components_of
from sheepgen.sanitize import excerpt
from sheepgen.user_cache import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import LoadedModel

__all__ = ["can_compile", "compile_denoiser", "compile_error", "is_compiled"]

_DENOISERS = ("transformer", "unet")

_MOST_SHAPES = 4096
"""Of blocks that are compiled in a process. PyTorch gives up after 8, and does not compile the
rest, whose bits would then depend on what was generated before."""

_MOST_CHARACTERS = 200


def can_compile(spec: ModelSpec) -> bool:
    """Return whether a model has a denoiser that can be compiled."""
    return any(_is_denoiser(name) for name in spec.checkpoint.family.components)


@lru_cache(maxsize=8)
def compile_error(device: torch.device) -> UsageError | None:
    """Return why nothing can be compiled for a device; None if it can be.

    That takes a C++ compiler on the CPU, and Triton on a card. Something small is compiled, which
    takes seconds for the first time on a machine.
    """
    # PyTorch's own is in the folder for temporary files.
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "compiled"))
    try:
        with _without_logs(), torch.inference_mode():
            torch.compile(_probe, dynamic=False)(torch.ones(64, device=device))
    except Exception as error:  # noqa: BLE001 - compilers fail in many ways
        # After the first line comes how to get a stack trace.
        said = excerpt(str(error).strip().partition("\n")[0], _MOST_CHARACTERS)
        return UsageError(
            f"--compile cannot be used on {device}: {said or type(error).__name__}",
            "Install a C++ compiler, such as g++, or leave out --compile.",
        )
    return None


def compile_denoiser(model: LoadedModel) -> None:
    """Let a loaded model's denoiser be compiled when it first runs, and again for each new size.

    Args:
        model: Of a spec that `can_compile`, on a device for which there is no `compile_error`.
    """
    config: Any = torch._dynamo.config  # where PyTorch documents both
    config.recompile_limit = config.accumulated_recompile_limit = _MOST_SHAPES
    for network in _denoisers(model):
        for block in _blocks(network):
            block.compile(dynamic=False)


def is_compiled(model: LoadedModel) -> bool:
    """Return whether a loaded model's denoiser is compiled."""
    return any(
        module._compiled_call_impl is not None
        for network in _denoisers(model)
        for module in network.modules()
    )


@contextmanager
def _without_logs() -> Iterator[None]:
    """Keep warnings about devices that are not there off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _probe(numbers: torch.Tensor) -> torch.Tensor:
    return numbers.sin() + 1


def _is_denoiser(name: str) -> bool:
    return name.rpartition("_")[2] in _DENOISERS


def _denoisers(model: LoadedModel) -> list[nn.Module]:
    """Return a model's networks that run at every step."""
    return [network for name, network in components_of(model).items() if _is_denoiser(name)]


def _blocks(network: Any) -> list[nn.Module]:  # noqa: ANN401 - of diffusers
    """Return the blocks that a network repeats; the network itself if it names none."""
    names = network._repeated_blocks or network._no_split_modules or ()
    return [each for each in network.modules() if type(each).__name__ in names] or [network]
