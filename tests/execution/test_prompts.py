from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.errors import UsageError
from sheepgen.execution.engine import LocalEngine
from sheepgen.execution.prompts import ReadPrompt, prompt_notes, read_prompts
from sheepgen.models.resolve import find_model
from sheepgen.pipeline import clip, stable_diffusion
from sheepgen.prompt_reading import Correction, PromptReading, UnusedWord
from tests.samples import sample_spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sheepgen.models.spec import ModelSpec

LONG = "one two three four five six seven eight"
"""More than the 16 tokens that the tiny model reads."""


def tokens(spec: ModelSpec, text: str) -> int:
    (prompt,) = read_prompts(LocalEngine(), spec, [("prompt", text)], [])
    return prompt.reading.tokens


def test_words_after_the_limit_are_found(tiny_folder: Path) -> None:
    spec = find_model(str(tiny_folder))
    prompt, negative = read_prompts(
        LocalEngine(), spec, [("prompt", LONG)], [("negative prompt", "a sheep")]
    )
    reading = prompt.reading
    assert (reading.limit, negative.reading.truncated) == (16, ())
    assert reading.tokens > 16
    assert LONG.endswith(" ".join(reading.truncated))
    (line,) = prompt_notes([prompt, negative])
    assert line.startswith(f"The prompt has {reading.tokens} tokens, and this model")
    assert line.endswith(f"Not read: {' '.join(reading.truncated)}")
    with pytest.raises(UsageError, match="The negative prompt has"):
        read_prompts(LocalEngine(), spec, [], [("negative prompt", LONG)], strict=True)
    read_prompts(LocalEngine(), spec, [("prompt", "a sheep")], [], strict=True)


def reading(**parsed: Any) -> PromptReading:
    return PromptReading(tokens=3, limit=24, **parsed)


def understood(text: str, reading: PromptReading, *, is_negative: bool = False) -> ReadPrompt:
    return ReadPrompt(name="prompt", text=text, is_negative=is_negative, reading=reading)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Callable[[PromptReading], ModelSpec]:
    """Return a function that has a model read all prompts in one way."""

    def parsed(reading: PromptReading) -> ModelSpec:
        monkeypatch.setattr(stable_diffusion, "read_prompt", lambda *_: reading)
        return sample_spec("some model")

    return parsed


ALL = reading(understood="two cats at night")
SOME = reading(
    understood="a sheep",
    unused=(UnusedWord(word="purple"), UnusedWord(word="grandpa", suggestion="grandmother")),
    corrected=(Correction(typed="shep", read="sheep"),),
)
NOTHING = reading(understood="", unused=(UnusedWord(word="why"),))


def test_what_a_model_understood_is_one_line() -> None:
    assert prompt_notes([understood("two cats at night", ALL)]) == (
        "Prompt understood as: two cats at night.",
    )
    assert prompt_notes([understood("a purple shep, grandpa", SOME)]) == (
        'Prompt understood as: a sheep. Not used: "purple", "grandpa" (did you mean '
        '"grandmother"?). Read "shep" as "sheep".',
    )
    assert prompt_notes([understood("night", ALL, is_negative=True)]) == ()
    assert prompt_notes([understood("", reading(understood=""), is_negative=True)]) == ()
    assert prompt_notes([understood("why", NOTHING, is_negative=True)]) == (
        'Prompt not understood. Not used: "why".',
    )


def test_of_many_prompts_those_with_unused_words_are_said_and_the_rest_counted() -> None:
    good, bad = understood("cats", ALL), understood("shep", SOME)
    assert len(prompt_notes([good] * 5)) == 5
    assert prompt_notes([good] * 6) == ()
    lines = prompt_notes([good, *[bad] * 8])
    assert len(lines) == 6
    assert lines[-1] == "and 3 more"


def test_unused_words_are_an_error_if_strict(
    parsed: Callable[[PromptReading], ModelSpec],
) -> None:
    spec = parsed(SOME)
    for negative, name in ((False, "prompt"), (True, "negative prompt")):
        texts = ([], [(name, "x")]) if negative else ([(name, "x")], [])
        assert read_prompts(LocalEngine(), spec, *texts)[0].reading == SOME
        with pytest.raises(UsageError, match=f"The {name} has words that some model") as caught:
            read_prompts(LocalEngine(), spec, *texts, strict=True)
        assert 'Not used: "purple", "grandpa"' in caught.value.message
        assert "`sheepgen models info 'some model' --things`" in caught.value.hint
    read_prompts(LocalEngine(), parsed(ALL), [("prompt", "two cats")], [], strict=True)


def test_nothing_understood_is_always_an_error(
    parsed: Callable[[PromptReading], ModelSpec],
) -> None:
    spec = parsed(NOTHING)
    message = r'Nothing in the prompt is known to some model\. Not used: "why"\.'
    with pytest.raises(UsageError, match=message) as caught:
        read_prompts(LocalEngine(), spec, [("prompt", "why")], [])
    assert "--things` lists what it knows; --model takes any other" in caught.value.hint
    read_prompts(LocalEngine(), spec, [], [("negative prompt", "why")])
    read_prompts(LocalEngine(), parsed(reading(understood="")), [("prompt", "")], [], strict=True)


def test_hostile_words_are_shown_short_and_plain() -> None:
    words = [
        "[red]x[/red]",
        "[red]x[/red]",
        "\x1b[31m\nred",
        "\u202eevil",
        "w" * 10_000,
        *map(str, range(90)),
    ]
    unused = tuple(UnusedWord(word=word, suggestion=word) for word in words)
    corrected = tuple(Correction(typed=word, read=word) for word in words)
    scene = reading(understood="a\x1b[2J\n" * 900, unused=unused, corrected=corrected)
    (line,) = prompt_notes([understood("x", scene)])
    assert line.isprintable()
    assert len(line) < 1500
    assert '"[red]x[/red]"' in line
    assert "and 86 more" in line


def test_a_tokenizer_is_loaded_once(model_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = find_model(str(model_copy))
    tokens(spec, "a sheep")
    monkeypatch.delattr(clip, "load_tokenizer")
    assert tokens(spec, "a sheep") > 2


def test_another_tokenizer_beside_the_same_weights_is_another(model_copy: Path) -> None:
    prompt = "sheepsheepsheep"
    spec = find_model(str(model_copy))
    before = tokens(spec, prompt)
    tokenizer = model_copy / "tokenizer/tokenizer.json"
    content = json.loads(tokenizer.read_text(encoding="utf-8"))
    content["model"]["merges"] = []
    tokenizer.unlink()
    tokenizer.write_text(json.dumps(content), encoding="utf-8")
    changed = find_model(str(model_copy))
    assert changed == spec, "the tokenizer is not part of the model's hash"
    assert tokens(changed, prompt) > before
