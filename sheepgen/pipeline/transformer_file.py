"""The weights of a transformer out of one file, safetensors or GGUF.

What its makers call otherwise is renamed, and diffusers' own layers compute with quantised weights:
each is turned into numbers of the model's precision when it is used.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from diffusers import GGUFQuantizationConfig
from diffusers.models.model_loading_utils import load_gguf_checkpoint
from torch import nn

from sheepgen.errors import ModelError
from sheepgen.pipeline.building import building, component_errors
from sheepgen.pipeline.network_weights import give_weights, without_weights
from sheepgen.pipeline.original_transformers import convert_transformer
from sheepgen.pipeline.quantized import require_packages
from sheepgen.pipeline.single_file import read_below
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from torch import Tensor

    from sheepgen.models.checkpoint import TransformerFile

__all__ = ["read_transformer"]

_GGUF_PACKAGES = ("gguf", "accelerate")
"""What diffusers needs to read GGUF files, besides what sheepgen needs."""


def read_transformer(
    file: TransformerFile,
    model_class: type[Any],
    config: Mapping[str, Any],
    dtype: torch.dtype,
) -> Any:  # noqa: ANN401
    """Read a transformer.

    Args:
        file: Checked.
        model_class: Of diffusers.
        config: Its config.
        dtype: Precision of what is not quantised, and of sums.

    Returns:
        The transformer in evaluation mode.

    Raises:
        ModelError: If its weights are not those that the config asks for.
        UsageError: If a package is not installed that GGUF files need.
    """
    settings = dict(config)
    with building("transformer", file.stored), without_weights():
        model = model_class.from_config(settings)
    with component_errors("transformer"):
        weights = _read(file)
        if file.is_original:
            own = model.state_dict()
            weights = convert_transformer(weights, model_class.__name__, own, settings)
        _check_names(model.state_dict().keys(), weights.keys())
        if file.is_gguf:
            model = _read_gguf(model_class, weights, settings, dtype)
            _dequantize_the_rest(model, dtype)
        else:
            give_weights(model, weights.items(), dtype, copy=True)
    return model.eval().requires_grad_(requires_grad=False)


def _check_names(own: Set[str], found: Set[str]) -> None:
    """Check that a file has all weights of the model, and no others."""
    if missing := sorted(own - found):
        raise ModelError(
            f"The transformer's file has no weights for {excerpt(missing[0])} "
            f"({len(missing)} are missing).",
            "It is incomplete, or was made from another model.",
        )
    if unknown := sorted(found - own):
        raise ModelError(
            f"The transformer's file has weights that the model does not have: "
            f"{excerpt(unknown[0])} ({len(unknown)} in all).",
            "Choose the --model that it was made from.",
        )


def _read(file: TransformerFile) -> dict[str, Tensor]:
    """Return the weights by their names in the file, without what these begin with."""
    if not file.is_gguf:
        return read_below(file.path, file.prefix)
    require_packages(_GGUF_PACKAGES, f"{excerpt(file.path.name)} is read")
    weights: Mapping[str, Tensor] = load_gguf_checkpoint(str(file.path))
    return {
        name.removeprefix(file.prefix): weight
        for name, weight in weights.items()
        if name.startswith(file.prefix)
    }


def _read_gguf(
    model_class: type[Any],
    weights: Mapping[str, Tensor],
    settings: Mapping[str, Any],
    dtype: torch.dtype,
) -> Any:  # noqa: ANN401
    """Return a model with quantised weights; diffusers takes its config out of a folder alone."""
    with TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(settings), encoding="utf-8")
        return model_class.from_single_file(
            weights,
            config=folder,
            quantization_config=GGUFQuantizationConfig(compute_dtype=dtype),
            dtype=dtype,
            low_cpu_mem_usage=True,
            local_files_only=True,
        )


def _dequantize_the_rest(model: nn.Module, dtype: torch.dtype) -> None:
    """Turn quantised weights into numbers that no layer does that for: all but those of products.

    Some files have such biases, norms, tokens and positions.
    """
    from diffusers.quantizers.gguf.utils import dequantize_gguf_tensor

    for module in model.modules():
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for name, weight in own:
            is_product = isinstance(module, nn.Linear) and name == "weight"
            if hasattr(weight, "quant_type") and not is_product:
                plain = dequantize_gguf_tensor(weight).to(dtype)
                is_buffer = name in module._buffers
                setattr(module, name, plain if is_buffer else nn.Parameter(plain))
