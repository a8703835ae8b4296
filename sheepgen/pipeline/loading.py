"""A checked model folder becomes `PipelineParts`.

Each part is loaded by a class that is named here, from safetensors, without the network. The
parts are those that diffusers' `StableDiffusionPipeline` would have, weight for weight. A safety
checker is not loaded.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextModel, CLIPTokenizer

from sheepgen.errors import ModelError
from sheepgen.models.families import PREVIEW_COMPONENT
from sheepgen.pipeline.building import building, component_errors
from sheepgen.pipeline.device import resolve_device, resolve_dtype
from sheepgen.pipeline.parts import PipelineParts
from sheepgen.pipeline.preview import PreviewDecoder
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import torch
    from transformers import PreTrainedTokenizerBase

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.spec import ModelSpec

__all__ = ["load_pipeline", "load_tokenizer"]

_TEXT_ENCODERS = {"CLIPTextModel": CLIPTextModel}

_TOKENIZERS = {
    "CLIPTokenizer": CLIPTokenizer,
    "CLIPTokenizerFast": CLIPTokenizer,
}

_AUTOENCODERS = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}

_TEXT_ENCODER_SETTINGS = (
    "attention_probs_dropout_prob",
    "bos_token_id",
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "layer_norm_eps",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "pad_token_id",
    "projection_dim",
    "prompt_tokens",
    "use_attention_mask",
    "vocab_size",
)
"""All that is taken from a text encoder's config: what decides its numbers. The library would read
many more settings, some of which lead to other files or to code."""


def load_tokenizer(spec: ModelSpec) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer alone.

    Raises:
        ModelError: If the tokenizer's files are damaged.
    """
    return _load_tokenizer(spec.checkpoint)


def load_pipeline(spec: ModelSpec, *, device: str = "auto", dtype: str = "auto") -> PipelineParts:
    """Load all parts of a model.

    Args:
        spec: What `sheepgen.models.resolve.find_model` returned.
        device: One of `sheepgen.options.DEVICES`.
        dtype: One of `sheepgen.options.DTYPES`.

    Raises:
        UsageError: If this machine has no such device, or it does not go with the format.
        ModelError: If a component is damaged.
    """
    place = resolve_device(device)
    number = resolve_dtype(dtype, place)
    checkpoint = spec.checkpoint

    def load_diffusers(component: str, model_class: Any) -> Any:  # noqa: ANN401
        return _load_diffusers(checkpoint, component, model_class, number)

    with quiet_libraries():
        parts = {
            "text_encoder": _load_text_encoder(checkpoint, number),
            "unet": load_diffusers("unet", UNet2DConditionModel),
            "vae": load_diffusers("vae", _AUTOENCODERS[checkpoint.classes["vae"]]),
        }
        if PREVIEW_COMPONENT in checkpoint.configs:
            parts[PREVIEW_COMPONENT] = load_diffusers(PREVIEW_COMPONENT, PreviewDecoder)
        tokenizer = _load_tokenizer(checkpoint)
    for part in parts.values():
        part.to(place).eval().requires_grad_(requires_grad=False)
    return PipelineParts(
        spec=spec,
        tokenizer=tokenizer,
        scheduler_config=MappingProxyType(checkpoint.configs["scheduler"]),
        device=place,
        dtype=number,
        **{PREVIEW_COMPONENT: None, **parts},
    )


def _load_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    tokenizer_class = _TOKENIZERS[checkpoint.classes["tokenizer"]]
    with component_errors("tokenizer"):
        return tokenizer_class.from_pretrained(
            str(checkpoint.folder / "tokenizer"), local_files_only=True
        )


def _load_text_encoder(checkpoint: Checkpoint, dtype: torch.dtype) -> Any:  # noqa: ANN401
    """Load a text encoder; the library sees no file of it, only weights and checked settings."""
    model_class = _TEXT_ENCODERS[checkpoint.classes["text_encoder"]]
    config = checkpoint.configs["text_encoder"]
    settings = {name: config[name] for name in _TEXT_ENCODER_SETTINGS if name in config}
    with building("text_encoder", checkpoint.stored["text_encoder"]):
        weights: dict[str, torch.Tensor] = {}
        for name in checkpoint.weights:
            if name.startswith("text_encoder/"):
                weights |= load_file(checkpoint.folder / name)
        model, report = model_class.from_pretrained(
            None,
            config=model_class.config_class(**settings),
            state_dict=weights,
            dtype=dtype,
            output_loading_info=True,
        )
    _check_complete("text_encoder", report)
    return model


def _load_diffusers(
    checkpoint: Checkpoint,
    component: str,
    model_class: Any,  # noqa: ANN401
    dtype: torch.dtype,
) -> Any:  # noqa: ANN401
    with building(component, checkpoint.stored[component]):
        model, report = model_class.from_pretrained(
            str(checkpoint.folder / component),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            # Its own default asks for another package, and says so on every load.
            low_cpu_mem_usage=False,
            dtype=dtype,
        )
    _check_complete(component, report)
    return model


def _check_complete(component: str, report: Mapping[str, Collection[str]]) -> None:
    # The libraries fill such holes with random numbers and go on.
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"{component} has no weights for {excerpt(missing[0])} ({len(missing)} are missing).",
            "The model is incomplete: fetch it again.",
        )
