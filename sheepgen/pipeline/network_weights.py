"""A network built without weights, and then given those of its files.

Building one with weights would fill it with random numbers first, which takes longer than reading.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from sheepgen.pipeline.building import parameter_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from torch import Tensor

__all__ = ["current_name", "give_weights", "without_weights"]

_FILLS = {"kaiming_uniform_", "normal_", "trunc_normal_", "uniform_"}
"""What gives weights random numbers, in `torch.nn.init` and of `torch.Tensor`."""

_FIRST_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Of an attention's layers, in diffusers' own first files."""


@contextmanager
def without_weights() -> Iterator[None]:
    """Build modules whose weights take no memory; what they compute when they are built stays."""

    def empty(_: nn.Module, __: str, weight: nn.Parameter) -> nn.Parameter:
        return nn.Parameter(weight.to("meta"), requires_grad=weight.requires_grad)

    handle = register_module_parameter_registration_hook(empty)  # type: ignore[arg-type]
    try:
        with _Unfilled():
            yield
    finally:
        handle.remove()


class _Unfilled(TorchFunctionMode):
    """Fills no weights that have no memory: for that PyTorch would import ``torch._dynamo``."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function returns
        named = dict(kwargs or {})
        if func.__name__ in _FILLS:
            weight = named["tensor"] if "tensor" in named else args[0]
            if weight.is_meta:
                return weight
        return func(*args, **named)


def give_weights(
    network: Any,  # noqa: ANN401 - of diffusers
    weights: Iterable[tuple[str, Tensor]],
    dtype: torch.dtype,
    *,
    copy: bool = False,
) -> list[str]:
    """Give a network of diffusers its weights, each in the precision that it computes in.

    Args:
        network: From `without_weights`.
        weights: Each after its name in the file; those that it does not have are left out.
        dtype: Of its parameters; buffers keep the one that they were built with.
        copy: Whether weights that have that precision are copied out of the file, too. Products
            with a single row round by where their numbers lie in memory, which in a file depends on
            the length of its header. diffusers leaves those of a folder there, and reads them when
            they are first used.

    Returns:
        The names of those that it lacks, which are still without memory.

    Raises:
        RuntimeError: If one has another shape.
    """
    parameters = {name for name, _ in network.named_parameters()}
    own = network.state_dict()
    given = {}
    for stored, weight in weights:
        name = stored if stored in own else current_name(stored)
        if name in own:
            is_parameter = name in parameters
            precision = parameter_dtype(network, name, dtype) if is_parameter else own[name].dtype
            given[name] = weight.to(precision, copy=copy)
    missing, _ = network.load_state_dict(given, strict=False, assign=True)
    return list(missing)


def current_name(name: str) -> str:
    """Return what a weight of diffusers' first files is called today."""
    *path, layer, kind = ("", *name.split("."))
    return ".".join((*path, _FIRST_NAMES.get(layer, layer), kind)).removeprefix(".")
