"""A denoiser's weights kept in 8 bits, and converted to the model's dtype for use.

diffusers calls it layerwise casting. It takes half the memory of 16 bits, and changes the image:
each number keeps three bits after its first. Norms and what else each class names stay as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import diffusers
import torch

from sheepgen.errors import UsageError
from sheepgen.models.added.transformer import with_transformer
from sheepgen.models.component_memory import LoadedWeight
from sheepgen.models.quantization import method_of
from sheepgen.pipeline.building import building, cast_parameters
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from diffusers import ModelMixin
    from torch import nn

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.family import LoadedModel

__all__ = ["fp8_weights", "keep_fp8", "keeps_fp8"]

_DENOISERS = ("transformer", "unet")

_FP8 = torch.float8_e4m3fn
"""Four bits for the exponent and three for the fraction."""


def keep_fp8(model: LoadedModel) -> None:
    """Keep a loaded model's denoiser in 8 bits from now on.

    Raises:
        UsageError: If it has none, or its weights are quantised.
    """
    denoiser: ModelMixin = getattr(model, _denoiser_of(model.spec))
    denoiser.enable_layerwise_casting(storage_dtype=_FP8, compute_dtype=model.dtype)


def fp8_weights(spec: ModelSpec, dtype: torch.dtype) -> dict[str, tuple[LoadedWeight, ...]]:
    """Return the weights of a model's denoiser as they are kept, by its name, without loading it.

    Args:
        spec: The model, with its adapters.
        dtype: What is computed in.

    Raises:
        UsageError: As `keep_fp8`.
        ModelError: If a file is not for the model, or its config asks for more than it holds.
    """
    checkpoint = with_transformer(spec.checkpoint, spec.adapters.transformer)
    name = _denoiser_of(replace(spec, checkpoint=checkpoint))
    network_class = getattr(diffusers, checkpoint.classes[name])
    with quiet_libraries(), building(name, checkpoint.stored[name]), torch.device("meta"):
        network: ModelMixin = network_class.from_config(dict(checkpoint.configs[name]))
    cast_parameters(network, dtype)
    network.enable_layerwise_casting(storage_dtype=_FP8, compute_dtype=dtype)
    return {name: tuple(_kept(network, dtype))}


def _kept(network: nn.Module, dtype: torch.dtype) -> Iterator[LoadedWeight]:
    for key, weight in network.state_dict(keep_vars=True).items():
        yield LoadedWeight(
            layer=key.rpartition(".")[0],
            numbers=weight.numel(),
            size=weight.nbytes,
            width=weight.shape[1] if weight.ndim == 2 else 0,
            is_float32=weight.dtype == torch.float32,
            unpacked_bytes=weight.numel() * dtype.itemsize if weight.dtype == _FP8 else 0,
        )


def keeps_fp8(model: LoadedModel) -> bool:
    """Return whether a model's denoiser is kept in 8 bits."""
    _, denoiser = _denoiser(model)
    return denoiser is not None and any(weight.dtype == _FP8 for weight in denoiser.parameters())


def _denoiser_of(spec: ModelSpec) -> str:
    """Return the name of a model's denoiser.

    Raises:
        UsageError: If it has none here, or its weights are quantised.
    """
    checkpoint = spec.checkpoint
    name = next((each for each in _DENOISERS if each in checkpoint.configs), None)
    if name is None or not spec.family.own_loop:
        raise UsageError(
            f"{excerpt(spec.name)} does not support fp8.", "Choose another --dtype, such as bf16."
        )
    file = checkpoint.transformer
    if method_of(checkpoint.configs[name]) if file is None else file.is_gguf:
        raise UsageError(
            f"The {name} is already quantised; fp8 is only for weights that are not.",
            "Choose another --dtype, such as bf16.",
        )
    return name


def _denoiser(model: LoadedModel) -> tuple[str, ModelMixin | None]:
    parts = getattr(model, "__dict__", {})
    return next(((name, parts[name]) for name in _DENOISERS if name in parts), ("", None))
