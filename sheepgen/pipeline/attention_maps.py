"""Where the network looks for each word: its attention, recorded while images are generated.

A map says which share of a position's attention goes to a word's tokens. In cross-attention, those
of all tokens add up to 1 at every position; in joint attention, what is missing goes to the image
itself. It shows attention, not cause.

The network computes as it does without: the original processors make the output, and the maps are
computed beside them, from the same inputs, in float32 (https://arxiv.org/abs/2210.04885 sums
attention to words in this way). So an image keeps its bits.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import interpolate

from sheepgen.pipeline.attention_inputs import (
    AttentionCall,
    AttentionInputs,
    attends_to_text,
    attention_inputs,
)
from sheepgen.pipeline.step_maps import StepMaps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor, nn

    from sheepgen.pipeline.family import Model
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
    model: Model, groups: Sequence[Sequence[TokenGroup]]
) -> Iterator[AttentionMaps]:
    """Record the attention of a model's network to the words of prompts.

        groups = token_groups(model, request)
        with record_attention(model, [groups]) as maps:
            image = generate(model, request)
        for group, heat in zip(groups, maps.steps.mean()[0]):
            print(group.text, heat.mean())

    Args:
        model: Loaded, of a family with `sheepgen.models.family.Family.word_attention`. It is as it
            was afterwards, whatever happens. It runs its network once a step, for all passes.
        groups: Of each image of the batch, from `sheepgen.pipeline.token_groups.token_groups`.
            Images may have different numbers of them; maps of those that an image lacks are zero.

    Yields:
        What is recorded. It grows with every step.
    """
    recorder = _Recorder(groups)
    network: Any = model.unet if hasattr(model, "unet") else getattr(model, "transformer")  # noqa: B009
    originals = dict(network.attn_processors)
    watched = {
        name: _WatchedProcessor(layer, processor, recorder)
        for name, processor in originals.items()
        if attends_to_text(network.get_submodule(layer := name.removesuffix(".processor")))
    }
    hooks = (
        network.register_forward_pre_hook(recorder.begin_step, with_kwargs=True),
        network.register_forward_hook(recorder.finish_step),
    )
    try:
        network.set_attn_processor({**originals, **watched})
        yield recorder.recorded
    finally:
        for hook in hooks:
            hook.remove()
        network.set_attn_processor(originals)


class _WatchedProcessor:
    """Attends as the original does, and has the recorder look at the same inputs."""

    def __init__(self, layer: str, original: Any, recorder: _Recorder) -> None:  # noqa: ANN401
        self._layer = layer
        self._original = original
        self._recorder = recorder

    def __call__(
        self,
        attn: nn.Module,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *more: Any,  # noqa: ANN401 - the processor's own
        **named: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Attend; see diffusers' ``AttnProcessor2_0``."""
        call = AttentionCall(attn, hidden_states, encoder_hidden_states, attention_mask, more)
        self._recorder.look(self._layer, self._original, call)
        return self._original(*call[:4], *more, **named)


class _Recorder:
    """Gathers the maps of each layer during a step, and puts them together after it."""

    def __init__(self, groups: Sequence[Sequence[TokenGroup]]) -> None:
        self.recorded = AttentionMaps()
        self._images = len(groups)
        self._groups = groups
        self._members = torch.zeros(0)
        self._size = (0, 0)
        self._channels = 0
        self._grid: tuple[int, int] | None = None
        self._step: list[Tensor] = []

    def begin_step(
        self, _: nn.Module, arguments: tuple[Tensor, ...], named: Mapping[str, Any]
    ) -> None:
        """Note what the network is given: called before it."""
        latents = arguments[0] if arguments else named["hidden_states"]
        tokens = named["encoder_hidden_states"].shape[1]
        if len(self._members) == 0 or self._members.shape[1] != tokens:
            self._members = _membership(self._groups, tokens)
        self._channels = latents.shape[1]
        self._size = _size(latents, named)
        self._grid = self._grid or _within(GRID_SIDE, *self._size)
        self._step = []

    @torch.no_grad()
    def look(self, layer: str, processor: object, call: AttentionCall) -> None:
        """Compute where the images' text halves look, and add that to the layer's maps."""
        own = call.of_last(self._images)  # without a prompt comes first
        inputs = attention_inputs(processor, own, self._members.shape[1])
        members = self._members.to(inputs.query.device)  # weights may come there with the call
        flat = _attention_to_groups(inputs, own.attention_mask, members)
        rows, columns = _resolution(*self._size, flat.shape[2])
        maps = flat.reshape(*flat.shape[:2], rows, columns).cpu()
        assert self._grid is not None, "the network has begun"
        self._step.append(_resize(maps, self._grid))
        # Those of a second pass, which are larger, are added in the size of the first's.
        sums = self.recorded.layers.get(layer)
        size = _within(MAX_LAYER_SIDE, rows, columns) if sums is None else sums.shape[-2:]
        maps = _resize(maps, size)
        self.recorded.layers[layer] = maps if sums is None else sums + maps

    def finish_step(self, _: nn.Module, __: object, output: tuple[Tensor, ...]) -> None:
        """Put the layers' maps together: called after the network."""
        self.recorded.steps.append(torch.stack(self._step).mean(0))
        # Some networks predict a variance, too, in channels after the others.
        prediction = output[0][:, : self._channels]
        self.recorded.guidance.append(_guidance_shares(prediction, self._images))


def _size(latents: Tensor, named: Mapping[str, Any]) -> tuple[int, int]:
    """Return the rows and columns of what a network is given.

    Args:
        latents: (batch, channels, rows, columns), or patches, (batch, patches, channels).
        named: With ``img_ids``, (patches, 3): zero, row and column of each, if it takes patches.
    """
    if latents.ndim == 4:
        return latents.shape[2], latents.shape[3]
    row = named["img_ids"][:, 1]
    columns = int((row == row[0]).sum())
    return len(row) // columns, columns


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


def _attention_to_groups(inputs: AttentionInputs, mask: Tensor | None, members: Tensor) -> Tensor:
    """Return the mean over heads of the attention to each group's tokens, float32.

    Args:
        inputs: Of the layer.
        mask: Added to the logits, (images, 1, tokens).
        members: (images, tokens, groups).

    Returns:
        (images, groups, positions).
    """
    images, heads, _, width = inputs.query.shape
    keys = inputs.key.float().mT * width**-0.5  # (images, heads, width, keys)
    rows = max(1, _CHUNK_WEIGHTS // (images * heads * keys.shape[-1]))
    shares = []
    for chunk in torch.split(inputs.query, rows, dim=2):
        # softmax(Q K^T / sqrt(width)), (images, heads, rows, keys)
        logits = chunk.float() @ keys
        if mask is not None:
            logits = logits + mask[:, None].float()
        weights = logits.softmax(-1)[..., inputs.text].mean(1)
        shares.append(weights @ members)  # (images, rows, groups)
    return torch.cat(shares, dim=1).mT


def _resolution(height: int, width: int, positions: int) -> tuple[int, int]:
    """Return the rows and columns of a layer with so many positions: halved, rounded up."""
    while height * width > positions:
        height, width = (height + 1) // 2, (width + 1) // 2
    assert height * width == positions, "levels and patches halve the sides"
    return height, width


def _guidance_shares(prediction: Tensor, images: int) -> tuple[float, ...] | None:
    """Return |text - uncond| / |text| of each image, or None if there is one pass."""
    if len(prediction) == images:
        return None
    uncond, text = prediction.float().flatten(1).chunk(2)
    shares: list[float] = ((text - uncond).norm(dim=1) / text.norm(dim=1)).tolist()
    return tuple(shares)
