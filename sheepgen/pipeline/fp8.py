"""A denoiser's weights kept in 8 bits, and turned into numbers of the model's precision for use.

diffusers calls it layerwise casting. It takes half the memory of 16 bits, and changes the image:
each number keeps three bits after its first. Norms and what else each class names stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sheepgen.errors import UsageError
from sheepgen.models.quantization import method_of
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from diffusers import ModelMixin

    from sheepgen.pipeline.family import LoadedModel

__all__ = ["keep_fp8", "keeps_fp8"]

_DENOISERS = ("transformer", "unet")

_FP8 = torch.float8_e4m3fn
"""Four bits for the exponent and three for the fraction."""


def keep_fp8(model: LoadedModel) -> None:
    """Keep a loaded model's denoiser in 8 bits from now on.

    Raises:
        UsageError: If it has none, or its weights are quantised.
    """
    name, denoiser = _denoiser(model)
    if denoiser is None:
        raise UsageError(
            f"fp8 is not for {excerpt(model.spec.name)}.", "Choose another --dtype, such as bf16."
        )
    checkpoint = model.spec.checkpoint
    file = checkpoint.transformer
    is_quantised = method_of(checkpoint.configs[name]) if file is None else file.is_gguf
    if is_quantised:
        raise UsageError(
            f"The {name} is quantised already; fp8 is for weights that are not.",
            "Choose another --dtype, such as bf16.",
        )
    denoiser.enable_layerwise_casting(storage_dtype=_FP8, compute_dtype=model.dtype)


def keeps_fp8(model: LoadedModel) -> bool:
    """Return whether a model's denoiser is kept in 8 bits."""
    _, denoiser = _denoiser(model)
    return denoiser is not None and any(weight.dtype == _FP8 for weight in denoiser.parameters())


def _denoiser(model: LoadedModel) -> tuple[str, ModelMixin | None]:
    parts = getattr(model, "__dict__", {})
    return next(((name, parts[name]) for name in _DENOISERS if name in parts), ("", None))
