"""Transformers that read tokens, and what is read of them.

Texts with the same number of tokens go through a model together, without padding: that would take
most of the time, and what it does to words differs between families.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from sheepgen.errors import ModelError, UsageError
from sheepgen.meaning.text_vectors import TextVectors
from sheepgen.pipeline.building import running
from sheepgen.pipeline.tokens import measure_text
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.prompt_reading import PromptReading

__all__ = [
    "LANGUAGE_MODEL",
    "TokenVectors",
    "end_token",
    "mean_before_last",
    "mean_without_end",
]

_TOKENS_AT_ONCE = 2048


@dataclass(frozen=True, kw_only=True)
class TokenVectors:
    """A transformer that reads tokens.

    Args:
        tokenizer: Text to token ids.
        model: Token ids to states.
        component: The model's name, for messages.
        limit: Tokens that a text is cut to.
        pool: Makes one vector per text, (texts, width), of the model's output and of the number
            of tokens before a text.
        before: What is put in front of a text.
        first: How many tokens are before a text.
        settings: What the model is called with besides the tokens.
    """

    tokenizer: PreTrainedTokenizerBase
    model: Any
    component: str
    limit: int
    pool: Callable[[Any, int], Tensor]
    before: str = ""
    first: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dtype(self) -> torch.dtype:
        """Precision of its weights."""
        dtype: torch.dtype = self.model.dtype
        return dtype

    def read_prompt(self, text: str) -> PromptReading:
        """Return how long a text is and which of its words are not read."""
        return measure_text(self.tokenizer, text, self.limit, before=self.before)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Iterator[TextVectors]:
        """Do what `Vectors.encode` says."""
        nothing = len(self._ids(self.before))
        by_length: defaultdict[int, list[int]] = defaultdict(list)
        tokens = [self._ids(self.before + text) for text in texts]
        for number, ids in enumerate(tokens):
            if len(ids) <= nothing:
                raise UsageError(
                    f'"{excerpt(texts[number])}" has no tokens in this model.', "Reword it."
                )
            by_length[len(ids)].append(number)
        done = 0
        for length, numbers in sorted(by_length.items()):
            at_once = max(1, _TOKENS_AT_ONCE // length)
            for start in range(0, len(numbers), at_once):
                chosen = numbers[start : start + at_once]
                done += len(chosen)
                vectors = self._run([tokens[number] for number in chosen])
                yield TextVectors(chosen, vectors, done)

    def _ids(self, text: str) -> list[int]:
        with running("tokenizer"):
            ids: list[int] = self.tokenizer(
                text, max_length=self.limit, truncation=True, verbose=False
            ).input_ids
        return ids

    def _run(self, tokens: Sequence[Sequence[int]]) -> Tensor:
        ids = torch.tensor(tokens, device=self.model.device)  # (texts, tokens)
        if ids.max() >= self.model.config.vocab_size:
            raise ModelError(
                f"The model's tokenizer has tokens that its {self.component} does not know.",
                "They come from different models.",
            )
        with running(self.component):
            output = self.model(input_ids=ids, **self.settings)
            vectors = self.pool(output, self.first).float().cpu()
        if not vectors.isfinite().all():
            raise ModelError(
                f"The model's {self.component} gives numbers that are not finite.",
                "Try --dtype fp32.",
            )
        return vectors


def end_token(output: Any, first: int) -> Tensor:  # noqa: ANN401, ARG001 - as all are called
    """Return CLIP's summary: the state of the end token, projected if the model projects it."""
    pooled: Tensor = output.text_embeds if "text_embeds" in output else output.pooler_output
    return pooled


def mean_without_end(output: Any, first: int) -> Tensor:  # noqa: ANN401
    """Return the mean of the last layer's states, without the end token's."""
    states: Tensor = output.last_hidden_state[:, first:-1]
    return states.float().mean(1)


def mean_before_last(output: Any, first: int) -> Tensor:  # noqa: ANN401
    """Return the mean of the states of the last layer but one."""
    states: Tensor = output.hidden_states[-2][:, first:]
    return states.float().mean(1)


LANGUAGE_MODEL = MappingProxyType({"output_hidden_states": True, "use_cache": False})
"""What a language model is called with."""
