"""The prompt parser: a small bidirectional transformer that finds how a prompt's words relate.

It reads symbols (`sheepgen.embedded.prompt`), in which no concept has a name of its own, and
answers questions about the whole scene, and for every symbol that stands for a concept, which of
the scene's two concepts it is and the colour that the prompt gives it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from sheepgen.embedded.link_words import Link, can_relate, find_link
from sheepgen.models.families import PROMPT_SYMBOLS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sheepgen.embedded.prompt import Mention, PromptWords
    from sheepgen.embedded.vocabulary import Vocabulary

__all__ = ["OWNERS", "ParsedPrompt", "ParserAnswers", "PromptParser", "parse"]

OWNERS = ("none", "first", "second")
"""What a mention can be in a scene."""

_ALONE = {"": 0, "digits": 0, "single": 1, "several": 1}
"""How many concepts there are in scenes of these kinds; all other kinds relate two."""

_IMPOSSIBLE = -1e9


class ParserAnswers(NamedTuple):
    """Logits.

    Args:
        questions: For each question (prompts, answers).
        owners: (prompts, symbols, `OWNERS`).
        colours: (prompts, symbols, 1 + colours); index 0 means none.
    """

    questions: dict[str, Tensor]
    owners: Tensor
    colours: Tensor


class PromptParser(nn.Module):
    """A transformer encoder over symbols.

    Args:
        symbols: How many there are.
        questions: What is asked of the whole prompt, and the answers to each. The first answer is
            empty: the prompt does not say.
        colours: What a concept can be said to have.
        width: Numbers of a state.
        layers: Of the transformer.
        heads: Of its attention.
    """

    def __init__(
        self,
        symbols: int,
        questions: Mapping[str, Sequence[str]],
        colours: Sequence[str],
        *,
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
    ) -> None:
        super().__init__()
        self.questions = {name: tuple(answers) for name, answers in questions.items()}
        self.colours = ("", *colours)
        self.width, self.depth, self.heads = width, layers, heads
        self.embedding = nn.Embedding(symbols, width, padding_idx=0)
        self.positions = nn.Parameter(torch.randn(PROMPT_SYMBOLS, width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.pooling = nn.Linear(width, 1)
        self.answers = nn.Linear(2 * width, sum(map(len, self.questions.values())))
        self.owners = nn.Linear(width, len(OWNERS))
        self.mention_colours = nn.Linear(width, len(self.colours))
        nn.init.normal_(self.embedding.weight, std=0.02)

    def forward(self, ids: Tensor) -> ParserAnswers:
        """Answer prompts.

        Args:
            ids: Of symbols, (prompts, symbols), 1 to `PROMPT_SYMBOLS` each; 0 is padding.
        """
        padding = ids == 0
        states = self.embedding(ids) + self.positions[: ids.shape[1]]
        # An empty prompt sees its first symbol: attention needs something to divide by.
        hidden = padding.clone()
        hidden[:, 0] = False
        states = self.layers(states, src_key_padding_mask=hidden)
        weights = self.pooling(states).masked_fill(hidden[..., None], _IMPOSSIBLE).softmax(1)
        mean = (states * weights).sum(1)
        most = states.masked_fill(hidden[..., None], _IMPOSSIBLE).amax(1)
        logits = self.answers(torch.cat([mean, most], dim=-1))
        sizes = [len(answers) for answers in self.questions.values()]
        return ParserAnswers(
            questions=dict(zip(self.questions, logits.split(sizes, dim=-1), strict=True)),
            owners=self.owners(states),
            colours=self.mention_colours(states),
        )


@dataclass(frozen=True, slots=True)
class ParsedPrompt:
    """What a prompt says.

    Args:
        answers: To the parser's questions: kind, count, style, place, …; empty where the prompt
            does not say.
        mentions: Those of the scene's concepts: none, one, or two if the kind is a relation.
        colours: Of each, empty where the prompt does not say.
        link: What links the two of a relation; None if nothing does, or leaves open what it means.
    """

    answers: Mapping[str, str]
    mentions: tuple[Mention, ...]
    colours: tuple[str, ...]
    link: Link | None = None


@torch.inference_mode()
def parse(parser: PromptParser, words: PromptWords, vocabulary: Vocabulary) -> ParsedPrompt:
    """Return the parser's most likely consistent answers to a prompt.

    The kind is a relation only if two concepts are mentioned that can be so related, and if what
    links them can mean it; it is empty or digits if none is. Of two related things there is one
    each, and of what is named in the plural are several.
    """
    if not words.symbols:
        return ParsedPrompt(dict.fromkeys(parser.questions, ""), (), ())
    ids = torch.tensor([[vocabulary.ids[symbol] for symbol in words.symbols]])
    logits = parser(ids.to(parser.positions.device))
    chosen = {name: scores[0].tolist() for name, scores in logits.questions.items()}
    answers = {
        name: parser.questions[name][scores.index(max(scores))] for name, scores in chosen.items()
    }
    owners = logits.owners[0].log_softmax(-1).tolist()
    scores = dict(zip(parser.questions["kind"], chosen["kind"], strict=True))
    possible = _possible_scenes(words, owners, answers, parser.questions["kind"], vocabulary)
    kind = max(possible, key=scores.__getitem__)
    mentions, link = possible[kind]
    answers["kind"] = kind
    if kind != "digits":
        answers["digits"] = answers["second digit"] = ""
    if kind == "several":
        counts = dict(zip(parser.questions["count"], chosen["count"], strict=True))
        answers["count"] = max(counts.keys() - {"", "1"}, key=counts.__getitem__)
    elif mentions:
        answers["count"] = "1"
    colours = logits.colours[0].argmax(-1)
    return ParsedPrompt(
        answers=answers,
        mentions=mentions,
        colours=tuple(parser.colours[int(colours[each.symbol])] for each in mentions),
        link=link,
    )


class _Scene(NamedTuple):
    """What is in a scene, and what links it."""

    mentions: tuple[Mention, ...] = ()
    link: Link | None = None


def _possible_scenes(
    words: PromptWords,
    owners: Sequence[Sequence[float]],
    answers: Mapping[str, str],
    kinds: Sequence[str],
    vocabulary: Vocabulary,
) -> dict[str, _Scene]:
    """Return the kinds of scene that a prompt can mean, each with the concepts most likely in it.

    Args:
        words: The prompt's.
        owners: Logarithms of the probabilities of being which of `OWNERS`, for each symbol.
        answers: The parser's to all questions.
        kinds: All that there are.
        vocabulary: What concepts and words can mean.
    """

    def likely(mentions: tuple[Mention, ...]) -> float:
        return sum(owners[each.symbol][part] for part, each in enumerate(mentions, 1))

    scenes: dict[str, _Scene] = {}
    if answers.get("digits"):
        scenes["digits"] = _Scene()
    if not words.mentions:
        return scenes | {"": _Scene()}
    pair = max(permutations(words.mentions, 2), key=likely, default=None)
    is_linked = False
    for first, second in (pair, pair[::-1]) if pair else ():
        link = find_link(words, first, second, vocabulary)
        for kind in kinds:
            is_meant = link is None or kind in link.meant | link.nearest
            is_relation = _ALONE.get(kind, 2) == 2 and is_meant
            if is_relation and can_relate(kind, first, second, vocabulary):
                scenes.setdefault(kind, _Scene((first, second), link))
                is_linked = is_linked or (link is not None and not link.is_open)
    alone = _Scene(max(((mention,) for mention in words.mentions), key=likely))
    if not is_linked:
        is_plural = alone.mentions[0].plural
        scenes |= {"several": alone} if is_plural else {"single": alone, "several": alone}
    return scenes
