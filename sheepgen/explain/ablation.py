"""The same image without a word: what the word causes.

Everything else stays: seed, noise, steps, guidance. A word whose tokens alone say what it means
(`sheepgen.pipeline.latent_model.UNetModel.without_tokens`) has these left out. Any other is left
out of the prompt, as text encoders mix words into each other's tokens; that image is one that the
shorter prompt gives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from sheepgen.pipeline.token_groups import split_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sheepgen.pipeline.latent_model import UNetModel
    from sheepgen.pipeline.token_groups import TokenGroup
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["PlannedAblation", "plan_ablations"]


@dataclass(frozen=True, kw_only=True)
class PlannedAblation:
    """A word that is left out.

    Args:
        text: As typed.
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
    model: UNetModel
    request: ResolvedRequest
    leaves_tokens_out: bool


def plan_ablations(
    model: UNetModel, request: ResolvedRequest, groups: Sequence[TokenGroup]
) -> Iterator[PlannedAblation]:
    """Yield one ablation for each word that conditions the network, in the prompt's order.

    Words without any effect on the conditioning are left out, and so is one without which nothing
    is understood.
    """
    planned = [*_without_tokens(model, request, groups)]
    covered = {word for each in planned for word in each.words}
    words = split_words(request.prompt)
    of_word = {word: number for number, group in enumerate(groups) for word in group.words}
    for number, word in enumerate(words):
        prompt = " ".join([*words[:number], *words[number + 1 :]])
        if number in covered or not prompt or model.read_prompt(prompt).understood == "":
            continue
        without = replace(request, prompt=prompt)
        if not _says_the_same(model, request, without):
            planned.append(
                PlannedAblation(
                    text=word,
                    words=(number,),
                    group=of_word.get(number),
                    model=model,
                    request=without,
                    leaves_tokens_out=False,
                )
            )
    yield from sorted(planned, key=lambda each: each.words or (len(words),))


def _without_tokens(
    model: UNetModel, request: ResolvedRequest, groups: Sequence[TokenGroup]
) -> Iterator[PlannedAblation]:
    for number, group in enumerate(groups):
        if not group.is_named:
            continue
        without = model.without_tokens(group.positions)
        if without is not None:
            yield PlannedAblation(
                text=group.text,
                words=group.words,
                group=number,
                model=without,
                request=request,
                leaves_tokens_out=True,
            )


def _says_the_same(model: UNetModel, first: ResolvedRequest, second: ResolvedRequest) -> bool:
    """Return whether two prompts give the network the same conditioning."""
    states = [model.encode([each]).hidden_states for each in (first, second)]
    return states[0].shape == states[1].shape and torch.equal(*states)
