"""Which vector stands for a text: one table, `READINGS`, by the class of the text encoder.

What is read of each was chosen for what it was trained to do. CLIP's end token sums a text up, and
is what was pulled towards matching pictures (https://arxiv.org/abs/2103.00020). T5 and language
models have no such token; of them the mean over the text's tokens is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from sheepgen.errors import UsageError
from sheepgen.models.families import all_components
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.spec import ModelSpec

__all__ = ["READINGS", "Reading", "Space", "find_space", "known_encoders", "unread_components"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What is read of a text encoder.

    Args:
        kind: How it is loaded.
        layer: Whose output, in words.
        pooling: How that becomes one vector, in words.
        about: What is near in this space, in words.
    """

    kind: Literal["clip", "t5", "qwen", "gemma", "scene"]
    layer: str
    pooling: str
    about: str


_PICTURES = "texts that describe similar pictures, by its training"
_CONTEXT = "texts whose words are used alike, by its training"

_ENCODERS = "text_encoder"
"""How the names of text encoders begin."""

READINGS: Mapping[str, Reading] = MappingProxyType(
    {
        "CLIPTextModelWithProjection": Reading(
            kind="clip",
            layer="the last layer, after its norm",
            pooling="the end token, projected",
            about=_PICTURES,
        ),
        "CLIPTextModel": Reading(
            kind="clip",
            layer="the last layer, after its norm",
            pooling="the end token",
            about=_PICTURES,
        ),
        "T5EncoderModel": Reading(
            kind="t5",
            layer="the last layer, after its norm",
            pooling="the mean over the text's tokens, without the end and without padding",
            about=_CONTEXT,
        ),
        **dict.fromkeys(
            ("Qwen3Model", "Qwen3ForCausalLM", "Qwen2_5_VLForConditionalGeneration"),
            Reading(
                kind="qwen",
                layer="the last layer but one",
                pooling="the mean over the text's tokens, in a user's turn",
                about=_CONTEXT,
            ),
        ),
        "Gemma2Model": Reading(
            kind="gemma",
            layer="the last layer but one",
            pooling="the mean over the text's tokens, without an instruction",
            about=_CONTEXT,
        ),
        "SceneTextEncoder": Reading(
            kind="scene",
            layer="the conditioning tokens, which are the latents of a drawing, cell by cell",
            pooling="all of them side by side, without their positions",
            about="prompts whose drawings look alike, whatever the words mean",
        ),
    }
)
"""By class, those first that are read first if a model has several."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Space:
    """The space of one text encoder.

    Args:
        encoder: Name of the model's component.
        class_name: Of the component.
        reading: What is read of it.
        limit: Tokens, or words of a model that parses prompts, that are read of a text.
    """

    encoder: str
    class_name: str
    reading: Reading
    limit: int


def unread_components() -> tuple[str, ...]:
    """Return the components that are not read, of all families: their weights need not be there.

    `sheepgen.models.resolve.find_model` takes them as ``replaced``, and downloads the rest.
    """
    return tuple(sorted(name for name in all_components() if not name.startswith(_ENCODERS)))


def known_encoders(checkpoint: Checkpoint) -> list[str]:
    """Return the names of a model's text encoders that can be read, the usual one first."""
    order = list(READINGS)
    return sorted(
        (name for name in _classes(checkpoint) if _classes(checkpoint)[name] in READINGS),
        # Of two of a class the second is the larger one, in every family.
        key=lambda name: (order.index(_classes(checkpoint)[name]), -int(name[-1:].isdigit()), name),
    )


def find_space(spec: ModelSpec, encoder: str = "") -> Space:
    """Return the space of one of a model's text encoders.

    Args:
        spec: The model.
        encoder: Name of the component; empty for the usual one.

    Raises:
        UsageError: If the model has none, or none of that name, whose space can be read.
    """
    names = known_encoders(spec.checkpoint)
    if not names:
        raise UsageError(
            f"{excerpt(spec.name)} has no text encoder that can be measured; its family is "
            f"{spec.family.name}.",
            "Choose a model with CLIP, T5, Qwen2.5-VL, Qwen3 or Gemma 2, or the installed one.",
        )
    if encoder and encoder not in names:
        raise UsageError(
            f'{excerpt(spec.name)} has no text encoder "{excerpt(encoder)}" that can be measured.',
            f"It has {', '.join(names)}.",
        )
    name = encoder or names[0]
    class_name = _classes(spec.checkpoint)[name]
    longest = spec.checkpoint.configs[name].get("max_position_embeddings")
    is_clip = READINGS[class_name].kind == "clip"
    return Space(
        encoder=name,
        class_name=class_name,
        reading=READINGS[class_name],
        limit=longest if is_clip and isinstance(longest, int) else spec.max_tokens,
    )


def _classes(checkpoint: Checkpoint) -> Mapping[str, str]:
    """Return the classes of a model's text encoders; the index names those of sheepgen, too."""
    return {
        name: class_name
        for name, class_name in checkpoint.classes.items()
        if name.startswith(_ENCODERS)
    }
