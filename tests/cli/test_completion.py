"""<TAB>, through the variables in which the scripts of bash and zsh ask."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from sheepgen.cli.app import COMMANDS
from sheepgen.cli.options import FramesWord
from sheepgen.schedulers import SCHEDULERS
from sheepgen.training.config import PRESETS
from sheepgen.training.train import STAGES

ROOT = Path(__file__).parents[2]

SLOW = ("torch", "diffusers", "transformers", "huggingface_hub")


@pytest.fixture
def library(tmp_path: Path) -> str:
    """Return a path for Python on which everything slow is missing."""
    for name in SLOW:
        (tmp_path / f"{name}.py").write_text("raise SystemExit(f'{__name__} was imported')")
    return f"{tmp_path}:{ROOT}"


def complete(library: str, **asked: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "sheepgen"],
        env={**os.environ, "PYTHONPATH": library, **asked},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, ""), result.stderr
    return result.stdout


def bash(library: str, *words: str, **environment: str) -> list[str]:
    """Return what is offered for the last word."""
    asked = {
        "COMP_WORDS": "\n".join(("sheepgen", *words)),
        "COMP_CWORD": str(len(words)),
        "_SHEEPGEN_COMPLETE": "complete_bash",
    }
    return complete(library, **asked, **environment).split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ([""], list(COMMANDS)),
        (["sw"], ["sweep"]),
        (["help", "sw"], ["sweep"]),
        (["--sche"], ["--scheduler"]),
        (["'a cat'", "--sche"], ["--scheduler"]),
        (["generate", "'a cat'", "--sche"], ["--scheduler"]),
        (["sweep", "'a cat'", "--sche"], ["--scheduler"]),
        (["'a cat'", "--seed", "3", "--sche"], ["--scheduler"]),
        (["--vers"], ["--version"]),
        (["'a cat'", "--scheduler", "dpmpp_3"], [n for n in SCHEDULERS if n.startswith("dpmpp_3")]),
        (["--scheduler", "eul"], [name for name in SCHEDULERS if name.startswith("eul")]),
        (["sweep", "x", "--scheduler", "lcm,tc"], ["lcm,tcd"]),
        (["'a cat'", "--frames", ""], list(get_args(FramesWord))),
        (["'a cat'", "--frame-decoder", "l"], ["linear"]),
        (["'a cat'", "--dtype", "f"], ["fp32", "fp16", "fp8"]),
        (["'a cat'", "--device", "c"], ["cuda", "cpu"]),
        (["-m", "shee"], ["sheepgen"]),
        (["sweep", "x", "-m", "sheepgen,sdxl"], ["sheepgen,sdxl", "sheepgen,sdxl-turbo"]),
        (["show", "x.png", "--format", "c"], ["command"]),
        (["meaning", "x", "--ana"], ["--analogy"]),
        (["meaning", "x", "--encoder", "text_encoder_"], ["text_encoder_2", "text_encoder_3"]),
        (["train", "--preset", ""], list(PRESETS)),
        (["train", ""], list(STAGES)),
        (["'a cat'", "-o", ""], []),
    ],
)
def test_bash_is_offered_what_fits(library: str, words: list[str], offered: list[str]) -> None:
    assert bash(library, *words) == offered


def test_models_of_the_cache_are_offered(library: str, tmp_path: Path) -> None:
    (tmp_path / "hub" / "models--somebody--their-model").mkdir(parents=True)
    (tmp_path / "hub" / "datasets--somebody--data").mkdir()
    for environment in ({"HF_HUB_CACHE": f"{tmp_path}/hub"}, {"HF_HOME": str(tmp_path)}):
        assert bash(library, "-m", "some", **environment) == ["somebody/their-model"]
    assert bash(library, "-m", "./", HF_HOME=str(tmp_path)) == []


def test_the_users_own_names_are_offered(library: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[models.dreamy]\nmodel = 'x'\n[loras]\nink = 'a'\ninky = 'b'\npen = 'c'\n")
    assert bash(library, "-m", "drea", SHEEPGEN_CONFIG=str(file)) == ["dreamy", "dreamshaper"]
    assert bash(library, "--lora", "in", SHEEPGEN_CONFIG=str(file)) == ["ink", "inky"]
    file.write_text("[models")
    assert bash(library, "-m", "drea", SHEEPGEN_CONFIG=str(file)) == ["dreamshaper"]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("sheepgen 'a cat' --sche", "--scheduler"),
        ("sheepgen --sche", "--scheduler"),
        ("sheepgen --scheduler dpmpp_3", "dpmpp_3m_sde"),
        ("sheepgen 'a cat' --frames ", "strip"),
    ],
)
def test_zsh_is_offered_the_same(library: str, typed: str, offered: str) -> None:
    asked = {"_TYPER_COMPLETE_ARGS": typed, "_SHEEPGEN_COMPLETE": "complete_zsh"}
    assert f'"{offered}' in complete(library, **asked)
