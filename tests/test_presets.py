from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sheepgen.errors import UsageError
from sheepgen.presets import Presets
from sheepgen.request import GenerationRequest

if TYPE_CHECKING:
    from pathlib import Path

PRESETS = Presets(
    models={
        "dreamy": {
            "model": "org/name",
            "num_inference_steps": 20,
            "lora": "/loras/a.safetensors:0.5",
            "strength": 0.4,
        }
    },
    loras={"ink": "/loras/ink.safetensors"},
)


def test_a_preset_takes_the_place_of_fields_but_those_that_are_given() -> None:
    fields = {"model": "dreamy", "num_inference_steps": 8, "width": 64, "image": "a.png"}
    filled = {
        "model": "org/name",
        "num_inference_steps": 20,
        "width": 64,
        "image": "a.png",
        "lora": "/loras/a.safetensors:0.5",
        "strength": 0.4,
    }
    assert PRESETS.fill(fields) == filled
    given = {"model", "num_inference_steps"}
    assert PRESETS.fill(fields, given=given) == {**filled, "num_inference_steps": 8}
    assert PRESETS.without(given).fill(fields) == {**filled, "num_inference_steps": 8}


def test_what_is_about_a_picture_needs_one() -> None:
    assert "strength" not in PRESETS.fill({"model": "dreamy"})
    assert PRESETS.fill({"model": "dreamy", "strength": 0.7})["strength"] == 0.7


@pytest.mark.parametrize("model", ["./dreamy", "Dreamy", "org/name", "sheepgen"])
def test_other_models_are_as_they_were(model: str) -> None:
    assert PRESETS.fill({"model": model, "eta": 0.1}) == {"model": model, "eta": 0.1}
    assert PRESETS.fill({"eta": 0.1}) == {"eta": 0.1}


@pytest.mark.parametrize(
    ("lora", "filled"),
    [
        ("ink", "/loras/ink.safetensors"),
        ("ink:0.8", "/loras/ink.safetensors:0.8"),
        ("b.safetensors:2,ink:-0.5", "b.safetensors:2,/loras/ink.safetensors:-0.5"),
        ("./ink", "./ink"),
        ("", ""),
    ],
)
def test_names_of_loras_become_their_paths(lora: str, filled: str) -> None:
    assert PRESETS.fill({"lora": lora}) == {"lora": filled}


def test_a_word_that_is_neither_a_name_nor_a_path_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match='Unknown LoRA "inkk"') as caught:
        PRESETS.fill({"lora": "ink,inkk:0.5"})
    assert caught.value.hint == "Known: ink. --lora also takes a path."
    (tmp_path / "inkk").mkdir()
    assert PRESETS.fill({"lora": "inkk:0.5"}) == {"lora": "inkk:0.5"}
    assert Presets().fill({"lora": "inkk"}) == {"lora": "inkk"}


def test_two_names_of_one_file_are_one_file_given_twice() -> None:
    lora = Presets(loras={"a": "/x", "b": "/x"}).fill({"lora": "a,b:0.5"})["lora"]
    with pytest.raises(UsageError, match="LoRA /x is given twice"):
        GenerationRequest(prompt="a sheep", seed=1, lora=lora)


A1111 = {"prompt_syntax": "a1111"}


def test_loras_that_a_prompt_names_leave_it_and_join_the_others() -> None:
    fields = {
        **A1111,
        "prompt": "a (red:1.2) fox <lora:ink:0.8>",
        "negative_prompt": "<lyco:dots> blurry",
        "lora": "./a.safetensors:0.5",
    }
    named = Presets(loras={"ink": "/ink.safetensors", "dots": "/dots"})
    assert named.fill(fields) == {
        **A1111,
        "prompt": "a (red:1.2) fox",
        "negative_prompt": "blurry",
        "lora": "./a.safetensors:0.5,/ink.safetensors:0.8,/dots",
    }
    untagged = {**A1111, "prompt": " a fox "}
    assert named.fill(untagged) == untagged
    plain = {"prompt": "a <lora:ink:0.8>", "prompt_syntax": "plain"}
    assert named.fill(plain) == plain
    assert Presets().fill(fields) == fields


@pytest.mark.parametrize(
    ("tag", "complaint"),
    [
        ("<lora:inkk:1>", 'Unknown LoRA "inkk"'),
        ("<lora:/etc/passwd:1>", 'Unknown LoRA "/etc/passwd"'),
        ("<lora:ink:1000>", "between -10 and 10, got 1000"),
        ("<lora:ink:x>", "does not name a LoRA"),
    ],
)
def test_a_prompt_names_only_what_the_user_has_named(tag: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        PRESETS.fill({**A1111, "prompt": f"a fox {tag}"})
