"""Prompts of AUTOMATIC1111's web UI, from the command line to the image and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL.PngImagePlugin import PngInfo

from sheepgen.metadata.image_file import read_record
from tests.samples import sample_image

if TYPE_CHECKING:
    from tests.cli.conftest import Run

TEXT = "a (sheep:1.3) BREAK ((and))"


@pytest.fixture
def quick(tiny_folder: Path) -> list[str]:
    return ["-m", str(tiny_folder), "-s", "1", "--steps", "2", "--frames", "none"]


def test_an_image_is_generated_shown_changed_and_verified(run: Run, quick: list[str]) -> None:
    made = run(TEXT, *quick, "--prompt-syntax", "a1111", "--clip-skip", "2", "-o", "x.png")
    assert made.exit_code == 0, made.output
    assert "Warning" not in made.stderr
    record = read_record(Path("x.png"))
    assert (record.request.prompt, record.truncated) == (TEXT, ())
    shown = run("show", "x.png").stdout
    assert shown.startswith(f"{TEXT}\n")
    assert "Clip skip: 2, " in shown
    assert "--prompt-syntax a1111" in shown
    assert run("verify", "x.png").exit_code == 0
    hashes = {record.latents_sha256}
    for change in (["--clip-skip", "1"], ["--prompt-syntax", "plain"]):
        changed = run("rerun", "x.png", *change, "-o", "y.png", "--overwrite", "--frames", "none")
        assert changed.exit_code == 0, changed.output
        hashes.add(read_record(Path("y.png")).latents_sha256)
    assert len(hashes) == 3
    # (sheep:1.3) is one word, and more tokens than are left.
    assert "((and))" in read_record(Path("y.png")).truncated


def test_an_image_of_the_web_ui_is_read_with_its_own_syntax(run: Run, quick: list[str]) -> None:
    info = PngInfo()
    info.add_itxt(
        "parameters",
        f"{TEXT}\nSteps: 2, Sampler: DDIM, CFG scale: 7.5, Seed: 1, Size: 32x32, Clip skip: 2, "
        "RNG: CPU, Version: v1.10.1",
    )
    sample_image().save("web.png", pnginfo=info)
    run(TEXT, *quick, "--prompt-syntax", "a1111", "--clip-skip", "2", "-o", "x.png")
    again = run("rerun", "web.png", "-m", quick[1], "--frames", "none", "-o", "y.png")
    assert again.exit_code == 0, again.output
    assert "Not mapped" not in again.stderr
    assert Path("x.png").read_bytes() == Path("y.png").read_bytes()


def test_a_long_prompt_is_cut_and_said_or_read_whole(run: Run, quick: list[str]) -> None:
    text = "sheep " * 20
    cut = run(text, *quick, "-o", "x.png")
    said = "has 22 tokens, and this model reads 16 (or all, with --long-prompt chunk). Not read: s"
    assert said in " ".join(cut.stderr.split())
    refused = run(text, *quick, "--strict", "--dry-run")
    assert refused.exit_code == 2
    assert "with --long-prompt chunk" in " ".join(refused.stderr.split())
    whole = run(text, *quick, "--strict", "--long-prompt", "chunk", "-o", "y.png")
    assert whole.exit_code == 0, whole.output
    first, second = (read_record(Path(name)) for name in ("x.png", "y.png"))
    assert (len(first.truncated), second.truncated) == (6, ())
    assert first.latents_sha256 != second.latents_sha256
    planned = run(text, *quick, "--long-prompt", "chunk", "--dry-run", "--json")
    prompt = json.loads(planned.stdout)["prompt"]
    assert (prompt["tokens"], prompt["limit"]) == (24, 32)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a sheep AND a cow", "has AND between prompts"),
        ("a [sheep:cow:0.5]", "has prompt editing"),
        ("a [sheep|cow]", "has prompt editing"),
        ("a sheep <lora:ink:0.8>", "give the file with --lora PATH:0.8"),
        ("a (sheep:1.2.3)", "is not a weight"),
    ],
)
def test_what_is_not_supported_is_refused_before_a_model_is_looked_for(
    run: Run, text: str, said: str
) -> None:
    for words in ((text,), ("a sheep", "-n", text)):
        refused = run(*words, "-m", "./nowhere", "--prompt-syntax", "a1111")
        assert refused.exit_code == 2, refused.output
        assert said in " ".join(refused.stderr.split())


def test_a_sweep_varies_all_three(run: Run, quick: list[str]) -> None:
    words = ["sweep", "{" + TEXT + "|a sheep}", *quick, "-o", "out/", "--clip-skip", "1-2"]
    swept = run(*words, "--prompt-syntax", "plain,a1111", "--long-prompt", "cut,chunk")
    assert swept.exit_code == 0, swept.output
    assert swept.stderr.count("Not read") == 1
    names = {Path(line).name for line in swept.stdout.split()}
    assert len(names) == 16
    assert any("_a1111_chunk_clipskip2" in name for name in names)
    batched = run(*words, "--prompt-syntax", "a1111", "--batch-size", "2", "-o", "more/")
    assert batched.exit_code == 0, batched.output
    assert run("verify", "out").exit_code == 0
