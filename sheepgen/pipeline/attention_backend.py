"""What computes a transformer's attention: PyTorch, or a package that diffusers knows.

Some of diffusers' transformers have a choice, those of FLUX among them; a U-Net has none. All
backends compute the same (https://arxiv.org/abs/2205.14135), and round differently; SageAttention
also computes with 8 bits (https://arxiv.org/abs/2411.10958).
"""

from __future__ import annotations

import sys
import warnings
from functools import wraps
from itertools import chain
from typing import TYPE_CHECKING, Any

import diffusers
import torch
from diffusers import attention_backend
from diffusers.models.attention_dispatch import dispatch_attention_fn
from torch import nn

from sheepgen.errors import UsageError, ran_out_of_memory
from sheepgen.options import NATIVE_ATTENTION, check_attention_backend
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import LoadedModel

__all__ = ["backend_error", "backend_name", "has_backends", "use_backend"]

_DENOISER = "transformer"
_UNCONDITIONAL = "unconditional_transformer"

_CHOICE = "_attention_backend"
"""Attribute of diffusers' attention processors that have a choice."""

_PROBE = (1, 16, 1, 64)
"""Shape of the tensors that a backend is tried with: (batch, tokens, heads, numbers a head)."""

_MOST_CHARACTERS = 200


def has_backends(spec: ModelSpec) -> bool:
    """Return whether the attention of a model's denoiser can be computed by another backend."""
    component = spec.checkpoint.family.components.get(_DENOISER)
    if component is None:
        return False
    name = spec.checkpoint.classes.get(_DENOISER, component.classes)
    network_class = getattr(diffusers, name, None)
    if network_class is None:
        return False
    # A network's processors are in its module.
    named = vars(sys.modules[network_class.__module__]).values()
    return any(isinstance(each, type) and hasattr(each, _CHOICE) for each in named)


def backend_error(name: str, device: torch.device, dtype: torch.dtype) -> UsageError | None:
    """Return why a backend cannot be used; None if it can.

    Raises:
        UsageError: If the name is unknown.
    """
    check_attention_backend(name)
    if name == NATIVE_ATTENTION:
        return None
    tried = torch.zeros(_PROBE, device=device, dtype=dtype)
    with quiet_libraries(), warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # PyTorch warns of each kernel that it does not take
        try:
            with attention_backend(name):
                dispatch_attention_fn(tried, tried, tried)
        except Exception as error:  # noqa: BLE001 - each package has its own
            return _unusable(name, f"on {device} in {str(dtype).removeprefix('torch.')}", error)
    return None


def use_backend(model: LoadedModel, name: str) -> None:
    """Let a backend compute the attention of a loaded model's denoiser from now on.

    The native one is set, too: otherwise an environment variable decides.

    Args:
        model: Of a spec that `has_backends`.
        name: Of a backend for which there is no `backend_error`.
    """
    for denoiser in _denoisers(model):
        with attention_backend():  # whose end undoes that the setter also changes all other models
            denoiser.set_attention_backend(name)
        if name != NATIVE_ATTENTION:
            denoiser.forward = _explained(denoiser.forward, name, model.spec.name)


def backend_name(model: LoadedModel) -> str:
    """Return what computes the attention of a loaded model's denoiser."""
    for module in chain.from_iterable(each.modules() for each in _denoisers(model)):
        backend = getattr(getattr(module, "processor", None), _CHOICE, None)
        if backend is not None:
            return str(backend.value)
    return NATIVE_ATTENTION


def _denoisers(model: LoadedModel) -> list[Any]:
    """Return a model's denoiser, and the one for images without the prompt if that is another."""
    parts = getattr(model, "pipeline", model)
    found = (getattr(parts, name, None) for name in (_DENOISER, _UNCONDITIONAL))
    return [each for each in found if isinstance(each, nn.Module)]


def _explained(forward: Callable[..., Any], name: str, model: str) -> Callable[..., Any]:
    """Return a network's ``forward`` that says it if the backend cannot do what this network asks.

    Some take no attention masks, or heads of certain sizes alone.
    """

    @wraps(forward)
    def explained(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - the network's own
        try:
            return forward(*arguments, **named)
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            if ran_out_of_memory(error):
                raise
            raise _unusable(name, f"with {excerpt(model)}", error) from error

    return explained


def _unusable(name: str, where: str, error: Exception) -> UsageError:
    said = excerpt(error, _MOST_CHARACTERS) or type(error).__name__
    return UsageError(
        f"--attention-backend {name} cannot be used {where}: {said}",
        "Choose another one, or leave it out.",
    )
