"""Texts to vectors: a text encoder, loaded without the rest of its model.

Texts of as many tokens go through it together, so there is no padding: it would take most of the
time, and what it does to words differs between families.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import torch
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from sheepgen.embedded.prompt_reader import PromptReader
from sheepgen.errors import ModelError, UsageError
from sheepgen.pipeline.building import running
from sheepgen.pipeline.clip import load_clip
from sheepgen.pipeline.gemma import GemmaTextEncoder
from sheepgen.pipeline.quiet import quiet_libraries
from sheepgen.pipeline.qwen import THINKING, QwenTextEncoder
from sheepgen.pipeline.t5 import T5TextEncoder
from sheepgen.pipeline.tokens import count_tokens, measure_text
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from sheepgen.meaning.spaces import Space
    from sheepgen.models.spec import ModelSpec
    from sheepgen.prompt_reading import PromptReading

__all__ = ["SceneVectors", "TextVectors", "TokenVectors", "Vectors", "load_vectors"]

_TOKENS_AT_ONCE = 2048
_SCENES_AT_ONCE = 32


class Vectors(Protocol):
    """A loaded text encoder that makes one vector of a text."""

    def read_prompt(self, text: str) -> PromptReading:
        """Return how much of a text is read and, if the model parses it, what is understood."""

    def encode(self, texts: Sequence[str]) -> Iterator[TextVectors]:
        """Yield the vectors of texts, some at a time; of those that say nothing, none.

        Raises:
            UsageError: If a text has no tokens.
            ModelError: If the text encoder cannot run, or its numbers are not finite.
        """


@dataclass(frozen=True, slots=True)
class TextVectors:
    """Vectors of some texts.

    Args:
        texts: Their numbers.
        vectors: (texts, width), float32, on the CPU.
        done: How many texts are done with, those that say nothing among them.
    """

    texts: Sequence[int]
    vectors: Tensor
    done: int


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


def _end_token(output: Any, first: int) -> Tensor:  # noqa: ANN401, ARG001 - as all are called
    pooled: Tensor = output.text_embeds if "text_embeds" in output else output.pooler_output
    return pooled


def _mean_without_end(output: Any, first: int) -> Tensor:  # noqa: ANN401
    states: Tensor = output.last_hidden_state[:, first:-1]
    return states.float().mean(1)


def _mean_before_last(output: Any, first: int) -> Tensor:  # noqa: ANN401
    states: Tensor = output.hidden_states[-2][:, first:]
    return states.float().mean(1)


_LANGUAGE_MODEL = MappingProxyType({"output_hidden_states": True, "use_cache": False})


@dataclass(frozen=True, slots=True)
class SceneVectors:
    """The embedded model's text encoder, which parses prompts.

    Args:
        reader: Reads prompts into scenes.
    """

    reader: PromptReader

    def read_prompt(self, text: str) -> PromptReading:
        """Return what is understood of a text, and which of its words are not used."""
        return self.reader.reading(text)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> Iterator[TextVectors]:
        """Do what `Vectors.encode` says; of several drawings the preferred one is shown."""
        encoder, drawings = self.reader.text_encoder, self.reader.drawings
        for start in range(0, len(texts), _SCENES_AT_ONCE):
            numbers = range(start, min(start + _SCENES_AT_ONCE, len(texts)))
            labels = {number: self.reader.labels(texts[number]) for number in numbers}
            scenes = {number: each for number, each in labels.items() if each is not None}
            chosen = [drawings.choose(each, 0) for each in scenes.values()]
            vectors = torch.empty(0, 0)
            if scenes:
                tensors = encoder.label_tensors([*scenes.values()], chosen)
                with running("text_encoder"):
                    vectors = self._flat(encoder(*(each.to(encoder.device) for each in tensors)))
            yield TextVectors([*scenes], vectors, numbers.stop)

    def _flat(self, tokens: Tensor) -> Tensor:
        """Return conditioning tokens as one vector a scene.

        Products of these are those of all tokens side by side, but for the positions, which are
        the same for all scenes of a kind. What every token says of the scene is here once, and as
        long as it is there.

        Args:
            tokens: (scenes, tokens, hidden_size).
        """
        encoder = self.reader.text_encoder
        layout = encoder.layout
        memory = tokens[:, encoder.context_tokens :]
        own = torch.cat([memory[..., layout.cell], memory[..., layout.colour]], dim=-1)
        times = tokens.shape[1] - encoder.blank_tokens
        shared = tokens[:, -1, layout.attribute] * math.sqrt(times)
        return torch.cat([own.flatten(1), shared], dim=1).float().cpu()


def load_vectors(
    spec: ModelSpec, space: Space, device: torch.device, dtype: torch.dtype
) -> Vectors:
    """Load one of a model's text encoders, and nothing else of the model.

    Args:
        spec: The model.
        space: Of the text encoder.
        device: Where it goes.
        dtype: Precision of its weights; the embedded model's is float32.

    Raises:
        ModelError: If the model is damaged.
    """
    with quiet_libraries():
        return _LOADERS[space.reading.kind](spec, space, device, dtype)


def _load_clip(
    spec: ModelSpec, space: Space, device: torch.device, dtype: torch.dtype
) -> TokenVectors:
    classes = {each.__name__: each for each in (CLIPTextModel, CLIPTextModelWithProjection)}
    suffix = space.encoder.removeprefix("text_encoder")
    parts = load_clip(spec.checkpoint, classes[space.class_name], device, dtype, suffix=suffix)
    return TokenVectors(
        tokenizer=parts[f"tokenizer{suffix}"],
        model=parts[space.encoder],
        component=space.encoder,
        limit=space.limit,
        pool=_end_token,
    )


def _load_t5(
    spec: ModelSpec, space: Space, device: torch.device, dtype: torch.dtype
) -> TokenVectors:
    suffix = space.encoder.removeprefix("text_encoder")
    encoder = T5TextEncoder.load(spec.checkpoint, device, dtype, suffix=suffix, limit=space.limit)
    return TokenVectors(
        tokenizer=encoder.tokenizer,
        model=encoder.model,
        component=space.encoder,
        limit=space.limit,
        pool=_mean_without_end,
    )


def _load_qwen(
    spec: ModelSpec, space: Space, device: torch.device, dtype: torch.dtype
) -> TokenVectors:
    encoder = QwenTextEncoder.load(spec.checkpoint, device, dtype, THINKING, limit=space.limit)
    return TokenVectors(
        tokenizer=encoder.tokenizer,
        model=encoder.model,
        component=space.encoder,
        limit=space.limit,
        pool=_mean_before_last,
        before=THINKING.before,
        first=count_tokens(encoder.tokenizer, THINKING.before),
        settings=_LANGUAGE_MODEL,
    )


def _load_gemma(
    spec: ModelSpec, space: Space, device: torch.device, dtype: torch.dtype
) -> TokenVectors:
    encoder = GemmaTextEncoder.load(spec.checkpoint, device, dtype)
    return TokenVectors(
        tokenizer=encoder.tokenizer,
        model=encoder.model,
        component=space.encoder,
        limit=space.limit,
        pool=_mean_before_last,
        first=count_tokens(encoder.tokenizer, ""),  # its tokenizer puts one in front
        settings=_LANGUAGE_MODEL,
    )


def _load_scene(
    spec: ModelSpec,
    space: Space,  # noqa: ARG001 - as all are called
    device: torch.device,
    dtype: torch.dtype,  # noqa: ARG001
) -> SceneVectors:
    reader = PromptReader.load(spec.checkpoint)
    reader.text_encoder.to(device)
    return SceneVectors(reader)


_LOADERS: Mapping[str, Callable[..., Vectors]] = MappingProxyType(
    {
        "clip": _load_clip,
        "t5": _load_t5,
        "qwen": _load_qwen,
        "gemma": _load_gemma,
        "scene": _load_scene,
    }
)
"""By `sheepgen.meaning.spaces.Reading.kind`."""
