from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pytest
from PIL import Image

from sheepgen.errors import NonFiniteError
from sheepgen.execution import local, model_slot
from sheepgen.metadata.image_file import read_record
from sheepgen.metadata.record_json import from_dict
from sheepgen.models import checkpoint
from sheepgen.models.safetensors import check_safetensors
from sheepgen.pipeline import loading
from sheepgen.sanitize import printable

if TYPE_CHECKING:
    from sheepgen.models.safetensors import StoredWeights
    from tests.cli.conftest import Run

LONG = "one two three four five six seven eight"
"""More than the 16 tokens that the tiny model reads."""


@pytest.fixture
def draw(run: Run, tiny_folder: Path) -> Run:
    """Return a function that draws with the tiny model, in two steps unless told otherwise."""

    def draw(*words: str, **settings: Any) -> Any:
        steps = () if "--steps" in words else ("--steps", "2")
        return run(*words, "--model", str(tiny_folder), "--device", "cpu", *steps, **settings)

    return draw


def files() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file() and path.suffix != ".lock"}


def test_a_prompt_becomes_an_image_and_its_way(draw: Run) -> None:
    result = draw("a red sheep", "--seed", "7")
    assert result.exit_code == 0
    assert result.stdout == "outputs/a-red-sheep_7.png\n"
    assert files() == {
        "outputs/a-red-sheep_7.png",
        "outputs/a-red-sheep_7_filmstrip.png",
        *(f"outputs/a-red-sheep_7_frames/step_{step:03}.png" for step in range(3)),
    }
    with Image.open("outputs/a-red-sheep_7.png") as image:
        assert image.size == (32, 32)
    assert "Generating on cpu in fp32." in result.stderr
    assert "Seed 7: 2 steps" in result.stderr


def test_the_models_folder_is_checked_once(draw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def check(path: Path) -> StoredWeights:
        checked.append(path.parent.name)
        return check_safetensors(path)

    monkeypatch.setattr(checkpoint, "check_safetensors", check)

    assert draw("a red sheep").exit_code == 0

    assert sorted(checked) == ["text_encoder", "unet", "vae"]


def test_the_same_command_gives_the_same_bytes(draw: Run) -> None:
    for name in ("a.png", "b.png"):
        assert draw("a red sheep", "-s", "7", "-o", name, "--frames", "none").exit_code == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_a_seed_is_drawn_told_and_stored(draw: Run) -> None:
    result = draw("sheep", "--frames", "none")
    seed = read_record(Path(result.stdout.strip())).request.seed
    assert f"Using random seed {seed}." in result.stderr
    assert result.stdout == f"outputs/sheep_{seed}.png\n"


def test_a_variation_seed_is_drawn_told_and_stored(draw: Run) -> None:
    result = draw("sheep", "-s", "3", "--variation-strength", "0.5", "--frames", "none")
    request = read_record(Path(result.stdout.strip())).request
    assert (request.seed, request.variation_strength) == (3, 0.5)
    assert f"Using random variation seed {request.variation_seed}." in result.stderr
    assert "random seed" not in result.stderr


def test_a_seed_of_minus_one_is_random_and_told(draw: Run) -> None:
    words = ("sheep", "-s", "-1", "--variation-seed", "-1", "--frames", "none")
    result = draw(*words)
    request = read_record(Path(result.stdout.strip())).request
    assert request.seed >= 0
    assert request.variation_seed is not None
    assert f"Using random seed {request.seed}." in result.stderr
    assert f"Using random variation seed {request.variation_seed}." in result.stderr
    assert draw(*words).stdout != result.stdout


def test_nothing_is_drawn_where_nothing_is_varied(draw: Run) -> None:
    for words in ((), ("--variation-strength", "0.5")):
        result = draw("sheep", "-s", "3", "--variation-seed", "9", *words, "--frames", "none")
        assert read_record(Path(result.stdout.strip())).request.variation_seed == 9
        assert "random" not in result.stderr
    result = draw("sheep", "-s", "3", "--frames", "none")
    assert read_record(Path(result.stdout.strip())).request.variation_seed is None


def test_what_the_model_decides_is_stored(draw: Run, tiny_folder: Path) -> None:
    draw("sheep", "-s", "1", "-o", "x.jpg", "--frames", "none")
    record = read_record(Path("x.jpg"))
    assert record.request.scheduler == "ddim"
    assert (record.request.width, record.request.height) == (32, 32)
    assert record.request.guidance_scale == 7.5
    assert record.request.model == str(tiny_folder)
    assert record.environment.dtype == "fp32"


def test_several_images_load_the_model_once(draw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    load = loading.load_model

    def counted(*arguments: Any, **settings: Any) -> Any:
        loaded.append(arguments)
        return load(*arguments, **settings)

    monkeypatch.setattr(model_slot, "load_model", counted)
    result = draw("sheep", "-s", "3", "-c", "3", "-o", "x.png", "--frames", "none")
    assert result.stdout.split() == ["x_3.png", "x_4.png", "x_5.png"]
    assert len(loaded) == 1
    assert [read_record(Path(f"x_{seed}.png")).request.seed for seed in (3, 4, 5)] == [3, 4, 5]
    assert "Image 2 of 3, seed 4" in result.stderr


def test_one_of_several_is_the_one_drawn_alone(draw: Run) -> None:
    draw("sheep", "-s", "3", "-c", "2", "-o", "x.png", "--frames", "none")
    draw("sheep", "-s", "4", "-o", "alone.png", "--frames", "none")
    assert Path("x_4.png").read_bytes() == Path("alone.png").read_bytes()


def test_json_lines_are_all_of_standard_output(draw: Run) -> None:
    result = draw("sheep", "-s", "3", "-c", "2", "--json", "--frames", "all")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["seed"] for line in lines] == [3, 4]
    for line in lines:
        assert hashlib.sha256(Path(line["path"]).read_bytes()).hexdigest() == line["sha256"]
        assert Path(line["animation"]).is_file()
        assert Path(line["schedule"]).is_file()
        assert len(list(Path(line["frames"]).iterdir())) == 6
        paths = {"path", "frames", "filmstrip", "animation", "schedule", "sha256", "status"}
        paths |= {"seed", "seconds"}
        record = from_dict({key: value for key, value in line.items() if key not in paths})
        assert record == read_record(Path(line["path"]))


def test_nothing_is_overwritten_unless_told(draw: Run) -> None:
    same = ("sheep", "-s", "3", "-o", "x.png", "--frames", "none")
    assert draw(*same).stdout == "x.png\n"
    assert draw(*same).stdout == "x_2.png\n"
    assert draw(*same, "--overwrite").stdout == "x.png\n"
    assert files() == {"x.png", "x_2.png"}


def test_quiet_says_nothing_but_the_path(draw: Run) -> None:
    result = draw("sheep", "-s", "3", "-q")
    assert result.stderr == ""
    assert result.stdout == "outputs/sheep_3.png\n"


def test_verbose_tells_which_model(draw: Run, tiny_folder: Path) -> None:
    result = draw("sheep", "-s", "3", "-v", "--frames", "none")
    assert f"in {tiny_folder}, sha256 " in result.stderr


def test_words_that_are_not_read_are_shown_and_stored(draw: Run) -> None:
    result = draw(LONG, "-s", "3", "-o", "x.png", "--frames", "none", "-n", LONG)
    assert "The prompt has" in result.stderr
    assert "The negative prompt has" in result.stderr
    truncated = read_record(Path("x.png")).truncated
    assert truncated
    assert LONG.endswith(" ".join(truncated))
    assert " ".join(truncated) in result.stderr


def test_strict_refuses_a_long_prompt_before_the_weights_are_loaded(
    draw: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(model_slot, "load_model")
    for words in ((LONG,), ("sheep", "-n", LONG)):
        result = draw(*words, "--strict")
        assert result.exit_code == 2
        assert "Not read:" in result.stderr
    assert files() == set()


def test_a_size_the_model_cannot_draw_is_refused(draw: Run) -> None:
    result = draw("sheep", "--width", "33")
    assert result.exit_code == 2
    assert "Nearest: 32 or 34." in result.stderr


def test_more_steps_than_the_scheduler_takes_are_refused(draw: Run) -> None:
    result = draw("sheep", "--scheduler", "lcm", "--steps", "51")
    assert result.exit_code == 2
    assert "at most 50 steps" in result.stderr


def test_names_that_lead_astray_are_refused_before_drawing(draw: Run) -> None:
    assert draw("sheep", "-o", "{seed}/../../x.png").exit_code == 2


def test_a_folder_that_cannot_be_written_to_is_found_out_before_drawing(
    draw: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(model_slot, "load_model")
    Path("file").touch()
    result = draw("sheep", "-o", "file/x.png")
    assert result.exit_code == 1
    assert "Cannot write to file" in result.stderr


@pytest.mark.parametrize(
    "prompt",
    [
        "[red]bold[/red]",
        "\x1b]8;;http://x\x07link",
        "../../../etc/passwd",
        "x" * 300,
        "🐑",
        "\u202egnp.exe",
        "{seed} {0}",
    ],
)
def test_hostile_prompts_choose_no_path_and_speak_to_no_terminal(
    draw: Run, tmp_path: Path, prompt: str
) -> None:
    result = draw(prompt, "-s", "3", "--frames", "none")
    assert result.exit_code == 0
    assert printable(result.output) == result.output
    path = tmp_path / result.stdout.strip()
    assert path.parent == tmp_path / "outputs"
    assert read_record(path).request.prompt == prompt


def fail(*_: object, **__: object) -> NoReturn:
    raise KeyError("[bold]\x1b[31m nobody expected")


def test_unexpected_errors_are_short_unless_verbose(
    draw: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "stream_batch", fail)
    short = draw("sheep")
    assert short.exit_code == 1
    assert "Unexpected KeyError" in short.stderr
    assert "[bold]" in short.stderr
    assert "\x1b[31m" not in short.stderr
    assert isinstance(draw("sheep", "--verbose").exception, KeyError)


def test_expected_errors_exit_with_1(draw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise NonFiniteError("NaN in step 3.", "Try --dtype fp32.")

    monkeypatch.setattr(local, "stream_batch", fail)
    result = draw("sheep")
    assert result.exit_code == 1
    assert result.stderr.endswith("Error: NaN in step 3.\nTry --dtype fp32.\n")


def test_offline_keeps_the_hub_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    result = run("sheep", "--model", "org/name", "--offline")
    assert result.exit_code == 1
    assert "not in the cache" in result.stderr


def test_images_made_together_say_so(draw: Run) -> None:
    together = ("-s", "3", "-c", "3", "--batch-size", "2", "--frames", "strip", "-o", "x.png")
    result = draw("sheep", *together)
    assert result.exit_code == 0, result.stderr
    records = [read_record(Path(f"x_{seed}.png")) for seed in (3, 4, 5)]
    assert [record.environment.batch_size for record in records] == [2, 2, 1]
    assert [record.request.seed for record in records] == [3, 4, 5]
    assert "Image 2 of 3, seed 4: 2 steps" in result.stderr
    draw("sheep", "-s", "4", "-o", "alone.png", "--frames", "none")
    with Image.open("x_4.png") as ours, Image.open("alone.png") as alone:
        difference = np.asarray(ours).astype(int) - np.asarray(alone)
    assert np.abs(difference).max() <= 1


def test_as_many_as_pay_go_together(draw: Run) -> None:
    result = draw("sheep", "-s", "3", "-c", "3", "--batch-size", "auto", "--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["environment"]["batch_size"] for line in lines] == [3, 3, 3]


@pytest.mark.parametrize("size", ["0", "-1", "257", "many", "1.5", "\u0663"])
def test_a_batch_size_is_a_number(draw: Run, size: str) -> None:
    result = draw("sheep", f"--batch-size={size}")
    assert result.exit_code == 2
    assert "batch" in result.stderr
    assert "must be auto" in result.stderr


def test_progress_can_be_read_by_a_program(draw: Run) -> None:
    result = draw("sheep", "-s", "3", "-c", "2", "--progress-json", "--frames", "none")
    told = [json.loads(line) for line in result.stderr.splitlines()]
    # An image may be saved while the next is generated.
    assert [
        (each["event"], each["image"], each["seed"])
        for each in sorted(told, key=lambda each: int(each["image"]))
    ] == [
        *((event, 1, 3) for event in ("started", "step", "step", "saved")),
        *((event, 2, 4) for event in ("started", "step", "step", "saved")),
    ]
    assert (told[1]["step"], told[1]["total_steps"]) == (1, 2)
    saved = [each["path"] for each in told if each["event"] == "saved"]
    assert saved == result.stdout.split()


def test_programs_learn_what_went_wrong(draw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise NonFiniteError("NaN in step 3.", "Try --dtype fp32.")

    monkeypatch.setattr(local, "stream_batch", fail)
    result = draw("sheep", "-s", "3", "-c", "2", "--batch-size", "2", "--json", "--progress-json")
    assert result.exit_code == 1
    (line,) = map(json.loads, result.stdout.splitlines())
    assert (line["status"], line["seed"], line["error"]["kind"]) == ("failed", 3, "NonFiniteError")
    told, *error = result.stderr.splitlines()
    assert (json.loads(told)["event"], json.loads(told)["seed"]) == ("failed", 3)
    assert error == ["Error: NaN in step 3.", "Try --dtype fp32."]


@pytest.mark.parametrize("taken", ["a-red-sheep.png/a", "a-red-sheep_frames/notes.txt"])
def test_no_word_overwrites_a_folder_of_something_else(
    draw: Run, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "LocalExecutor", fail)
    Path(taken).parent.mkdir()
    Path(taken).write_text("mine")
    for words in (["--overwrite"], ["--overwrite", "--dry-run"]):
        result = draw("a red sheep", "-s", "1", "-o", "{prompt}.png", *words)
        assert result.exit_code == 2, result.output
        assert f"{taken.partition('/')[0]} already exists" in result.stderr
    assert Path(taken).read_text() == "mine"


def test_a_lock_that_cannot_be_taken_is_found_out_before_drawing(
    draw: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def flock(_handle: int, _operation: int) -> NoReturn:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(local, "LocalExecutor", fail)
    Path("out").mkdir()
    Path("out/.sheepgen.lock").touch()
    result = draw("a red sheep", "-s", "1", "-o", "out/")
    assert result.exit_code == 1
    assert "Cannot take the lock out/.sheepgen.lock: permission denied." in result.stderr


def test_a_file_system_without_locks_is_told_and_drawn_on(
    draw: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")

    def flock(_handle: int, _operation: int) -> NoReturn:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(fcntl, "flock", flock)
    result = draw("a red sheep", "-s", "1", "-c", "2", "-o", "out/")
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.split()) == 2
    assert result.stderr.count("The file system of out has no locks.") == 1
    assert result.stderr.index("no locks") < result.stderr.index("Generating on")
