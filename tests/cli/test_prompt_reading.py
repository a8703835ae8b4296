"""What a model that parses prompts understood is printed, saved, and refused where it must be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.metadata.image_file import read_record
from sheepgen.models import families
from sheepgen.prompt_reading import Correction, PromptReading, UnusedWord
from tests import toy_family
from tests.toy_family import TOY, save_toy_model

if TYPE_CHECKING:
    from sheepgen.models.spec import ModelSpec
    from tests.cli.conftest import Run

SAID = 'Prompt understood as: red sheep. Not used: "purple". Read "shep" as "sheep".'
PARSED = {
    "understood": "red sheep",
    "unused": [{"word": "purple", "suggestion": ""}],
    "corrected": [{"typed": "shep", "read": "sheep"}],
}


def parse(spec: ModelSpec, text: str, *_: object) -> PromptReading:
    """Understand two words."""
    words = text.split()
    known = [{"shep": "sheep"}.get(word, word) for word in words]
    return PromptReading(
        tokens=len(words),
        limit=spec.max_tokens,
        understood=" ".join(word for word in known if word in ("red", "sheep")),
        unused=tuple(UnusedWord(word=word) for word in known if word not in ("red", "sheep", "a")),
        corrected=tuple(Correction(typed="shep", read="sheep") for _ in range(words.count("shep"))),
    )


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Run:
    """Return a function that runs a command line with a model that parses prompts."""
    monkeypatch.setattr(families, "FAMILIES", (*families.FAMILIES, TOY))
    monkeypatch.setattr(toy_family, "read_prompt", parse)
    folder = str(save_toy_model(tmp_path / "toy"))

    def toy(*words: str, stdin: str | bytes | None = None) -> Any:
        return run(*words, "--model", folder, "--frames", "none", stdin=stdin)

    return toy


def parsed(data: dict[str, Any]) -> dict[str, Any]:
    return {key: data[key] for key in PARSED}


def test_an_image_says_what_was_understood(toy: Run, run: Run) -> None:
    words = ("a purple red shep", "-s", "1", "-o", "x.png")
    made = toy(*words, "--count", "2", "--json")
    assert made.exit_code == 0, made.output
    assert made.stderr.count(SAID) == 1, "two images have one prompt"
    assert [parsed(json.loads(line)) for line in made.stdout.splitlines()] == [PARSED, PARSED]
    record = read_record(Path("x_1.png"))
    assert record.understood == "red sheep"

    shown = run("show", "x_1.png")
    assert SAID in shown.stdout
    assert parsed(json.loads(run("show", "x_1.png", "--json").stdout)) == PARSED
    assert SAID not in run("show", "x_1.png", "--format", "command").stdout
    verified = run("verify", "x_1.png")
    assert verified.exit_code == 0, verified.output


def test_the_embedded_models_family_says_what_it_understood(run: Run, parsing_folder: Path) -> None:
    words = ["a sheep on a purple fire truk", "-s", "1", "--steps", "2", "-o", "x.png", "--json"]
    made = run(*words, "--model", str(parsing_folder))
    assert made.exit_code == 0, made.output
    said = (
        "Prompt understood as: a sheep riding a fire truck. "
        'Not used: "purple". Read "truk" as "truck".'
    )
    assert said in made.stderr
    assert parsed(json.loads(made.stdout)) == {
        "understood": "a sheep riding a fire truck",
        "unused": [{"word": "purple", "suggestion": ""}],
        "corrected": [{"typed": "truk", "read": "truck"}],
    }
    assert run("rerun", "x.png", "-o", "y.png", "--strict").exit_code == 2
    refused = run("the meaning of life", "--model", str(parsing_folder))
    assert refused.exit_code == 2
    assert "Nothing in the prompt is known to " in refused.stderr
    listed = run("models", "info", str(parsing_folder), "--things")
    assert listed.stdout.splitlines() == [
        *("animal (1)", "    sheep"),
        *("vehicle (1)", "    fire truck"),
    ]


def test_quiet_and_json_progress_keep_standard_error_as_it_is_asked_for(toy: Run) -> None:
    assert toy("purple sheep", "--quiet").stderr == ""
    lines = toy("purple red shep", "--progress-json").stderr.splitlines()
    saved = json.loads(lines[-1])
    assert saved["event"] == "saved"
    assert parsed(saved) == PARSED


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_the_record_of_a_hostile_prompt_fits_into_every_format(
    toy: Run, run: Run, suffix: str
) -> None:
    prompt = "\x1b[31m" + " [b]" * 300 + " sheep " + "w" * 2_000
    made = toy(prompt, "-s", "1", "-o", f"x.{suffix}")
    assert made.exit_code == 0, made.output
    assert "\x1b[31m" not in made.stderr
    assert '"[b]"' in made.stderr
    assert len(read_record(Path(f"x.{suffix}")).unused) == 20
    assert run("verify", f"x.{suffix}").exit_code == 0


def test_a_dry_run_says_it_too(toy: Run) -> None:
    result = toy("a purple red shep", "-n", "blue", "--dry-run")
    assert re.search(r"^prompt +4 of 24 tokens; u" + re.escape(SAID[8:]), result.stdout, re.M)
    assert '; not understood. Not used: "blue".' in result.stdout
    data = json.loads(toy("a purple red shep", "--dry-run", "--json").stdout)
    assert parsed(data["prompt"]) == PARSED


def test_strict_refuses_unused_words_and_generates_nothing(
    toy: Run, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = toy("red sheep", "-s", "1", "-o", "x.png", "--strict")
    assert made.exit_code == 0, made.output
    monkeypatch.delattr("tests.toy_family.load")
    for words in (
        ("purple sheep", "-o", "y.png"),
        ("sheep", "-n", "blurry", "-o", "y.png"),
        ("sweep", "{red|purple} sheep", "-o", "y/"),
    ):
        refused = toy(*words, "--strict")
        assert refused.exit_code == 2, refused.output
        assert "Not used: " in refused.stderr
        assert "leave out --strict" in refused.stderr
    refused = run("rerun", "x.png", "--prompt", "purple sheep", "--strict", "-o", "y.png")
    assert refused.exit_code == 2, refused.output
    assert not [*Path().glob("y*")]


def test_a_prompt_of_which_nothing_is_understood_is_refused(
    toy: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("tests.toy_family.load")
    refused = toy("meaning of life")
    assert refused.exit_code == 2
    assert 'Not used: "meaning", "of", "life".' in refused.stderr
    assert "--things` lists what it knows; --model takes any other model." in refused.stderr
    refused = toy("sweep", "{sheep|life}", "-o", "out/")
    assert refused.exit_code == 2
    assert 'Nothing in the prompt "life" is known' in refused.stderr
    assert not Path("out").exists()


def test_a_sweep_says_which_prompts_have_unused_words(toy: Run) -> None:
    made = toy("sweep", "{red|purple} {sheep|shep}", "--seeds", "1-2", "-o", "out/")
    assert made.exit_code == 0, made.output
    assert made.stderr.count('Prompt "purple sheep" understood as: sheep. Not used: "purple".') == 1
    entry = json.loads(Path("out/manifest.jsonl").read_text().splitlines()[-1])
    assert entry["corrected"] == PARSED["corrected"]
    words = "{a|b|c|d|e|f|g|h} sheep"
    planned = toy("sweep", words, "-o", "more/", "--dry-run").stdout.splitlines()
    assert len([line for line in planned if "understood as" in line]) == 5
    assert "and 2 more" in planned
    data = json.loads(toy("sweep", words, "-o", "more/", "--dry-run", "--json").stdout)
    assert [prompt["text"] for prompt in data["prompts"]] == [
        f"{each} sheep" for each in "abcdefgh"
    ]
    assert data["prompts"][1]["unused"] == [{"word": "b", "suggestion": ""}]


def test_lines_of_a_batch_answer_for_themselves(toy: Run) -> None:
    lines = "purple red shep\nlife\nred sheep\n"
    made = toy("batch", "-o", "out/", stdin=lines)
    assert made.exit_code == 3, made.output
    first, second, third = map(json.loads, made.stdout.splitlines())
    assert parsed(first) == PARSED
    assert (second["status"], second["error"]["kind"]) == ("failed", "UsageError")
    assert "Nothing in the prompt of line 2 is known" in second["error"]["message"]
    assert (third["status"], third["unused"]) == ("done", [])
    assert 'Prompt of line 1 understood as: red sheep. Not used: "purple".' in made.stderr
    assert "line 3 understood" not in made.stderr
    planned = toy("batch", "-o", "out/", "--dry-run", stdin=lines)
    assert planned.exit_code == 2
    assert parsed(json.loads(planned.stdout.splitlines()[0])["prompt"]) == PARSED
    strict = toy("batch", "-o", "strict/", "--strict", stdin=lines)
    statuses = [json.loads(line)["status"] for line in strict.stdout.splitlines()]
    assert statuses == ["failed", "failed", "done"]
