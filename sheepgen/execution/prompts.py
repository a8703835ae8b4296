"""What a model makes of the prompts of a run, before its large weights are loaded.

A model that parses prompts says which words it has no use for. That is printed, and an error with
``--strict``; a prompt is always one if nothing in it is understood.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.errors import UsageError
from sheepgen.prompt_reading import add_readings, describe_reading, describe_words
from sheepgen.prompt_syntax import PLAIN
from sheepgen.sanitize import excerpt, first_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sheepgen.execution.engine import Engine
    from sheepgen.models.spec import ModelSpec
    from sheepgen.prompt_reading import PromptReading
    from sheepgen.prompt_syntax import PromptFormat
    from sheepgen.request import GenerationRequest
    from sheepgen.resolved_request import ResolvedRequest

__all__ = ["ReadPrompt", "named_texts", "prompt_notes", "read_prompts", "reading_of"]

_MAX_NOTES = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadPrompt:
    """A prompt, and what the model makes of it.

    Args:
        name: What it is called in messages: ``prompt``, ``negative prompt of line 3``.
        text: As typed.
        is_negative: Whether it says what to avoid.
        reading: The model's.
        can_be_chunked: Whether the model reads all of a longer one if it is asked to.
    """

    name: str
    text: str
    is_negative: bool
    reading: PromptReading
    can_be_chunked: bool = False

    @property
    def has_findings(self) -> bool:
        """Whether some of its words are not read as they are typed."""
        reading = self.reading
        return bool(reading.truncated or reading.unused or reading.corrected)


def named_texts(
    requests: Iterable[ResolvedRequest], *, is_negative: bool = False, where: str = ""
) -> list[tuple[str, str]]:
    """Return what each prompt is called in messages, and its text, each text once.

    Args:
        requests: Any number; what changes on the way is among their prompts.
        is_negative: Whether the negative ones are asked for.
        where: Said of where they come from.
    """
    kind = f"{'negative prompt' if is_negative else 'prompt'}{where}"
    distinct: dict[str, None] = {}
    for own in (leg.request for request in requests for leg in request.legs):
        texts = [own.negative_prompt] if is_negative else [text for text, _ in own.prompts]
        distinct |= dict.fromkeys(texts)
    if len(distinct) == 1:
        return [(kind, text) for text in distinct]
    return [(f'{kind} "{excerpt(text, 40)}"', text) for text in distinct]


def read_prompts(
    engine: Engine,
    spec: ModelSpec,
    prompts: Iterable[tuple[str, str]],
    negative_prompts: Iterable[tuple[str, str]],
    *,
    form: PromptFormat = PLAIN,
    strict: bool = False,
) -> tuple[ReadPrompt, ...]:
    """Read the prompts of a run, each once.

    Args:
        engine: Which reads them.
        spec: The model.
        prompts: What each is called in messages, and its text.
        negative_prompts: Likewise.
        form: How all are read.
        strict: Whether a word that is not used is an error.

    Raises:
        UsageError: If nothing of a prompt is understood; with ``strict``, if a prompt is too long
            or has words without effect.
    """
    named = [
        (name, text, negative)
        for negative, texts in ((False, prompts), (True, negative_prompts))
        for name, text in texts
    ]
    readings = engine.call(_readings, spec, [text for _, text, _ in named], form)
    found = tuple(
        ReadPrompt(
            name=name,
            text=text,
            is_negative=negative,
            reading=reading,
            can_be_chunked="long_prompt" in spec.family.fields,
        )
        for (name, text, negative), reading in zip(named, readings, strict=True)
    )
    for prompt in found:
        _check(prompt, spec, strict=strict)
    return found


def _readings(
    spec: ModelSpec, texts: Iterable[str], form: PromptFormat
) -> tuple[PromptReading, ...]:
    from sheepgen.pipeline.loading import read_prompt

    return tuple(read_prompt(spec, text, form) for text in texts)


def reading_of(request: GenerationRequest, prompts: Iterable[ReadPrompt]) -> PromptReading:
    """Return what the model makes of an image's prompt, or of its blend.

    Args:
        request: The image.
        prompts: From `read_prompts`, those of the image among them.
    """
    readings = {each.text: each.reading for each in prompts if not each.is_negative}
    texts, weights = zip(*request.prompts, strict=True)
    return add_readings([readings[text] for text in texts], weights)


def _check(prompt: ReadPrompt, spec: ModelSpec, *, strict: bool) -> None:
    reading = prompt.reading
    listing = f"`sheepgen models info {shlex.quote(excerpt(spec.name))} --things`"
    if reading.understood == "" and prompt.text.strip() and not prompt.is_negative:
        raise UsageError(
            f"Nothing in the {prompt.name} is known to {excerpt(spec.name)}. "
            f"{describe_words(reading.unused, ())}".rstrip(),
            f"{listing} lists what it knows; --model takes any other model.",
        )
    if reading.truncated and strict:
        remedy = "Shorten it" if reading.limit else "Leave it out"
        raise UsageError(_length_note(prompt), f"{remedy}, or leave out --strict.")
    if reading.unused and strict:
        raise UsageError(
            f"The {prompt.name} has words that {excerpt(spec.name)} does not use. "
            f"{describe_words(reading.unused, ())}",
            f"Reword it, or leave out --strict. {listing} lists what the model knows.",
        )


def prompt_notes(prompts: Iterable[ReadPrompt]) -> tuple[str, ...]:
    """Return a line for each prompt that a model parses, or does not read to its end.

    Of many prompts, only those are said of which some words are not read as they are typed, and of
    these the first. A negative prompt of which all is understood has no line.
    """
    lines = [(prompt, line) for prompt in prompts if (line := _note(prompt))]
    if len(lines) > _MAX_NOTES:
        lines = [(prompt, line) for prompt, line in lines if prompt.has_findings]
    return tuple(first_of([line for _, line in lines], _MAX_NOTES))


def _note(prompt: ReadPrompt) -> str:
    """Return one line on a prompt; empty if there is nothing to say."""
    reading = prompt.reading
    sentences: list[str] = []
    if reading.truncated and reading.limit:  # else it is said of the model
        sentences.append(_length_note(prompt))
    if reading.understood is not None and (prompt.has_findings or not prompt.is_negative):
        said = describe_reading(reading.understood, reading.unused, reading.corrected)
        sentences.append(f"{prompt.name[0].upper()}{prompt.name[1:]} {said}")
    return " ".join(sentences)


def _length_note(prompt: ReadPrompt) -> str:
    reading = prompt.reading
    lost = f"Not read: {excerpt(' '.join(reading.truncated), 200)}"
    if not reading.limit:
        return f"This model reads no {prompt.name}. {lost}"
    remedy = " (or all, with --long-prompt chunk)" if prompt.can_be_chunked else ""
    return (
        f"The {prompt.name} has {reading.tokens} tokens, and this model reads {reading.limit}"
        f"{remedy}. {lost}"
    )
