from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.config import Config, Entry, config_path, read_config
from sheepgen.errors import UsageError


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the user's file, which is not there yet."""
    path = tmp_path / "config.toml"
    monkeypatch.setenv("SHEEPGEN_CONFIG", str(path))
    return path


def complaint() -> str:
    with pytest.raises(UsageError) as caught:
        read_config()
    assert caught.value.hint
    return caught.value.message


def test_the_file_is_in_the_platforms_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SHEEPGEN_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    path = config_path()
    assert path is not None
    assert path.parts[-2:] == ("sheepgen", "config.toml")
    assert path.is_relative_to(tmp_path)
    assert read_config() == Config(path=path)


def test_a_variable_names_another_file_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHEEPGEN_CONFIG", "~/mine.toml")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert config_path() == Path("/home/somebody/mine.toml")
    monkeypatch.setenv("SHEEPGEN_CONFIG", "")
    assert config_path() is None
    assert read_config() == Config()


def test_values_come_with_the_lines_that_they_stand_in(file: Path) -> None:
    file.write_text(
        "# mine\n"
        "steps = 20\n"
        "\n"
        '"frames"="none" # no frames\n'
        "[models.dreamy]\n"
        'model = "org/name"\n'
        "lora = [\n"
        '  "a.safetensors",\n'
        "]\n"
        '  [models."v1.5"]\n'
        'model = "other"\n'
        "[loras]\n"
        'ink = "ink.safetensors"\r\n'
    )
    config = read_config()
    assert config.exists
    assert config.entries == (
        Entry(key="steps", value=20, place=f"{file}, line 2", folder=file.parent),
        Entry(key="frames", value="none", place=f"{file}, line 4", folder=file.parent),
    )
    dreamy, other = config.presets.values()
    assert list(config.presets) == ["dreamy", "v1.5"]
    assert (dreamy.place, other.place) == (f"{file}, line 5", f"{file}, line 10")
    places = [(entry.key, entry.place.rpartition(" ")[2]) for entry in dreamy.entries]
    assert places == [("model", "6"), ("lora", "7")]
    assert [(entry.key, entry.place) for entry in config.loras] == [("ink", f"{file}, line 13")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('models.dreamy.model = "a"', 1),
        ('[models]\ndreamy = {model = "a"}', 2),
        ('[models]\ndreamy.model = "a"', 2),
        ('models = {dreamy = {model = "a"}}', 1),
        ('\n["models"."dreamy"]\n"model"\t=\t"a"', 3),
    ],
)
def test_lines_are_found_in_whatever_form_tables_have(file: Path, text: str, line: int) -> None:
    file.write_text(text)
    (model,) = read_config().presets["dreamy"].entries
    assert (model.value, model.place) == ("a", f"{file}, line {line}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("steps = \n", ", line 1: "),
        ("steps = 1\nsteps = 2\n", ", line 2: "),
        ("a = 1\nb = '\0'\n", ", line 2: "),
        ('a = "', ""),
        ("a = " + "[" * 50_000, ": It is nested too deep."),
        ("[model.dreamy]\nmodel = 'a'\n", ', line 1: Unknown table "model".'),
        ("models = 3", ", line 1: models must be a table."),
        ("\nloras = 'a'", ", line 2: loras must be a table."),
        ("[models]\ndreamy = 'a'", ", line 2: dreamy must be a table."),
        ("[models.v1.5]\nmodel = 'a'", ", line 1: models.v1.5 is a table in a table."),
        ("[loras.ink]\npath = 'a'", ", line 1: loras.ink is a table in a table."),
    ],
)
def test_a_file_of_another_form_is_an_error_with_its_line(
    file: Path, text: str, expected: str
) -> None:
    file.write_text(text)
    assert complaint().startswith(f"{file}{expected}")


def test_a_file_that_cannot_be_read_is_an_error(file: Path) -> None:
    assert complaint() == f"{file} does not exist."
    file.write_bytes(b"\xff")
    assert complaint() == f"{file} is not UTF-8 text."
    file.write_bytes(b"#" * 100_001)
    assert complaint() == f"{file} cannot be read: Larger than 100,000 bytes."
    file.unlink()
    os.mkfifo(file)
    assert complaint() == f"{file} cannot be read: Not a regular file."
    file.unlink()
    file.mkdir()
    assert "cannot be read" in complaint()


@given(
    st.lists(
        st.sampled_from(
            [
                "[",
                "]",
                "models",
                "loras",
                ".",
                "=",
                "{",
                "}",
                '"',
                "'",
                "\n",
                ",",
                "#",
                "1",
                " ",
                "\\",
            ]
        )
        | st.text(max_size=3),
        max_size=30,
    ).map("".join)
)
def test_whatever_it_holds_it_is_read_or_refused(file: Path, text: str) -> None:
    file.write_bytes(text.encode(errors="surrogatepass"))
    with suppress(UsageError):
        assert read_config().exists
