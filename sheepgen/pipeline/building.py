"""Build a component from an untrusted config, but no more of it than its weights hold.

A config within all limits can still ask for more layers than there is time to build, in ways that
only the code that reads it knows. Every layer registers its parameters, and the weight files say
how many there can be; building stops when there are more.

This is also the one place where what the libraries raise about a bad component becomes a
`ModelError` that names it.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules.module import register_module_parameter_registration_hook

from sheepgen.errors import ModelError, SheepgenError, ran_out_of_memory
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from torch import nn

    from sheepgen.models.safetensors import StoredWeights

__all__ = ["building", "cast_parameters", "component_errors", "parameter_dtype", "running"]

_DAMAGED = "Its config and its weights do not match, or one of them is damaged."

_UNUSABLE = "One of its files is damaged, or this device cannot run it: try --device cpu."

_SLACK = 2
"""How many times what is stored a config may ask for; a few missing weights are named later."""


@contextmanager
def building(component: str, stored: StoredWeights) -> Iterator[None]:
    """Build modules from a config, but not more than the weights can fill.

    Args:
        component: Name of the component, for the message.
        stored: What its weight files hold.

    Raises:
        ModelError: If the config asks for far more, or the libraries cannot read it.
    """
    builder = threading.get_ident()
    tensors, elements = _SLACK * stored.tensors, _SLACK * stored.data_bytes

    def count(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal tensors, elements
        # A parameter that is there already is being loaded; other threads build what they like.
        if threading.get_ident() != builder or name in module._parameters:
            return
        tensors -= 1
        elements -= parameter.numel()
        if tensors < 0 or elements < 0:
            raise _cannot(component, "loaded", "its config asks for more than its weights hold.")

    handle = register_module_parameter_registration_hook(count)
    try:
        with component_errors(component):
            yield
    finally:
        handle.remove()


def cast_parameters(network: Any, dtype: torch.dtype) -> None:  # noqa: ANN401 - of diffusers
    """Give a network's parameters a precision, but for layers that its class keeps at float32.

    Buffers, such as the positions of Stable Diffusion 3, stay as they are.
    """
    for name, parameter in network.named_parameters():
        parameter.data = parameter.data.to(parameter_dtype(network, name, dtype))


def parameter_dtype(network: Any, name: str, dtype: torch.dtype) -> torch.dtype:  # noqa: ANN401
    """Return the precision of a network's parameter: as given, or float32 where its class says."""
    kept = network._keep_in_fp32_modules or ()
    return dtype if {*name.split(".")}.isdisjoint(kept) else torch.float32


@contextmanager
def component_errors(
    component: str, hint: str = _DAMAGED, *, verb: str = "loaded"
) -> Iterator[None]:
    """Turn whatever the libraries raise about a component's files into `ModelError`.

    Running out of memory is left as it is: it says nothing about the model.

    Args:
        component: Name of the component, for the message.
        hint: What to do about it.
        verb: What cannot be done to the component, as a participle.
    """
    try:
        yield
    except SheepgenError:
        raise
    except BaseException as error:
        if not _is_about_files(error):
            raise
        raise _cannot(component, verb, _message(error), hint) from error


def running(component: str) -> AbstractContextManager[None]:
    """Turn what the libraries raise while a component computes into `ModelError`.

    Much of a config is read only then.

    Args:
        component: Name of the component, for the message.
    """
    return component_errors(component, _UNUSABLE, verb="run")


def _is_about_files(error: BaseException) -> bool:
    # What the tokenizers' Rust code raises when it panics is not an `Exception`.
    is_failure = isinstance(error, Exception) or type(error).__name__ == "PanicException"
    return is_failure and not ran_out_of_memory(error)


def _message(error: BaseException) -> str:
    return excerpt(error, 200) or type(error).__name__


def _cannot(component: str, verb: str, reason: str, hint: str = _DAMAGED) -> ModelError:
    return ModelError(f"The model's {component} cannot be {verb}: {reason}", hint)
