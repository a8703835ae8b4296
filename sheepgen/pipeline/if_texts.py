"""What DeepFloyd IF's networks see of prompts: T5's states, the same for all stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sheepgen.pipeline.text_cache import BlendedTexts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.pipeline.t5 import T5TextEncoder
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["IfTextEncoder", "IfTexts"]


@dataclass(frozen=True, kw_only=True, slots=True)
class IfTexts:
    """What a U-Net attends to.

    Args:
        states: (passes * batch, tokens, width of T5), the negative prompts first if there are two.
        guided: Whether there are.
    """

    states: Tensor
    guided: bool


@dataclass(frozen=True, kw_only=True)
class IfTextEncoder(BlendedTexts[Tensor]):
    """Encodes prompts, and keeps the last of them for the stages that follow.

    Args:
        t5: Reads one prompt at a time.
    """

    t5: T5TextEncoder

    @torch.inference_mode()
    def encode(self, requests: Sequence[ResolvedRequest]) -> IfTexts:
        """Encode prompts as diffusers' pipeline does, one at a time.

        Raises:
            ModelError: If the text encoder does not know all of the tokenizer's tokens.
        """
        guided = requests[0].guidance_scale > 1
        states = [self.encode_cached(request.negative_prompt) for request in requests if guided]
        states += [self.encode_prompt(request) for request in requests]
        return IfTexts(states=torch.cat(states), guided=guided)

    def _encode_text(self, text: str) -> Tensor:
        """Return what the text encoder makes of a text."""
        return self.t5.encode(text)[0]
