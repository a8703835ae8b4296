"""A checked model folder becomes `PipelineParts`.

Each part is loaded by a class that is named here, from safetensors, without the network. The
parts are those that diffusers' `StableDiffusionPipeline` would have, weight for weight. A safety
checker is not loaded.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import diffusers
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors import SafetensorError
from transformers import BertModel, BertTokenizer, CLIPTextModel, CLIPTokenizer

from sheepgen.checkpoint import read_checkpoint
from sheepgen.checkpoint.files import PREVIEW_COMPONENT
from sheepgen.errors import ModelError
from sheepgen.pipeline.device import resolve_device, resolve_dtype
from sheepgen.pipeline.parts import PipelineParts
from sheepgen.pipeline.preview import PreviewDecoder
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.text import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

    from sheepgen.catalog import ModelSpec
    from sheepgen.checkpoint import Checkpoint

__all__ = ["load_pipeline", "load_tokenizer"]

_TEXT_ENCODERS = {"BertModel": BertModel, "CLIPTextModel": CLIPTextModel}

_TOKENIZERS = {
    "BertTokenizer": BertTokenizer,
    "BertTokenizerFast": BertTokenizer,
    "CLIPTokenizer": CLIPTokenizer,
    "CLIPTokenizerFast": CLIPTokenizer,
}

_AUTOENCODERS = {"AutoencoderKL": AutoencoderKL, "AutoencoderTiny": AutoencoderTiny}

_LOADING_FAILURES = (
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
)
"""What the libraries raise over a config and weights that do not go together."""


def load_tokenizer(spec: ModelSpec) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer alone.

    Raises:
        ModelError: If the model's folder is damaged.
    """
    return _load_tokenizer(read_checkpoint(spec.folder))


def load_pipeline(spec: ModelSpec, *, device: str = "auto", dtype: str = "auto") -> PipelineParts:
    """Load all parts of a model.

    Args:
        spec: What `sheepgen.catalog.find_model` returned.
        device: One of `sheepgen.device_options.DEVICES`.
        dtype: One of `sheepgen.device_options.DTYPES`.

    Raises:
        UsageError: If this machine has no such device, or it does not go with the format.
        ModelError: If the model's folder is damaged.
    """
    place = resolve_device(device)
    number = resolve_dtype(dtype, place)
    checkpoint = read_checkpoint(spec.folder)
    text_encoder_class = _TEXT_ENCODERS[checkpoint.classes["text_encoder"]]
    vae_class = _AUTOENCODERS[checkpoint.classes["vae"]]

    def load(component: str, model_class: Any) -> Any:  # noqa: ANN401
        model = _load_model(checkpoint.folder / component, model_class, dtype=number)
        return model.to(place).eval().requires_grad_(requires_grad=False)

    with quiet_libraries():
        return PipelineParts(
            spec=spec,
            tokenizer=_load_tokenizer(checkpoint),
            text_encoder=load("text_encoder", text_encoder_class),
            unet=load("unet", UNet2DConditionModel),
            vae=load("vae", vae_class),
            scheduler_config=MappingProxyType(checkpoint.configs["scheduler"]),
            device=place,
            dtype=number,
            preview_decoder=(
                load(PREVIEW_COMPONENT, PreviewDecoder)
                if PREVIEW_COMPONENT in checkpoint.configs
                else None
            ),
        )


def _load_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    tokenizer_class = _TOKENIZERS[checkpoint.classes["tokenizer"]]
    with _loading_errors("tokenizer"):
        return tokenizer_class.from_pretrained(
            str(checkpoint.folder / "tokenizer"), local_files_only=True
        )


def _load_model(folder: Path, model_class: Any, **settings: Any) -> Any:  # noqa: ANN401
    if issubclass(model_class, diffusers.ModelMixin):
        # Its own default asks for another package, and says so on every load.
        settings["low_cpu_mem_usage"] = False
    with _loading_errors(folder.name):
        model, report = model_class.from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            **settings,
        )
    # The libraries fill such holes with random numbers and go on.
    if missing := sorted(report["missing_keys"]):
        raise ModelError(
            f"{folder.name} has no weights for {excerpt(missing[0])} ({len(missing)} are missing).",
            "The model is incomplete: fetch it again.",
        )
    return model


@contextmanager
def _loading_errors(component: str) -> Iterator[None]:
    try:
        yield
    except _LOADING_FAILURES as error:
        raise ModelError(
            f"The model's {component} cannot be loaded: {excerpt(error, 200)}",
            "Its config and its weights do not belong together, or one of them is damaged.",
        ) from error
