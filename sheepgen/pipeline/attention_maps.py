"""Where the network looks for each word: cross-attention, recorded while images are generated.

A map says which share of a position's attention goes to a word's tokens: at every position, those
of all tokens add up to 1. It shows attention, not cause.

The U-Net computes as it does without: the original processors make the output, and the maps are
computed beside them, from the same inputs, in float32 (https://arxiv.org/abs/2210.04885 sums
attention to words in this way). So an image keeps its bits.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import interpolate

from sheepgen.pipeline.step_maps import StepMaps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from diffusers import UNet2DConditionModel
    from diffusers.models.attention_processor import Attention
    from torch import Tensor

    from sheepgen.pipeline.latent_model import UNetModel
    from sheepgen.pipeline.token_groups import TokenGroup

__all__ = ["AttentionMaps", "record_attention"]

GRID_SIDE = 32
"""The longer side of a step's maps, in cells, if the latents have as many; ..."""

MAX_LAYER_SIDE = 64
"""... and of a layer's."""

_CHUNK_WEIGHTS = 2**21
"""Attention weights that are computed at a time: 8 MiB, where a large image has gigabytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionMaps:
    """What was recorded of a run of images that are generated together.

    Args:
        steps: Of each step the mean over all layers, (images, groups, rows, columns), float32 on
            the CPU; the longer side has at most `GRID_SIDE` cells.
        layers: Of each layer the sum over all steps, likewise, in its own resolution, or with
            `MAX_LAYER_SIDE` cells.
        guidance: Of each step, for each image, how much the prompt changes the prediction:
            ``|text - uncond| / |text|``; None if the network runs once a step.
    """

    steps: StepMaps = field(default_factory=StepMaps)
    layers: dict[str, Tensor] = field(default_factory=dict)
    guidance: list[tuple[float, ...] | None] = field(default_factory=list)

    def by_size(self) -> list[Tensor]:
        """Return for each size of maps the mean over its layers and all steps, the largest first.

        Each is (images, groups, rows, columns).
        """
        sizes: dict[int, list[Tensor]] = {}
        for maps in self.layers.values():
            sizes.setdefault(maps[0, 0].numel(), []).append(maps)
        return [torch.stack(sizes[size]).mean(0) / len(self.steps) for size in sorted(sizes)[::-1]]


@contextmanager
def record_attention(
    model: UNetModel, groups: Sequence[Sequence[TokenGroup]]
) -> Iterator[AttentionMaps]:
    """Record the cross-attention of a model's U-Net to the words of prompts.

        groups = token_groups(model, request)
        with record_attention(model, [groups]) as maps:
            image = generate(model, request)
        for group, heat in zip(groups, maps.steps.mean()[0]):
            print(group.text, heat.mean())

    Args:
        model: Loaded. It is as it was afterwards, whatever happens.
        groups: Of each image of the batch, from `sheepgen.pipeline.token_groups.token_groups`.
            Images may have different numbers of them; maps of those that an image lacks are zero.

    Yields:
        What is recorded. It grows with every step.
    """
    recorder = _Recorder(groups)
    unet: UNet2DConditionModel = model.unet
    originals = dict(unet.attn_processors)
    watched = {
        name: _WatchedProcessor(name.removesuffix(".processor"), processor, recorder)
        for name, processor in originals.items()
        if unet.get_submodule(name.removesuffix(".processor")).is_cross_attention
    }
    hook = unet.register_forward_hook(recorder.finish_step)
    try:
        unet.set_attn_processor({**originals, **watched})
        yield recorder.recorded
    finally:
        hook.remove()
        unet.set_attn_processor(originals)


class _WatchedProcessor:
    """Attends as the original does, and has the recorder look at the same inputs."""

    def __init__(self, layer: str, original: Any, recorder: _Recorder) -> None:  # noqa: ANN401
        self._layer = layer
        self._original = original
        self._recorder = recorder

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *args: object,
        **more: object,
    ) -> Tensor:
        """Attend; see diffusers' ``AttnProcessor2_0``."""
        if encoder_hidden_states is not None:
            self._recorder.look(
                self._layer, attn, hidden_states, encoder_hidden_states, attention_mask
            )
        attended: Tensor = self._original(
            attn, hidden_states, encoder_hidden_states, attention_mask, *args, **more
        )
        return attended


class _Recorder:
    """Gathers the maps of each layer during a step, and puts them together after it."""

    def __init__(self, groups: Sequence[Sequence[TokenGroup]]) -> None:
        self.recorded = AttentionMaps()
        self._images = len(groups)
        self._groups = groups
        self._members: Tensor | None = None
        self._step: dict[str, Tensor] = {}
        self._grid: tuple[int, int] | None = None

    @torch.no_grad()
    def look(
        self,
        layer: str,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None,
    ) -> None:
        """Compute where the images' text halves look, (images, groups, positions)."""
        own = slice(-self._images, None)  # without a prompt comes first
        context = encoder_hidden_states[own]
        if self._members is None or len(self._members[0]) != context.shape[1]:
            self._members = _membership(self._groups, context.shape[1])
        query, key = _query_and_key(attn, hidden_states[own], context)
        mask = None if attention_mask is None else attention_mask[own]
        members = self._members.to(query.device)
        self._step[layer] = _attention_to_groups(query, key, mask, members).cpu()

    def finish_step(
        self,
        _: UNet2DConditionModel,
        arguments: tuple[Tensor, ...],
        output: tuple[Tensor, ...],
    ) -> None:
        """Put the layers' maps together: called after the U-Net, with what it was given."""
        height, width = arguments[0].shape[-2:]  # of (passes * images, channels, height, width)
        self._grid = self._grid or _within(GRID_SIDE, height, width)
        resized = []
        for layer, flat in self._step.items():
            rows, columns = _resolution(height, width, flat.shape[2])
            maps = flat.reshape(*flat.shape[:2], rows, columns)
            resized.append(_resize(maps, self._grid))
            # Those of a second pass, which are larger, are added in the size of the first's.
            sums = self.recorded.layers.get(layer)
            own = _within(MAX_LAYER_SIDE, rows, columns) if sums is None else sums.shape[-2:]
            maps = _resize(maps, own)
            self.recorded.layers[layer] = maps if sums is None else sums + maps
        self._step = {}
        self.recorded.steps.append(torch.stack(resized).mean(0))
        self.recorded.guidance.append(_guidance_shares(output[0], self._images))


def _within(side: int, rows: int, columns: int) -> tuple[int, int]:
    """Return a size of the same shape whose longer side is ``side``, or shorter if it was."""
    scale = min(1.0, side / max(rows, columns))
    return max(1, round(rows * scale)), max(1, round(columns * scale))


def _resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Return maps, (images, groups, rows, columns), with so many rows and columns."""
    if maps.shape[-2:] == tuple(size):
        return maps
    resized: Tensor = interpolate(maps, tuple(size), mode="bilinear", antialias=True)
    return resized


def _membership(groups: Sequence[Sequence[TokenGroup]], tokens: int) -> Tensor:
    """Return 1 where a token is in a group, (images, tokens, groups), else 0."""
    members = torch.zeros(len(groups), tokens, max(map(len, groups)))
    for image, own in enumerate(groups):
        for number, group in enumerate(own):
            members[image, group.positions, number] = 1
    return members


def _query_and_key(attn: Attention, hidden: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
    """Return what diffusers' processors attend with, (images, heads, positions, width) each.

    Of a layer that also attends to its own positions, these come after the tokens.
    """
    if hidden.ndim == 4:
        hidden = hidden.flatten(2).mT  # (images, positions, channels)
    if attn.group_norm is not None:
        hidden = attn.group_norm(hidden.mT).mT
    if attn.norm_cross:
        context = attn.norm_encoder_hidden_states(context)
    if attn.added_kv_proj_dim is None:
        key = attn.to_k(context)
    else:
        key = attn.add_k_proj(context)
        if not attn.only_cross_attention:
            key = torch.cat([key, attn.to_k(hidden)], dim=1)
    query, key = (
        each.unflatten(2, (attn.heads, -1)).transpose(1, 2) for each in (attn.to_q(hidden), key)
    )
    if attn.norm_q is not None:
        query = attn.norm_q(query)
    if attn.norm_k is not None:
        key = attn.norm_k(key)
    return query, key


def _attention_to_groups(
    query: Tensor, key: Tensor, mask: Tensor | None, members: Tensor
) -> Tensor:
    """Return the mean over heads of the attention to each group's tokens, float32.

    Args:
        query: (images, heads, positions, width).
        key: (images, heads, tokens, width), perhaps followed by further keys.
        mask: Added to the logits, (images, 1, tokens).
        members: (images, tokens, groups).

    Returns:
        (images, groups, positions).
    """
    images, heads, _, width = query.shape
    keys = key.float().mT
    rows = max(1, _CHUNK_WEIGHTS // (images * heads * keys.shape[-1]))
    shares = []
    for chunk in torch.split(query, rows, dim=2):
        # softmax(Q K^T / sqrt(width)), (images, heads, rows, tokens)
        logits = chunk.float() @ keys * width**-0.5
        if mask is not None:
            logits = logits + mask[:, None].float()
        weights = logits.softmax(-1).mean(1)[..., : members.shape[1]]
        shares.append(weights @ members)  # (images, rows, groups)
    return torch.cat(shares, dim=1).mT


def _resolution(height: int, width: int, positions: int) -> tuple[int, int]:
    """Return the rows and columns of a layer with so many positions: halved, rounded up."""
    while height * width > positions:
        height, width = (height + 1) // 2, (width + 1) // 2
    assert height * width == positions, "each level of a U-Net has half the sides"
    return height, width


def _guidance_shares(prediction: Tensor, images: int) -> tuple[float, ...] | None:
    """Return |text - uncond| / |text| of each image, or None if there is one pass."""
    if len(prediction) == images:
        return None
    uncond, text = prediction.float().flatten(1).chunk(2)
    shares: list[float] = ((text - uncond).norm(dim=1) / text.norm(dim=1)).tolist()
    return tuple(shares)
