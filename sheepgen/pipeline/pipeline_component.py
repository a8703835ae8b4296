"""Components of the pipelines that run in diffusers' own loop, each loaded with every check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import diffusers
import transformers
from diffusers.pipelines.deprecated.wuerstchen import (
    PaellaVQModel,
    WuerstchenDiffNeXt,
    WuerstchenPrior,
)
from transformers import T5GemmaModuleConfig
from transformers.models.t5gemma.modeling_t5gemma import T5GemmaEncoder

from sheepgen.pipeline.building import component_errors
from sheepgen.pipeline.loading import load_diffusers, load_text_encoder, load_tokenizer
from sheepgen.pipeline.t5 import load_t5_tokenizer
from sheepgen.pipeline.text_processor import TextProcessor

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch
    from diffusers import SchedulerMixin
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint

__all__ = ["build_scheduler", "load_component", "load_pipeline_tokenizer"]

_UNUSED_SETTINGS = (
    *("architectures", "auto_map", "dtype", "quantization_config", "torch_dtype"),
    "transformers_version",
)
"""Of a text encoder's config: they decide nothing, or lead to code."""

_PROCESSORS = {
    "PixtralProcessor": "PreTrainedTokenizerFast",
    "Qwen3VLProcessor": "Qwen2Tokenizer",
}
"""Classes that need torchvision, for pictures in the prompt, and those of their tokenizers."""


class _T5GemmaEncoder(T5GemmaEncoder):  # type: ignore[misc]
    """An encoder alone, whose config the library takes for that of an encoder and a decoder."""

    config_class = T5GemmaModuleConfig


_CLASSES: Mapping[str, Any] = {
    "PaellaVQModel": PaellaVQModel,
    "T5GemmaEncoder": _T5GemmaEncoder,
    "WuerstchenDiffNeXt": WuerstchenDiffNeXt,
    "WuerstchenPrior": WuerstchenPrior,
}
"""Those that the libraries do not offer at the top, or otherwise than they are needed here."""

_MOST_TOKENS = 32_768


def load_component(
    checkpoint: Checkpoint, name: str, dtype: torch.dtype, *, most_tokens: int
) -> Any:  # noqa: ANN401 - a class of the libraries
    """Load a component by the class that the index names and the table allows.

    Args:
        checkpoint: The model.
        name: The component.
        dtype: Precision of its weights.
        most_tokens: As for `load_pipeline_tokenizer`.
    """
    component = checkpoint.family.components[name]
    if component.library == "transformers" and component.weights is None:
        tokenizer = load_pipeline_tokenizer(checkpoint, name, most_tokens)
        return TextProcessor(tokenizer) if name == "processor" else tokenizer
    library = diffusers if component.library == "diffusers" else transformers
    class_name = checkpoint.classes[name]
    component_class = _CLASSES.get(class_name) or getattr(library, class_name)
    if component.config == "scheduler_config.json":
        return build_scheduler(checkpoint, name)
    if library is diffusers:
        return load_diffusers(checkpoint, name, component_class, dtype)
    settings = [
        setting
        for setting in checkpoint.configs[name]
        if not setting.startswith("_") and setting not in _UNUSED_SETTINGS
    ]
    return load_text_encoder(checkpoint, name, component_class, settings, dtype)


def build_scheduler(checkpoint: Checkpoint, name: str) -> SchedulerMixin:
    """Return a fresh scheduler of the class that the index names."""
    with component_errors(name):
        scheduler_class = getattr(diffusers, checkpoint.classes[name])
        scheduler: SchedulerMixin = scheduler_class.from_config(dict(checkpoint.configs[name]))
    return scheduler


def load_pipeline_tokenizer(
    checkpoint: Checkpoint, name: str, most_tokens: int
) -> PreTrainedTokenizerBase:
    """Load a tokenizer, or that of a processor, which does the rest for pictures alone.

    Args:
        checkpoint: The model.
        name: The component.
        most_tokens: Longest prompt that its pipeline reads; 0 if that is up to the text encoder.
    """
    class_name = checkpoint.classes[name]
    if class_name.startswith("T5Tokenizer"):
        return load_t5_tokenizer(checkpoint, name.removeprefix("tokenizer"))
    tokenizer_class = getattr(transformers, _PROCESSORS.get(class_name, class_name))
    tokenizer = load_tokenizer(checkpoint, name, tokenizer_class)
    # Some pipelines pad prompts to as many tokens as a file says.
    most = most_tokens or _MOST_TOKENS
    tokenizer.model_max_length = min(tokenizer.model_max_length, most)
    return tokenizer
