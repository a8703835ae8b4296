"""Reads prompts: words become the parser's answers, and these the labels of a scene."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

import torch

from sheepgen.embedded.account import account_for
from sheepgen.embedded.drawings import Drawing, DrawingTable
from sheepgen.embedded.prompt import read_words
from sheepgen.embedded.prompt_parser import parse
from sheepgen.embedded.scene_labels import SceneLabels, Thing, describe
from sheepgen.embedded.scene_text_encoder import SceneTextEncoder
from sheepgen.embedded.suggestions import suggestion_for
from sheepgen.embedded.vocabulary import NUMBER
from sheepgen.embedded.vocabulary_file import read_vocabulary
from sheepgen.errors import ModelError
from sheepgen.models.families import PROMPT_SYMBOLS, VOCABULARY_FILE
from sheepgen.pipeline.building import running
from sheepgen.pipeline.loading import load_diffusers
from sheepgen.pipeline.text_cache import TextCache
from sheepgen.prompt_reading import Correction, PromptReading, UnusedWord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.embedded.prompt import Mention, PromptWords
    from sheepgen.embedded.prompt_parser import ParsedPrompt
    from sheepgen.embedded.prompt_pieces import Word
    from sheepgen.embedded.scene_labels import Kind
    from sheepgen.embedded.vocabulary import NamedConcept, Vocabulary
    from sheepgen.models.checkpoint import Checkpoint

__all__ = ["PromptReader"]

OWN_COLOUR = "own-colour"
"""Role of concepts that are never painted."""

_SHOWN_ALONE = ("place", "time", "weather", "background", "digits")
"""Questions to which an answer makes a picture without any thing in it."""

_NAMED = ("place", "time", "weather", "background", "style")
"""Questions to which a prompt's words name the answer."""


@dataclass(frozen=True, slots=True)
class PromptReader:
    """Reads prompts into scene labels.

    Args:
        vocabulary: The words that the model knows.
        text_encoder: Its parser is used here.
        drawings: The rows of its table of cells.
    """

    vocabulary: Vocabulary
    text_encoder: SceneTextEncoder
    drawings: DrawingTable
    _parsed: TextCache[tuple[PromptWords, ParsedPrompt]] = field(
        default_factory=TextCache, init=False, repr=False, compare=False
    )

    @classmethod
    def load(cls, checkpoint: Checkpoint) -> PromptReader:
        """Load it from a model folder, in float32: it is small.

        Raises:
            ModelError: If the vocabulary cannot be read or does not fit the text encoder.
        """
        vocabulary = read_vocabulary(checkpoint.folder / "text_encoder" / VOCABULARY_FILE)
        text_encoder = load_diffusers(checkpoint, "text_encoder", SceneTextEncoder, torch.float32)
        # diffusers leaves it as it is stored: in float16, among bytes.
        text_encoder.parser.float()
        drawings = DrawingTable.of(Drawing(*row) for row in vocabulary.drawings)
        for part, needed, found in (
            ("drawings", len(drawings.drawings), text_encoder.config.drawings),
            ("symbols", len(vocabulary.ids), text_encoder.config.symbols),
        ):
            if needed != found:
                raise ModelError(
                    f"The model's vocabulary has {needed} {part}, its text encoder {found}.",
                    "They come from different models.",
                )
        if missing := next((name for name in vocabulary.concepts if not drawings.styles(name)), ""):
            raise ModelError(
                f"The model's vocabulary has no drawing of {missing!r}.",
                "The model is damaged. Download it again.",
            )
        return cls(vocabulary, text_encoder, drawings)

    def labels(self, text: str) -> SceneLabels | None:
        """Return what a prompt says, or None if it says nothing that can be shown."""
        return self._labels_of(*self._read(text))

    def reading(self, text: str) -> PromptReading:
        """Return what is made of a prompt, for people."""
        words, parsed = self._read(text)
        labels = self._labels_of(words, parsed)
        account = account_for(words, parsed, self.vocabulary)

        def typed(phrase: Sequence[Word]) -> str:
            return text[phrase[0].start : phrase[-1].end]

        return PromptReading(
            tokens=len(words.symbols) + len(words.unread),
            limit=PROMPT_SYMBOLS,
            truncated=tuple(typed([word]) for word in words.unread),
            understood=describe(labels) if labels else "",
            unused=tuple(
                UnusedWord(
                    word=typed(phrase),
                    suggestion=suggestion_for(phrase, words, self.vocabulary),
                )
                for phrase in account.unused
            ),
            corrected=(
                *(Correction(typed=each.typed, read=each.read) for each in words.corrections),
                *(
                    Correction(typed=typed(each.words), read=each.shown)
                    for each in account.otherwise
                ),
            ),
        )

    def _read(self, text: str) -> tuple[PromptWords, ParsedPrompt]:
        """Return a prompt's words and the parser's answers, from memory if they are there."""
        if (read := self._parsed.get(text)) is None:
            words = read_words(text, self.vocabulary)
            read = self._parsed.keep(text, (words, self._parse(words)))
        return read

    def _parse(self, words: PromptWords) -> ParsedPrompt:
        """Return the parser's answers that words lead to, without what cannot be had of them."""
        with running("text_encoder"):
            parsed = parse(self.text_encoder.parser, words, self.vocabulary)
        pairs = zip(parsed.mentions, parsed.colours, strict=True)
        cues = self.vocabulary.cues
        named = {
            cue
            for word in (*words.symbols, *(word.text for word in words.words))
            for cue in cues.get(word, ())
        }
        colours = (
            colour
            if f"colour={colour}" in named and self._can_have(mention.concept, colour)
            else ""
            for mention, colour in pairs
        )
        answers = {
            question: answer if question not in _NAMED or f"{question}={answer}" in named else ""
            for question, answer in parsed.answers.items()
        }
        is_number = any(cue.startswith(("count=", "digits", "kind=digits")) for cue in named)
        if not is_number and NUMBER not in words.symbols:
            answers["digits"] = answers["second digit"] = ""
        if any(
            answers["style"] not in self.drawings.styles(mention.concept)
            for mention in parsed.mentions
        ):
            answers["style"] = ""
        return replace(parsed, answers=answers, colours=tuple(colours))

    def _can_have(self, name: str, colour: str) -> bool:
        """Return whether a concept can be shown in a colour: painted or by its own drawing."""
        is_painted = OWN_COLOUR not in self.vocabulary.concepts[name].roles
        return is_painted or self.drawings.has_colour(name, colour)

    def _labels_of(self, words: PromptWords, parsed: ParsedPrompt) -> SceneLabels | None:
        concepts, answers = self.vocabulary.concepts, parsed.answers
        things = tuple(
            Thing(
                name=mention.concept,
                plural=concepts[mention.concept].plural,
                bare="bare" in concepts[mention.concept].roles,
                written="written" in concepts[mention.concept].roles,
                described=_described(mention, concepts[mention.concept]),
                colour=colour,
                words=tuple(dict.fromkeys(word.place for word in mention.words)),
            )
            for mention, colour in zip(parsed.mentions, parsed.colours, strict=True)
        )
        name = self.vocabulary.defaults.get(answers["place"], "")
        if name and not things and name not in words.absent:
            written = "written" in concepts[name].roles
            things = (Thing(name=name, plural=concepts[name].plural, written=written),)
        if not things and not any(answers[question] for question in _SHOWN_ALONE):
            return None
        return SceneLabels(
            kind=cast("Kind", answers["kind"] or "single"),
            things=things,
            count=int(answers["count"] or 1),
            style=answers["style"],
            place=answers["place"],
            time=answers["time"],
            weather=answers["weather"],
            background=answers["background"],
            digits=answers["digits"] + answers["second digit"],
        )


def _described(mention: Mention, concept: NamedConcept) -> str:
    """Return what the words of a mention say before the concept's name, or ""."""
    words = " ".join(word.text for word in mention.words)
    ending = f" {concept.plural if mention.plural else concept.name}"
    return words.removesuffix(ending) if mention.how == "name" and words.endswith(ending) else ""
