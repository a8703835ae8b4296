"""The same image without a word: what the word causes.

Everything else stays: seed, noise, steps, guidance. A word whose tokens alone say what it means (of
a model that `ReadsTokensAlone`) has these left out. Any other is left out of the prompt, as text
encoders mix words into each other's tokens; that image is one that the shorter prompt gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch

from sheepgen.pipeline.token_groups import bare_word, split_words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sheepgen.pipeline.family import Model
    from sheepgen.pipeline.token_groups import TokenGroup
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["PlannedAblation", "ReadsTokensAlone", "plan_ablations"]


@runtime_checkable
class ReadsTokensAlone(Protocol):
    """A model of whose words each token alone says what it means."""

    def without_tokens(self, positions: Collection[int]) -> Model:
        """Return the model as it is if these tokens of its prompts say nothing."""


@dataclass(frozen=True, kw_only=True)
class PlannedAblation:
    """A word that is left out.

    Args:
        text: As typed, without punctuation around it.
        words: Which of the prompt's words it is, from 0; empty for a thing that no word names.
        group: Number of the group of its tokens; None if it has none of its own.
        model: Generates the image without it.
        request: Likewise.
        leaves_tokens_out: Whether its tokens are left out and the prompt stays, or the word is left
            out of the prompt.
    """

    text: str
    words: tuple[int, ...]
    group: int | None
    model: Model
    request: ResolvedRequest
    leaves_tokens_out: bool


def plan_ablations(
    model: Model, request: ResolvedRequest, groups: Sequence[TokenGroup]
) -> Iterator[PlannedAblation]:
    """Yield one ablation for each word that conditions the network, in the prompt's order.

    Words without any effect on the conditioning are left out, and so is one without which nothing
    is understood. Words that were cut off are in no prompt: they would move into the freed places.
    """
    planned = [*_without_tokens(model, request, groups)]
    covered = {word for each in planned for word in each.words}
    cut = model.read_prompt(request.prompt, request.prompt_format).truncated
    typed = split_words(request.prompt)
    words = typed[: max(0, len(typed) - len(cut))]
    of_word = {word: number for number, group in enumerate(groups) for word in group.words}
    for number, word in enumerate(words):
        prompt = " ".join([*words[:number], *words[number + 1 :]])
        if number in covered or not prompt or model.read_prompt(prompt).understood == "":
            continue
        without = replace(request, prompt=prompt)
        if not _says_the_same(model, request, without):
            planned.append(
                PlannedAblation(
                    text=bare_word(word),
                    words=(number,),
                    group=of_word.get(number),
                    model=model,
                    request=without,
                    leaves_tokens_out=False,
                )
            )
    yield from sorted(planned, key=lambda each: each.words or (len(words),))


def _without_tokens(
    model: Model, request: ResolvedRequest, groups: Sequence[TokenGroup]
) -> Iterator[PlannedAblation]:
    if not isinstance(model, ReadsTokensAlone):
        return
    for number, group in enumerate(groups):
        if not group.is_named:
            continue
        yield PlannedAblation(
            text=group.text,
            words=group.words,
            group=number,
            model=model.without_tokens(group.positions),
            request=request,
            leaves_tokens_out=True,
        )


def _says_the_same(model: Model, first: ResolvedRequest, second: ResolvedRequest) -> bool:
    """Return whether two prompts give the network the same conditioning."""
    both = [list(_tensors(model.encode([each]))) for each in (first, second)]
    return all(torch.equal(*each) for each in zip(*both, strict=True))


def _tensors(conditioning: object) -> Iterator[torch.Tensor]:
    """Yield the tensors of a family's conditioning, in a fixed order."""
    if isinstance(conditioning, torch.Tensor):
        yield conditioning
    elif is_dataclass(conditioning):
        for each in fields(conditioning):
            yield from _tensors(getattr(conditioning, each.name))
    elif isinstance(conditioning, Mapping):
        for value in conditioning.values():
            yield from _tensors(value)
    elif isinstance(conditioning, tuple):
        for value in conditioning:
            yield from _tensors(value)
