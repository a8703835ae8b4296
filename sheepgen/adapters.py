"""What is added to a model's weights, or replaces some of them, as it is written.

    --transformer flux1-dev-Q4_K_S.gguf
    --vae better.safetensors
    --lora style.safetensors:0.8 --lora artist/detail
    --embedding easynegative.safetensors
    --upscaler DeepFloyd/IF-II-L-v1.0

Several are one text with commas, as records and jobs have it:
``style.safetensors:0.8,artist/detail``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "MAX_SCALE",
    "Adapters",
    "LoraReference",
    "check_scale",
    "parse_loras",
    "parse_paths",
    "to_text",
]

MAX_SCALE = 10
"""Largest scale of a LoRA, in either direction."""

_SCALED = re.compile(r"(.+):([+-]?(?:\d{1,3}(?:\.\d{0,6})?|\.\d{1,6}))", re.ASCII | re.DOTALL)


class LoraReference(NamedTuple):
    """A LoRA, and how strongly it is added: its own weights are multiplied by ``scale``."""

    path: str
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapters:
    """What is added to a model, in the words of a request; empty for nothing.

    Args:
        transformer: Path of the transformer in place of the model's own, or its name on the Hub.
        vae: Path of the VAE in place of the model's own, or its name on the Hub.
        lora: Paths or names of LoRAs with their scales; ``a:1.0`` becomes ``a``.
        embedding: Paths or names of text embeddings.
        upscaler: Path of a folder, or its name on the Hub, of a second stage.
        prior: Likewise, of a stage that comes before the model's own.

    Raises:
        UsageError: As `parse_loras` and `parse_paths`.
    """

    transformer: str = ""
    vae: str = ""
    lora: str = ""
    embedding: str = ""
    upscaler: str = ""
    prior: str = ""

    def __post_init__(self) -> None:
        """Write each text in its canonical form."""
        object.__setattr__(self, "lora", to_text(self.loras))
        object.__setattr__(self, "embedding", ",".join(self.embeddings))

    def __bool__(self) -> bool:
        """Return whether anything is added."""
        return bool(self.names)

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """All names of files, each after the field that it is in."""
        return (
            *((("transformer", self.transformer),) if self.transformer else ()),
            *((("vae", self.vae),) if self.vae else ()),
            *(("lora", lora.path) for lora in self.loras),
            *(("embedding", path) for path in self.embeddings),
            *((("upscaler", self.upscaler),) if self.upscaler else ()),
            *((("prior", self.prior),) if self.prior else ()),
        )

    @property
    def replaced(self) -> tuple[str, ...]:
        """The components of a model whose own weights need not be there."""
        return ("transformer",) if self.transformer else ()

    @property
    def loras(self) -> tuple[LoraReference, ...]:
        """The LoRAs in their order."""
        return parse_loras(self.lora)

    @property
    def embeddings(self) -> tuple[str, ...]:
        """The paths of the embeddings in their order."""
        return parse_paths("embedding", self.embedding)


def parse_loras(text: str) -> tuple[LoraReference, ...]:
    """Read ``a.safetensors:0.8,b.safetensors``.

    Raises:
        UsageError: If a path is empty or comes twice, or a scale is beyond `MAX_SCALE`.
    """
    return tuple(_loras(text))


def _loras(text: str) -> Iterator[LoraReference]:
    seen = set()
    for item in _items("LoRA", text):
        match = _SCALED.fullmatch(item)
        path, scale = (match[1], float(match[2])) if match else (item, 1.0)
        check_scale(scale)
        if path in seen:
            raise UsageError(f"The LoRA {excerpt(path, 200)} is given twice.", "Add the scales up.")
        seen.add(path)
        yield LoraReference(path, scale + 0.0)


def check_scale(scale: float) -> None:
    """Check how strongly a LoRA is to be added.

    Raises:
        UsageError: If it is beyond `MAX_SCALE`.
    """
    if abs(scale) > MAX_SCALE:
        raise UsageError(
            f"The scale of a LoRA must be between -{MAX_SCALE} and {MAX_SCALE}, got {scale:g}."
        )


def parse_paths(label: str, text: str) -> tuple[str, ...]:
    """Read paths between commas.

    Args:
        label: What they are of, for messages.
        text: As typed.

    Raises:
        UsageError: If a path is empty, or comes twice.
    """
    paths = tuple(_items(label, text))
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"The {label} {excerpt(path, 200)} is given twice.")
    return paths


def _items(label: str, text: str) -> Iterator[str]:
    for item in text.split(",") if text else ():
        if not item.strip():
            raise UsageError(
                f"The path of the {label} is empty.",
                "Separate paths with commas; a path cannot contain one.",
            )
        yield item.strip()


def to_text(loras: tuple[LoraReference, ...]) -> str:
    """Return what `parse_loras` reads, in its canonical form."""
    return ",".join(
        path if scale == 1 else f"{path}:{f'{scale:.6f}'.rstrip('0').rstrip('.')}"
        for path, scale in loras
    )
