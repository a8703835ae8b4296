"""``{red|blue}`` and ``__place__`` in the prompts of every command."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sheepgen.metadata.image_file import read_record
from sheepgen.output.manifest import Manifest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

TEMPLATE = "a {red|blue} fox in a __place__"
PLACES = ("forest", "sea", "town")


@pytest.fixture
def draw(run: Run, tiny_folder: Path) -> Run:
    """Return a function that runs a command with the tiny model, in one step, in a folder that
    holds a folder of wildcards."""

    def draw(*words: str, **settings: Any) -> Any:
        Path("wild").mkdir(exist_ok=True)
        Path("wild/place.txt").write_text("\n".join(PLACES))
        steps = ("--steps", "1", "--frames", "none")
        return run(*words, "--model", str(tiny_folder), "--device", "cpu", *steps, **settings)

    return draw


def prompt_of(path: str) -> str:
    return read_record(Path(path)).request.prompt


def test_each_image_has_a_pick_of_its_own_seed(draw: Run) -> None:
    result = draw(TEMPLATE, "--wildcards", "wild", "-s", "3", "-c", "4")
    assert result.exit_code == 0, result.output
    prompts = [prompt_of(path) for path in result.stdout.split()]
    assert len(set(prompts)) > 1
    assert all(prompt.startswith("a ") and prompt.endswith(PLACES) for prompt in prompts)
    for number, (prompt, path) in enumerate(zip(prompts, result.stdout.split(), strict=True)):
        request = read_record(Path(path)).request
        assert request.prompt_template == TEMPLATE
        assert path == f"outputs/{prompt.replace(' ', '-')}_{3 + number}.png"
        assert result.stderr.count(f"Image {number + 1} of 4, seed {3 + number}: {prompt}\n") == 1
        alone = draw(TEMPLATE, "--wildcards", "wild", "-s", str(3 + number), "-o", "alone.png")
        assert f"Seed {3 + number}: {prompt}\n" in alone.stderr
        assert Path("alone.png").read_bytes() == Path(path).read_bytes()
        Path("alone.png").unlink()
    assert "Seed" not in draw(TEMPLATE, "--wildcards", "wild", "-s", "3", "-q").stderr


def test_negative_prompts_are_picked_too(draw: Run) -> None:
    result = draw("a fox", "-n", "{fog|rain} and __place__", "-s", "1", "--wildcards", "wild")
    request = read_record(Path(result.stdout.strip())).request
    assert request.negative_prompt.split(" and ")[0] in ("fog", "rain")
    assert request.negative_prompt.split(" and ")[1] in PLACES
    assert request.negative_prompt_template == "{fog|rain} and __place__"
    assert request.prompt_template is None
    assert f"Seed 1: negative prompt: {request.negative_prompt}\n" in result.stderr


def test_a_name_without_wildcards_stays_and_is_noted(draw: Run) -> None:
    result = draw("a {small} fox in __place__", "-s", "1")
    assert prompt_of(result.stdout.strip()) == "a {small} fox in __place__"
    assert "__place__ is taken literally. To pick a line of place.txt, " in result.stderr
    assert "__" not in draw("a __place__", "-s", "1", "--wildcards", "wild").stderr


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["a {red|blue"], "A group of alternatives is not closed"),
        (["a {2::red|blue}"], "Weights of alternatives are not supported"),
        (["__plaec__", "--wildcards", "wild"], "Did you mean __place__?"),
        (["__place__", "--wildcards", "nowhere"], "No such folder: nowhere."),
        (["{|}", "-s", "1"], "The prompt is empty"),
    ],
)
def test_what_cannot_be_picked_is_a_usage_error(
    draw: Run, words: list[str], complaint: str
) -> None:
    for command in ("generate", "sweep"):
        result = draw(command, *words)
        if command == "generate" or words != ["{|}", "-s", "1"]:
            assert result.exit_code == 2
            assert complaint in result.stderr
            assert result.stderr.startswith("Error: ")
            assert not Path("outputs").exists()


def test_show_has_both_and_a_command_for_what_was_picked(draw: Run, run: Run) -> None:
    path = draw(TEMPLATE, "--wildcards", "wild", "-s", "3").stdout.strip()
    prompt = prompt_of(path)
    shown = run("show", path).stdout
    assert shown.startswith(f"{prompt}\n")
    assert f"Template: {TEMPLATE}" in shown
    request = json.loads(run("show", path, "--json").stdout)["request"]
    assert (request["prompt"], request["prompt_template"]) == (prompt, TEMPLATE)
    command = run("show", path, "--format", "command").stdout
    assert shlex.split(command)[2] == prompt


def test_a_shown_command_takes_braces_literally(draw: Run, run: Run) -> None:
    path = draw(r"a \{red\|blue\} fox \__place__", "-s", "3").stdout.strip()
    assert prompt_of(path) == "a {red|blue} fox __place__"
    words = shlex.split(run("show", path, "--format", "command").stdout)[1:]
    assert run(*words, "--frames", "none", "--wildcards", "wild", "-o", "again.png").exit_code == 0
    assert Path("again.png").read_bytes() == Path(path).read_bytes()


def test_a_rerun_keeps_what_was_picked(draw: Run, run: Run) -> None:
    path = draw(TEMPLATE, "--wildcards", "wild", "-s", "3").stdout.strip()
    prompt = prompt_of(path)
    Path("wild/place.txt").unlink()
    again = run("rerun", path, "--frames", "none", "-o", "again.png")
    assert again.exit_code == 0, again.output
    assert Path("again.png").read_bytes() == Path(path).read_bytes()
    for seed in ("4", "5", "6"):
        run("rerun", path, "--seed", seed, "--frames", "none", "-o", f"{seed}.png")
        request = read_record(Path(f"{seed}.png")).request
        assert (request.prompt, request.prompt_template) == (prompt, TEMPLATE)


def test_a_rerun_picks_from_a_new_prompt_alone(draw: Run, run: Run) -> None:
    path = draw(r"\{a\|b\}", "-n", "{fog|rain}", "-s", "3").stdout.strip()
    before = read_record(Path(path)).request
    run("rerun", path, "--seed", "8", "--frames", "none", "-o", "same.png")
    same = read_record(Path("same.png")).request
    assert (same.prompt, same.prompt_template) == ("{a|b}", None)
    run("rerun", path, "-p", "{owl|owl}", "--frames", "none", "-o", "other.png")
    other = read_record(Path("other.png")).request
    assert (other.prompt, other.prompt_template) == ("owl", "{owl|owl}")
    assert other.negative_prompt == before.negative_prompt
    assert other.negative_prompt_template == "{fog|rain}"
    run("rerun", "other.png", "-p", "a cow", "--frames", "none", "-o", "plain.png")
    plain = read_record(Path("plain.png")).request
    assert (plain.prompt, plain.prompt_template) == ("a cow", None)


def test_an_image_is_verified_by_what_was_picked(draw: Run, run: Run) -> None:
    path = draw(TEMPLATE, "--wildcards", "wild", "-s", "3").stdout.strip()
    Path("wild/place.txt").unlink()
    result = run("verify", path)
    assert result.exit_code == 0, result.output
    assert "equal" in result.stdout


def test_plans_and_json_have_what_was_picked(draw: Run) -> None:
    words = (TEMPLATE, "--wildcards", "wild", "-s", "3", "-c", "3")
    plan = json.loads(draw(*words, "--dry-run", "--json").stdout)
    prompts = [image["request"]["prompt"] for image in plan["images"]]
    assert all(image["request"]["prompt_template"] == TEMPLATE for image in plan["images"])
    printed = draw(*words, "--dry-run").stdout
    assert all(prompt in printed for prompt in prompts)
    lines = draw(*words, "--json").stdout.splitlines()
    assert [json.loads(line)["request"]["prompt"] for line in lines] == prompts


def test_jobs_are_picked_by_their_seeds(draw: Run) -> None:
    lines = [TEMPLATE, json.dumps({"prompt": TEMPLATE, "seed": 3}), "a __plaec__", "a fox"]
    result = draw("batch", "-", "--wildcards", "wild", "-o", "jobs/", stdin="\n".join(lines))
    assert result.exit_code == 3
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["status"] for answer in answers] == ["done", "done", "failed", "done"]
    assert answers[0]["request"]["prompt"].endswith(PLACES)
    assert answers[2]["error"]["hint"].startswith("Did you mean __place__?")
    alone = draw(TEMPLATE, "--wildcards", "wild", "-s", "3", "-o", "alone.png")
    prompt = prompt_of("alone.png")
    assert alone.exit_code == 0
    assert answers[1]["request"]["prompt"] == prompt
    assert f"Line 2, seed 3: {prompt}\n" in result.stderr
    manifest = Manifest(Path("jobs"))
    manifest.refresh()
    assert [entry["request"].get("prompt_template") for entry in manifest.entries()] == [
        TEMPLATE,
        TEMPLATE,
        None,
    ]
    planned = draw("batch", "-", "--wildcards", "wild", "-o", "jobs/", "--dry-run", stdin=lines[1])
    assert json.loads(planned.stdout)["request"]["prompt"] == prompt


def test_a_line_may_begin_with_alternatives(draw: Run) -> None:
    lines = ("{red|blue} fox", '{"prompt": "{red|blue} fox", "seed": 3}', "{prompt: 'a|b'}")
    result = draw("batch", "-", "--dry-run", stdin="\n".join(lines))
    first, second, third = map(json.loads, result.stdout.splitlines())
    for answer in (first, second):
        assert answer["request"]["prompt"] in ("red fox", "blue fox")
    assert third["error"]["message"].startswith("The line is not JSON")


def test_marks_of_the_web_ui_may_stand_around_alternatives(draw: Run) -> None:
    words = ("--prompt-syntax", "a1111", "--dry-run", "--json")
    for template in ("[{red|red} fox]", "({red|red} fox:1.3)"):
        plan = json.loads(draw(template, *words).stdout)
        picked = template.replace("{red|red}", "red")
        assert plan["images"][0]["request"]["prompt"] == picked
    assert "prompt editing" in draw("[red|blue] fox", *words).stderr


def test_a_job_with_a_name_is_noted_once(draw: Run) -> None:
    result = draw("batch", "-", "--dry-run", stdin="a __place__\nthe __place__\n")
    assert result.stderr.count("__place__ is taken literally.") == 1


def test_a_folder_in_the_settings_is_relative_to_them(
    draw: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "mine").mkdir(parents=True)
    (home / "mine/animal.txt").write_text("owl")
    (home / "config.toml").write_text('wildcards = "mine"\n')
    monkeypatch.setenv("SHEEPGEN_CONFIG", str(home / "config.toml"))
    assert prompt_of(draw("an __animal__", "-s", "1").stdout.strip()) == "an owl"
    result = draw("an __animal__", "-s", "1", "--wildcards", "wild")
    assert "Unknown wildcard __animal__" in result.stderr


def test_a_sweep_expands_alternatives_and_picks_lines(draw: Run) -> None:
    words = ("sweep", TEMPLATE, "--seeds", "1-3", "--wildcards", "wild", "-o", "s/")
    result = draw(*words)
    assert result.exit_code == 0, result.output
    assert "6 images: 2 of prompt x 3 of seed" in result.stderr
    requests = [read_record(Path(path)).request for path in result.stdout.split()]
    for seed in (1, 2, 3):
        red, blue = (each for each in requests if each.seed == seed)
        assert red.prompt == blue.prompt.replace("blue", "red")
        assert red.prompt_template == "a red fox in a __place__"
    plan = json.loads(Path("s/sweep.json").read_text())
    assert plan["axes"][0]["values"] == ["a red fox in a __place__", "a blue fox in a __place__"]
    assert "Nothing to do" in draw(*words).stderr
    result = draw("sweep", TEMPLATE, "--seeds", "1-3", "-o", "other/", "--dry-run")
    assert "__place__ is taken literally." in result.stdout


def test_another_programs_template_is_shown_and_kept(draw: Run, run: Run) -> None:
    texts = PngInfo()
    texts.add_text(
        "parameters", f"a ewe\nSteps: 1, Seed: 3, Sampler: Euler, RNG: CPU\nTemplate: {TEMPLATE}"
    )
    Image.new("RGB", (32, 32)).save("foreign.png", pnginfo=texts)
    shown = run("show", "foreign.png")
    assert shlex.split(shown.stdout)[2] == "a ewe"
    assert f"Prompt template: {TEMPLATE}" in shown.stderr
    assert draw("rerun", "foreign.png", "-o", "again.png").exit_code == 0
    request = read_record(Path("again.png")).request
    assert (request.prompt, request.prompt_template) == ("a ewe", TEMPLATE)
