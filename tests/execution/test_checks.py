from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sheepgen.errors import UsageError
from sheepgen.execution.checks import read_prompts, unread_words
from sheepgen.models.resolve import find_model
from sheepgen.pipeline import stable_diffusion

if TYPE_CHECKING:
    from pathlib import Path

LONG = "one two three four five six seven eight"
"""More than the 16 tokens that the tiny model reads."""


def test_words_after_the_limit_are_found(tiny_folder: Path) -> None:
    lengths = read_prompts(find_model(str(tiny_folder)), {"prompt": LONG, "other": "a sheep"})
    assert (lengths["prompt"].limit, lengths["other"].truncated) == (16, ())
    assert lengths["prompt"].tokens > 16
    assert LONG.endswith(" ".join(lengths["prompt"].truncated))
    (sentence,) = unread_words(lengths, strict=False)
    assert sentence.startswith(f"The prompt has {lengths['prompt'].tokens} tokens, and this model")
    assert sentence.endswith(f"Not read: {' '.join(lengths['prompt'].truncated)}")
    with pytest.raises(UsageError, match="The prompt has"):
        unread_words(lengths, strict=True)
    assert unread_words({"other": lengths["other"]}, strict=True) == ()


def test_a_tokenizer_is_loaded_once(model_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = find_model(str(model_copy))
    read_prompts(spec, {"prompt": "a sheep"})
    monkeypatch.delattr(stable_diffusion, "load_tokenizer")
    assert read_prompts(spec, {"prompt": "a sheep"})["prompt"].tokens > 2


def test_another_tokenizer_beside_the_same_weights_is_another(model_copy: Path) -> None:
    prompts = {"prompt": "sheepsheepsheep"}
    spec = find_model(str(model_copy))
    before = read_prompts(spec, prompts)["prompt"]
    tokenizer = model_copy / "tokenizer/tokenizer.json"
    content = json.loads(tokenizer.read_text(encoding="utf-8"))
    content["model"]["merges"] = []
    tokenizer.unlink()
    tokenizer.write_text(json.dumps(content), encoding="utf-8")
    changed = find_model(str(model_copy))
    assert changed == spec, "the tokenizer is not part of the model's hash"
    assert read_prompts(changed, prompts)["prompt"].tokens > before.tokens
