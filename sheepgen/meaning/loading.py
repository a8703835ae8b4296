"""A text encoder, loaded without the rest of its model."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from transformers import CLIPTextModel, CLIPTextModelWithProjection

from sheepgen.embedded.prompt_reader import PromptReader
from sheepgen.meaning.scene_vectors import SceneVectors
from sheepgen.meaning.token_vectors import (
    LANGUAGE_MODEL,
    TokenVectors,
    end_token,
    mean_before_last,
    mean_without_end,
)
from sheepgen.pipeline.clip import load_clip
from sheepgen.pipeline.gemma import GemmaTextEncoder
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.pipeline.qwen import THINKING, QwenTextEncoder
from sheepgen.pipeline.t5 import T5TextEncoder
from sheepgen.pipeline.tokens import count_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch

    from sheepgen.meaning.spaces import Space
    from sheepgen.meaning.text_vectors import Vectors
    from sheepgen.models.spec import ModelSpec

__all__ = ["load_vectors"]


def load_vectors(
    spec: ModelSpec, space: Space, device: torch.device, dtype: torch.dtype
) -> Vectors:
    """Load one of a model's text encoders, and nothing else of the model.

    Args:
        spec: The model.
        space: Of the text encoder.
        device: Where it goes.
        dtype: Precision of its weights; the embedded model's is float32.

    Raises:
        ModelError: If the model is damaged.
    """
    with quiet_libraries():
        return _LOADERS[space.reading.kind](spec, space, device, dtype)


def _load_clip(
    spec: ModelSpec, space: Space, device: torch.device, dtype: torch.dtype
) -> TokenVectors:
    classes = {each.__name__: each for each in (CLIPTextModel, CLIPTextModelWithProjection)}
    suffix = space.encoder.removeprefix("text_encoder")
    parts = load_clip(spec.checkpoint, classes[space.class_name], device, dtype, suffix=suffix)
    return TokenVectors(
        tokenizer=parts[f"tokenizer{suffix}"],
        model=parts[space.encoder],
        component=space.encoder,
        limit=space.limit,
        pool=end_token,
    )


def _load_t5(
    spec: ModelSpec, space: Space, device: torch.device, dtype: torch.dtype
) -> TokenVectors:
    suffix = space.encoder.removeprefix("text_encoder")
    encoder = T5TextEncoder.load(spec.checkpoint, device, dtype, suffix=suffix, limit=space.limit)
    return TokenVectors(
        tokenizer=encoder.tokenizer,
        model=encoder.model,
        component=space.encoder,
        limit=space.limit,
        pool=mean_without_end,
    )


def _load_qwen(
    spec: ModelSpec, space: Space, device: torch.device, dtype: torch.dtype
) -> TokenVectors:
    encoder = QwenTextEncoder.load(spec.checkpoint, device, dtype, THINKING, limit=space.limit)
    return TokenVectors(
        tokenizer=encoder.tokenizer,
        model=encoder.model,
        component=space.encoder,
        limit=space.limit,
        pool=mean_before_last,
        before=THINKING.before,
        first=count_tokens(encoder.tokenizer, THINKING.before),
        settings=LANGUAGE_MODEL,
    )


def _load_gemma(
    spec: ModelSpec, space: Space, device: torch.device, dtype: torch.dtype
) -> TokenVectors:
    encoder = GemmaTextEncoder.load(spec.checkpoint, device, dtype)
    return TokenVectors(
        tokenizer=encoder.tokenizer,
        model=encoder.model,
        component=space.encoder,
        limit=space.limit,
        pool=mean_before_last,
        first=count_tokens(encoder.tokenizer, ""),  # its tokenizer puts one in front
        settings=LANGUAGE_MODEL,
    )


def _load_scene(
    spec: ModelSpec,
    space: Space,  # noqa: ARG001 - as all are called
    device: torch.device,
    dtype: torch.dtype,  # noqa: ARG001
) -> SceneVectors:
    reader = PromptReader.load(spec.checkpoint)
    reader.text_encoder.to(device)
    return SceneVectors(reader)


_LOADERS: Mapping[str, Callable[..., Vectors]] = MappingProxyType(
    {
        "clip": _load_clip,
        "t5": _load_t5,
        "qwen": _load_qwen,
        "gemma": _load_gemma,
        "scene": _load_scene,
    }
)
"""By `sheepgen.meaning.spaces.Reading.kind`."""
