from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.models.hub.conftest import use_hub
from tests.models.hub.fake_hub import running
from tests.tiny_ldm import save_tiny_ldm

if TYPE_CHECKING:
    from tests.cli.conftest import Configure, Run

PROMPTS = ("a sheep", "red sheep", "a deer")


@pytest.fixture
def meaning(run: Run, tiny_folder: Path) -> Run:
    """Return a function that measures with the tiny model."""

    def meaning(*words: str, stdin: str | None = None) -> Any:
        model = () if "--model" in words else ("--model", str(tiny_folder))
        return run("meaning", *words, *model, "--device", "cpu", stdin=stdin)

    return meaning


def test_a_table_near_words_and_pictures(meaning: Run) -> None:
    result = meaning(*PROMPTS, "--analogy", "king - man + woman", "--nearest", "2")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert any(line.startswith("pooling ") and "the end token" in line for line in lines)
    assert any(line.startswith("centring ") and "the mean of 1,206 words" in line for line in lines)
    (heading,) = [line for line in lines if line.startswith("Distance ")]
    assert heading.split() == ["Distance", "1", "2", "3"]
    (row,) = [line for line in lines if line.startswith("1  a sheep")]
    assert row.split()[3] == "0.00"
    (near,) = [line for line in lines if line.startswith("near a deer: ")]
    assert near.count(",") == 1
    assert any(line.startswith("king - man + woman: ") for line in lines)
    assert any(line.startswith("What is near in meaning ") for line in lines)
    assert lines[-2:] == ["outputs/a-sheep_distances.png", "outputs/a-sheep_map.png"]
    assert all(Path(line).is_file() for line in lines[-2:])


def test_quietly_only_paths_are_printed(meaning: Run) -> None:
    result = meaning(*PROMPTS, "-q", "-o", "here")
    assert result.stdout.splitlines() == ["here/a-sheep_distances.png", "here/a-sheep_map.png"]
    assert result.stderr == ""


def test_json_is_one_line(meaning: Run) -> None:
    result = meaning(*PROMPTS, "--json", "--raw")
    (line,) = result.stdout.splitlines()
    printed = json.loads(line)
    assert printed["prompts"] == list(PROMPTS)
    assert printed["space"]["centred"] is False
    assert printed["files"]["distances"] == "outputs/a-sheep_distances.png"


def test_prompts_and_words_from_elsewhere(meaning: Run) -> None:
    Path("words.txt").write_text("sheep\nred\nfire truck\n")
    result = meaning("-", "a deer", "--words", "words.txt", "--json", stdin="a sheep\n\nred shed\n")
    printed = json.loads(result.stdout)
    assert printed["prompts"] == ["a sheep", "red shed", "a deer"]
    assert {each["word"] for each in printed["nearest"][2]} == {"sheep", "red", "fire truck"}


def test_a_precision_without_effect_is_said(meaning: Run) -> None:
    result = meaning(*PROMPTS, "--dtype", "fp8")
    assert result.exit_code == 0
    assert "dtype fp8 has no effect here; the text encoder is read at " in result.stderr


def test_hostile_prompts_are_only_text(meaning: Run) -> None:
    result = meaning("\x1b[31m[red]x[/red]\u202e", "a deer")
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    assert "\u202e" not in result.output
    assert "[red]x[/red]" in result.stdout


def test_a_table_that_is_too_wide_is_left_out(meaning: Run) -> None:
    result = meaning(*map(str, range(30)))
    assert "The distances of 30 prompts are in the picture and in --json" in result.stdout


def test_words_that_are_not_used_are_named(run: Run, parsing_folder: Path) -> None:
    Path("words.txt").write_text("sheep\nfire truck\nxylophonist\n")
    result = run(
        *("meaning", "a quick sheep", "a fire truck", "--words", "words.txt"),
        *("--model", str(parsing_folder)),
    )
    assert result.exit_code == 0
    assert 'Prompt "a quick sheep" ' in result.stderr
    assert 'Not used: "quick"' in result.stderr
    assert "Left out of the words, as they say nothing to the model: xylophonist." in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "No prompts given."),
        (("a sheep", "--analogy", "king"), '"king" is not a sum of 2 to 8 words.'),
        (("a sheep", "--nearest", "101"), "--nearest must be between 0 and 100, got 101."),
        (("a sheep", "--words", "missing.txt"), "Cannot read words from missing.txt"),
        (("a sheep", "--encoder", "text_encoder_2"), 'no text encoder "text_encoder_2"'),
        (("a sheep", "--model", "nothing"), 'Unknown model "nothing".'),
        (("\x00",), "prompt"),
    ],
)
def test_what_is_wrong_is_one_line(meaning: Run, words: tuple[str, ...], message: str) -> None:
    result = meaning(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert not Path("outputs").exists()


def test_a_model_without_such_an_encoder_is_refused(meaning: Run, tmp_path: Path) -> None:
    result = meaning("a sheep", "--model", str(save_tiny_ldm(tmp_path / "ldm")))
    assert result.exit_code == 2
    assert "has no text encoder that can be measured" in result.stderr


def test_prompts_can_be_piped(meaning: Run) -> None:
    printed = json.loads(meaning("--json", stdin="a sheep\na deer\n").stdout)
    assert printed["prompts"] == ["a sheep", "a deer"]


def test_only_text_encoders_are_downloaded(
    meaning: Run, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache" / "hub"
    with running({"somebody/tiny": tiny_folder}) as server:
        use_hub(server, cache, monkeypatch)
        result = meaning(*PROMPTS, "--model", "somebody/tiny", "--json")
    assert result.exit_code == 0, result.output
    weights = {path.parent.name for path in cache.rglob("*.safetensors")}
    assert weights == {"text_encoder"}
    there = meaning(*PROMPTS, "--json")
    assert json.loads(result.stdout)["distances"] == json.loads(there.stdout)["distances"]


def test_a_preset_names_a_model(run: Run, configure: Configure, tiny_folder: Path) -> None:
    configure(f'[models.mine]\nmodel = "{tiny_folder}"\nguidance = 3\n')
    result = run("meaning", *PROMPTS, "--model", "mine", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["model"] == str(tiny_folder)
