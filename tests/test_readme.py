"""Every command that the README shows is one that the program takes."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

import sheepgen
from sheepgen.batch import plan as batch_plan
from sheepgen.batch import run as batch_run
from sheepgen.bench import run as bench_run
from sheepgen.cli.app import app
from sheepgen.execution import dissolve as dissolving
from sheepgen.execution import plan
from sheepgen.fields import FIELDS
from sheepgen.metadata.image_file import encode_image, read_record
from sheepgen.models import resolve
from sheepgen.models.families import EMBEDDED, FAMILIES, family_of
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest, ModelReference
from sheepgen.sweep import plan as sweep_plan
from sheepgen.sweep.grid import combine
from sheepgen.training import train as training
from sheepgen.training.evaluation import prompts
from sheepgen.verify import regenerate
from sheepgen.worker import client as worker_client
from sheepgen.worker import link as worker_link
from sheepgen.worker import start as worker_start
from tests.samples import sample_image, sample_record
from tests.tiny_unconditional import save_tiny_ddpm

if TYPE_CHECKING:
    from collections.abc import Iterator

README = Path(__file__).parents[1] / "README.md"


def commands(markdown: str) -> Iterator[str]:
    """Yield the ``sheepgen`` command of every line in a code block that has one."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", markdown, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            if match := re.match(r"(?:\$ |.*\| *)?(sheepgen\b.*)", line):
                yield match[1]


def words_of(command: str) -> list[str]:
    """Return the words that the program gets: without a comment, a pipe or a redirection."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.commenters = "#"
    lexer.whitespace_split = True
    words = list(lexer)
    end = next((place for place, word in enumerate(words) if set(word) <= set("|><&;")), len(words))
    return words[1:end]


def test_the_two_commands_that_install_are_the_only_ones() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("pip install ")] == [
        'pip install . && sheepgen "a sheep riding a motorcycle" --seed 42',
        'pip install ".[test,train]" && python -m pytest --cov',
    ]


def lay_pictures(folder: Path, words: list[str]) -> None:
    """Write the pictures that a command starts from."""
    for option, name in pairwise(words):
        if option in ("--image", "--mask"):
            Image.new("RGB", (8, 8), "white").save(folder / name)


def in_array(monkeypatch: pytest.MonkeyPatch, task: int, tasks: range) -> None:
    """Set what SLURM sets for a task of an array."""
    for name, value in (("ID", task), ("COUNT", len(tasks)), ("MIN", tasks[0]), ("MAX", tasks[-1])):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))


def test_commands_are_found_wherever_they_stand() -> None:
    markdown = (
        "```sh\n$ sheepgen 'a sheep' \\\n  --seed 1  # one image\necho x | sheepgen -\nls\n```\n"
        "sheepgen outside\n```\nsheepgen show x.png --json | jq .request > y\n```\n"
    )
    assert [words_of(command) for command in commands(markdown)] == [
        ["a sheep", "--seed", "1"],
        ["-"],
        ["show", "x.png", "--json"],
    ]


def test_every_command_in_the_readme_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> NoReturn:
        raise typer.Exit

    shown = list(commands(README.read_text(encoding="utf-8")))
    assert shown
    monkeypatch.chdir(tmp_path)
    in_array(monkeypatch, 1, range(1, 9))
    for module, function in (
        (plan, "plan_run"),
        (dissolving, "plan_dissolve"),
        (sweep_plan, "plan_sweep"),
        (batch_run, "run_batch"),
        (batch_plan, "plan_batch"),
        (resolve, "resolve_model"),
        (regenerate, "stream_verification"),
        (training, "train"),
        (prompts, "prompt_groups"),
        (bench_run, "run_bench"),
        (worker_start, "open_door"),
        (worker_client, "greet"),
        (worker_link, "greet"),
    ):
        monkeypatch.setattr(module, function, stop)
    (tmp_path / "jobs.jsonl").write_text("{}", encoding="utf-8")
    (tmp_path / "words.txt").write_text("a king\na queen\n", encoding="utf-8")
    save_tiny_ddpm(tmp_path / "ddpm-digits")  # of which the index says that it reads no prompt
    for command in shown:
        words = words_of(command)
        for word in words:
            reads_image = words[0] in ("show", "rerun", "branch", "dissolve")
            if reads_image and word.endswith((".png", ".jpg", ".webp")):
                path = tmp_path / word
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(encode_image(sample_image(), sample_record(), path.suffix))
        result = CliRunner().invoke(app, words, input="a sheep")
        assert result.exit_code == 0, f"{command}\n{result.output}"


def test_every_example_stays_in_the_range_of_the_embedded_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested: list[GenerationRequest] = []

    def take(what: Any, *_: object, **__: object) -> NoReturn:
        requested.extend(
            [what]
            if isinstance(what, GenerationRequest)
            else [cell.request for cell in combine({"seed": [0], **what}).cells]
        )
        raise typer.Exit

    monkeypatch.chdir(tmp_path)
    in_array(monkeypatch, 1, range(1, 9))
    save_tiny_ddpm(tmp_path / "ddpm-digits")
    monkeypatch.setattr(plan, "plan_run", take)
    monkeypatch.setattr(sweep_plan, "plan_sweep", take)
    other_uses = {
        *("show", "rerun", "branch", "verify", "train", "evaluate", "models", "schedulers"),
        *("batch", "bench", "config", "meaning", "dissolve", "serve"),
    }
    for command in commands(README.read_text(encoding="utf-8")):
        words = words_of(command)
        lay_pictures(tmp_path, words)
        if words[0] not in other_uses:
            assert CliRunner().invoke(app, words, input="a sheep").exit_code == 0, command
    spec = find_model(EMBEDDED_MODEL)
    ours = [spec.resolve(request) for request in requested if request.model == EMBEDDED_MODEL]
    assert len(ours) > 20
    assert outside_warnings(ours, {ModelReference(EMBEDDED_MODEL): spec}) == ()


def test_the_tasks_of_the_slurm_array_make_the_sweep_that_the_last_command_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (script,) = re.findall(
        r"^```sh\n(#!/bin/bash\n.*?)^```", README.read_text("utf-8"), re.M | re.S
    )
    directives = dict(re.findall(r"^#SBATCH --([\w-]+)=(.*)$", script, re.M))
    first, last = map(int, directives["array"].split("-"))
    ((_, _, *task),) = map(words_of, commands(f"```\n{script}```\n"))
    (whole,) = (
        words[2:]
        for words in map(words_of, commands(README.read_text("utf-8")))
        if words[-1] == "--resume"
    )
    assert [word for word in task if word not in ("--shard", "auto")] == whole[:-1]
    monkeypatch.chdir(tmp_path)

    def images(words: list[str]) -> list[str]:
        for name, value in (("--model", EMBEDDED_MODEL), ("--seeds", "1-40")):
            words = [value if before == name else word for before, word in pairwise(["", *words])]
        result = CliRunner().invoke(
            app, ["sweep", "a {castle|lighthouse}", *words, "--dry-run", "--json"]
        )
        assert result.exit_code == 0, result.output
        return [image["path"] for image in json.loads(result.stdout)["images"]]

    made = []
    for number in range(first, last + 1):
        in_array(monkeypatch, number, range(first, last + 1))
        made += images(task)
    assert sorted(made) == sorted(images(whole[:-1]))
    assert len(made) == 80


def python_examples() -> dict[str, str]:
    """Return the README's examples as one program, and the package's own."""
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.M)
    assert sheepgen.__doc__
    lines = re.findall(r"^    .*", sheepgen.__doc__, re.MULTILINE)
    return {"README": "\n".join(blocks), "docstring": dedent("\n".join(lines))}


@pytest.mark.parametrize(
    ("name", "prompts"),
    [
        (
            "README",
            [
                *["a fox in the snow"] * 2,
                *["a fox", "a fox", "an owl", "an owl"],
                *["a robot on the moon", "a strawberry"],
            ],
        ),
        ("docstring", [*["a fox in the snow"] * 4, "a goat", "a red sheep"]),
    ],
)
def test_python_examples_run_without_the_command_line(
    name: str, prompts: list[str], tmp_path: Path
) -> None:
    program = f"""{python_examples()[name]}
import sys
from sheepgen import plan_run, run_plan
assert not {{"sheepgen.cli", "typer", "rich"}} & sys.modules.keys()
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(README.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    images = [
        path
        for path in tmp_path.rglob("*.png")
        if not path.parent.name.endswith("_frames")
        and not path.stem.endswith("_filmstrip")
        and path.stem != "contact_sheet"
    ]
    assert sorted(read_record(path).request.prompt for path in images) == sorted(prompts)
    assert list(tmp_path.rglob("*_animation.gif"))
    if name == "README":
        assert result.stdout.count("is equal, bit for bit") == 6


def family_rows() -> dict[str, list[str]]:
    """Return the rows of the table of families without their first cells, by these."""
    lines = iter(README.read_text(encoding="utf-8").splitlines())
    header = (
        "| family | pipeline | loop | steps | guidance | schedulers | pictures | added | licence |"
    )
    assert header in lines
    next(lines)
    rows: dict[str, list[str]] = {}
    for line in lines:
        if not line.startswith("|"):
            return rows
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows[name] = cells
    return rows


def test_the_table_of_families_has_all_and_says_what_they_take() -> None:
    table = family_rows()
    added = {kind: kind for kind in ("embedding", "prior", "transformer", "upscaler")}
    added |= {"lora": "LoRA", "vae": "VAE"}
    expected = {family.name: family for family in FAMILIES if family is not EMBEDDED}
    assert table.keys() == expected.keys()
    for name, (pipelines, loop, _, guidance, schedulers, pictures, takes, _) in table.items():
        family = expected[name]
        for class_name in re.findall(r"`(\w+)`", pipelines):
            assert family_of({"_class_name": class_name}, "a model") is family
        assert loop == ("own" if family.own_loop else "diffusers'")
        own = "flow" if family.is_flow else "all"
        assert schedulers == (own if family.own_loop else "its own")
        assert pictures == ("yes" if family.own_loop else "no")
        assert {*filter(None, takes.split(", "))} == {
            word for field, word in added.items() if field in family.fields
        }
        assert ("reads no prompt" in guidance) is not family.reads_prompt
        for field in ("true_cfg", "guidance_end"):
            assert (FIELDS[field].option in guidance) is (field in family.fields)
