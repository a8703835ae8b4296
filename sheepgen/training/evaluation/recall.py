"""Whether a text encoder tells what drawings look like, of all of them, named in plain words.

The judge sees pictures of some things. What is wrong with one drawing alone shows here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.training.data.captions import plain_caption
from sheepgen.training.data.scene import Scene
from sheepgen.training.text_encoder.memory_tokens import SLOTS
from sheepgen.training.text_encoder.train_parser import encode_captions

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from sheepgen.training.text_encoder.appearance import Drawing
    from sheepgen.training.text_encoder.conditioning_targets import States

__all__ = ["drawings_told"]

NEARLY = 0.1
"""How far from what it should be any number of a look may be: float16 rounds half as far."""

AT_ONCE = 16


def drawings_told(
    text_encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    states: States,
    device: torch.device,
) -> dict[Drawing, bool]:
    """Return of each drawing whether its looks are told, cell by cell, where it is named alone.

    Args:
        text_encoder: Who tells; it is moved to the device.
        tokenizer: Its own.
        states: What should be told.
        device: Where to compute.
    """
    drawings = [*states.rows]
    told: list[bool] = []
    for start in range(0, len(drawings), AT_ONCE):
        scenes = [_named(drawing) for drawing in drawings[start : start + AT_ONCE]]
        captions = [scene.caption for scene in scenes]
        seen = encode_captions(text_encoder, tokenizer, captions, device)
        where = (slice(None), slice(-SLOTS, None), states.layout.look)
        error = (seen[where].float() - states.of(scenes)[where]).abs().amax((1, 2))
        told += (error < NEARLY).tolist()
    return dict(zip(drawings, told, strict=True))


def _named(drawing: Drawing) -> Scene:
    scene = Scene(kind="single", subject=drawing.name, style=drawing.style)
    return replace(scene, caption=plain_caption(scene))
