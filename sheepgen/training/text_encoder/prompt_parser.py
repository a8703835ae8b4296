"""What of the text encoder is trained: it reads a prompt, and answers what the prompt tells.

A token that is a word or BOS is seen by all tokens behind it, one that is padding or a slot by
none. So each of those answers for itself alone, and to train them a few of a prompt's hundreds do:
those of a part (see `sheepgen.training.text_encoder.memory_tokens`) share their place, and with it
their answers.

The words' own states are trained to begin with what the words mean.

`sheepgen.training.text_encoder.compile` makes a ``CLIPTextModel`` of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from sheepgen.training.text_encoder.attributes import COLOUR_NAMES, FACTS
from sheepgen.training.text_encoder.memory_tokens import PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SLOT_PLACES", "TextTrunk"]

MEANING = 64
"""How many numbers of a word's state say what it means, at most."""

SLOT_PLACES = len(PARTS) + 1
"""Places of slots: one for each part, and one for those that are nobody's when there are two."""


MOSTLY_NO = -5.0
"""The log odds of a yes before anything is learned."""


class TextTrunk(nn.Module):
    """A causal transformer, layer norms first, whose last layer has no perceptron.

    Its states have a mean of zero.

    Args:
        names: The concepts that a slot can belong to.
        vocabulary: How many tokens there are.
        padding: Which of them is padding.
        words: Tokens before the slots, BOS among them.
        width: Numbers of a state, a multiple of ``heads``.
        layers: Whole ones, before the last.
        heads: Of attention.
        hidden: Units of a perceptron.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        vocabulary: int,
        padding: int,
        words: int,
        width: int,
        layers: int,
        heads: int,
        hidden: int,
    ) -> None:
        super().__init__()
        self.names = tuple(names)
        self.padding = padding
        self.words = words
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(words + SLOT_PLACES, width)
        self.attentions = cast(
            "Sequence[Attention]",
            nn.ModuleList(Attention(width, heads) for _ in range(layers + 1)),
        )
        self.perceptrons = cast(
            "Sequence[Perceptron]",
            nn.ModuleList(Perceptron(width, hidden) for _ in range(layers)),
        )
        self.answers = nn.Linear(width, self.facts.stop)
        nn.init.constant_(self.answers.bias, MOSTLY_NO)
        nn.init.normal_(self.tokens.weight, std=0.02)
        nn.init.normal_(self.places.weight, std=0.02)

    @property
    def meaning(self) -> slice:
        """What of a word's state says what it means."""
        return slice(0, min(MEANING, self.tokens.embedding_dim))

    @property
    def things(self) -> slice:
        """The answers for each of ``names``, positive if the slot belongs to it."""
        return slice(0, len(self.names))

    @property
    def colours(self) -> slice:
        """Those for each colour, positive if it is said of the slot's thing."""
        return slice(self.things.stop, self.things.stop + len(COLOUR_NAMES))

    @property
    def facts(self) -> slice:
        """Those for each fact, positive if the prompt tells it."""
        return slice(self.colours.stop, self.colours.stop + FACTS)

    def forward(self, ids: Tensor, places: Tensor) -> Tensor:
        """Return states.

        Args:
            ids: (prompts, tokens).
            places: Where each token is, (tokens,), ascending: below ``words`` it is before the
                slots.

        Returns:
            (prompts, tokens, width).
        """
        states: Tensor = self.tokens(ids) + self.places(places)
        count = ids.shape[1]
        seen = torch.ones(count, count, dtype=torch.bool, device=ids.device).tril()
        seen = (seen & (ids != self.padding)[:, None])[:, None]
        for layer, attention in enumerate(self.attentions):
            states = states + attention(states, seen)
            if layer < len(self.perceptrons):
                states = states + self.perceptrons[layer](states)
        return states - states.mean(-1, keepdim=True)

    def answer(self, states: Tensor) -> Tensor:
        """Return the answers of states, (prompts, tokens, answers): the log odds of a yes."""
        answers: Tensor = self.answers(states)
        return answers


class Attention(nn.Module):
    """What a layer adds that looks at other tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, states: Tensor, seen: Tensor) -> Tensor:
        """Return what to add to states; ``seen`` tells which of which (prompts, 1, to, from)."""
        normed = self.norm(states)
        query, key, value = (
            projection(normed).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        added: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return added


class Perceptron(nn.Module):
    """What a layer adds that looks at the token alone."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, hidden)
        self.out = nn.Linear(hidden, width)

    def forward(self, states: Tensor) -> Tensor:
        """Return what to add to states."""
        added: Tensor = self.out(functional.gelu(self.inner(self.norm(states))))
        return added
