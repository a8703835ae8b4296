"""``sheepgen config``, and a ``config.toml`` with which something is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Configure, Run, Typed

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("\n\nsteps = 0", ", line 3: steps must be between 1 and 1000, got 0."),
        ("steps = 2.5", ', line 1: steps must be a whole number, got "2.5".'),
        ("steps = true", ", line 1: steps must be a number, got true or false."),
        ("steps = [1]", ", line 1: steps must be a number, got a list."),
        ("guidance = nan", ", line 1: guidance must be between 0 and 100, got nan."),
        ("negative_prompt = 3", ", line 1: negative prompt must be text, got 3."),
        ('negative_prompt = "a\\u0000"', ", line 1: The negative prompt contains a NUL character."),
        ("scheduler = 'eular'", ', line 1: Unknown scheduler "eular".'),
        ("lora = [3]", ", line 1: lora must be text, got 3."),
        ("lora = 'a:99'", ", line 1: The scale of a LoRA must be between -10 and 10, got 99."),
        ("frames = 'some'", ", line 1: frames must be none, strip, steps, gif, webp or all, got"),
        ("count = 0", ", line 1: count must be between 1 and 10,000, got 0."),
        ("offline = 1", ", line 1: offline must be true or false, got 1."),
        ("size = '64'", ', line 1: "64" is not a size.'),
        ("when = 1979-05-27", ', line 1: Unknown key "when".'),
        ("steps = 1979-05-27", ", line 1: steps must be a number, got 1979-05-27."),
        ("stpes = 3", ', line 1: Unknown key "stpes".\nDid you mean steps?'),
        ("prompt = 'a fox'", ', line 1: Unknown key "prompt".'),
        ("dry_run = true", ', line 1: Unknown key "dry_run".'),
        ("steps = 1\nnum-inference-steps = 2", ", line 2: steps is set twice."),
        ("width = 8\nsize = '8x8'", ", line 2: width is set twice."),
        ("\n[models.a]\nsteps = 3", ", line 2: The preset a has no model."),
        ("[models.a]\nmodel = ''", ", line 2: The model name is empty."),
        ("[models.a]\nmodel = 3", ", line 2: model must be text, got 3."),
        ("[models.a]\nmodel = 'b'\neta = 2", ", line 3: eta must be between 0 and 1, got 2."),
        ("[models.a]\nmodel = 'b'\ndevice = 'cpu'", ", line 3: device cannot be set in a preset."),
        ("[models.sheepgen]\nmodel = 'b'", ", line 1: sheepgen is the installed model."),
        ("[models.'./a']\nmodel = 'b'", ', line 1: "./a" cannot be the name of a preset.'),
        ("[models.'a,b']\nmodel = 'b'", ', line 1: "a,b" cannot be the name of a preset.'),
        ("[models.\"a\\u001bb\"]\nmodel = 'b'", ', line 1: "ab" cannot be the name of a preset.'),
        ("[loras]\nink = 3", ", line 2: ink must be the path of a LoRA."),
        ("[loras]\nink = ''", ", line 2: ink must be the path of a LoRA."),
        ("[loras]\nink = 'a:0.5'", ", line 2: ink must be the path of a LoRA."),
        ('[loras]\nink = "a\\u0000"', ", line 2: ink must be the path of a LoRA."),
        ("[loras]\n'a:1' = 'b'", ', line 2: "a:1" cannot be the name of a LoRA.'),
    ],
)
@pytest.mark.parametrize("words", [["a fox", "--dry-run"], ["config"]])
def test_a_bad_file_is_an_error_that_says_where(
    run: Run, configure: Configure, text: str, complaint: str, words: list[str]
) -> None:
    folder = configure(text)
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert f"Error: {folder}/config.toml{complaint}" in result.stderr
    assert result.stdout == ""


def test_what_is_not_used_is_not_in_the_way(run: Run, configure: Configure) -> None:
    folder = configure("device = 'cuda:99'\nsteps = 0\n")
    result = run("a fox", "--steps", "8", "--device", "cpu", "--dry-run")
    assert result.exit_code == 0, result.output
    assert run("verify", "none.png").exit_code == 1
    assert run("schedulers").exit_code == 0
    assert run("config", "path").stdout == f"{folder}/config.toml\n"
    assert run("generate", "--help").exit_code == 0


def test_config_shows_what_is_set_and_where(
    run: Run, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = configure(
        'steps = 5\nnegative-prompt = "a\\u001b[31m"\noffline = true\n'
        + "[models.dreamy]\nmodel = 'org/name'\nsteps = 30\nsize = '64x32'\n"
        + "[loras]\nink = 'ink.safetensors'\n"
    )
    file = f"{folder}/config.toml"
    monkeypatch.setenv("SHEEPGEN_STEPS", "6")
    assert run("config").stdout.splitlines() == [
        f"file: {file}",
        "",
        "steps           = 6  # SHEEPGEN_STEPS",
        'negative_prompt = "a\\u001b[31m"  # line 2',
        "offline         = true  # line 3",
        "",
        "[models.dreamy]",
        'model  = "org/name"  # line 5',
        "steps  = 30  # line 6",
        "width  = 64  # line 7",
        "height = 32  # line 7",
        "",
        "[loras]",
        f'ink = "{folder}/ink.safetensors"  # line 9',
    ]
    shown = json.loads(run("config", "--json").stdout)
    assert (shown["path"], shown["exists"]) == (file, True)
    assert shown["settings"]["steps"] == {"value": 6, "source": "SHEEPGEN_STEPS"}
    assert shown["presets"]["dreamy"]["width"] == {"value": 64, "source": f"{file}, line 7"}
    assert shown["loras"]["ink"]["value"] == f"{folder}/ink.safetensors"


def test_config_says_when_there_is_no_file(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("config").stdout == "file: none, as SHEEPGEN_CONFIG is empty\n"
    assert json.loads(run("config", "--json").stdout)["path"] is None
    assert run("config", "path").exit_code == 2
    monkeypatch.delenv("SHEEPGEN_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = run("config", "path").stdout.strip()
    assert run("config").stdout == f"file: {path} (not there)\n"
    monkeypatch.setenv("SHEEPGEN_CONFIG", "none.toml")
    assert run("config", "path").stdout == "none.toml\n"
    result = run("config")
    assert result.exit_code == 2
    assert "none.toml does not exist.\nCorrect SHEEPGEN_CONFIG" in result.stderr


def test_the_example_of_the_readme_is_one(run: Run, typed: Typed, configure: Configure) -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.M)
    folder = configure(example)
    result = run("config")
    assert result.exit_code == 0, result.output
    name = re.search(r"^\[models\.(\w+)\]$", example, re.M)
    assert name
    request = typed("a fox", "--model", name[1])
    assert request.model.startswith(str(folder)), request.model
    assert request.lora.startswith(str(folder))


def test_models_are_looked_up_by_their_presets(
    run: Run, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "model").symlink_to(tiny_folder)
    file = tmp_path / "settings" / "config.toml"
    file.write_text('[models.dreamy]\nmodel = "model"\n[models.odd]\nmodel = 3\n')
    monkeypatch.setenv("SHEEPGEN_CONFIG", str(file))

    shown = run("models", "info", "dreamy", "--json")
    assert json.loads(shown.stdout)["folder"] == str(tmp_path / "settings" / "model")
    assert run("models", "verify", "dreamy").exit_code == 0
    refused = run("models", "info", "odd")
    assert (refused.exit_code, "line 4: model must be text" in refused.output) == (2, True)
