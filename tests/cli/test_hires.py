"""``--hires`` from the command line to the record, the files and back."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sheepgen.metadata.image_file import encode_image, read_record
from sheepgen.metadata.image_texts import read_texts
from tests.pictures import photograph

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SIDE, LARGE = 32, 48


@pytest.fixture
def generate(run: Run, tiny_folder: Path) -> Run:
    """Return a function that generates with the tiny model, in four steps."""

    def generate(*words: str, **settings: Any) -> Any:
        frames = () if "--frames" in words or words[0] == "sweep" else ("--frames", "none")
        model = ("--model", str(tiny_folder), "--device", "cpu", "--steps", "4")
        return run(*words, *model, *frames, **settings)

    return generate


def size_of(path: str | Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.fixture
def made(generate: Run) -> Path:
    """Return an image of two passes."""
    path = Path("made.png")
    result = generate("a red sheep", "-s", "7", "--hires", "1.5", "-o", str(path))
    assert result.exit_code == 0, result.output
    assert "Seed 7: 6 steps" in result.stderr
    return path


def test_the_record_says_both_sizes(made: Path) -> None:
    request = read_record(made).request
    assert (request.hires, request.width, request.height) == ("1.5:0.5", SIDE, SIDE)
    assert request.final_size == size_of(made) == (LARGE, LARGE)
    parameters = read_texts(made).texts["parameters"]
    for said in (
        "Size: 32x32",
        "Denoising strength: 0.5",
        "Hires upscale: 1.5",
        "Hires upscaler: Lanczos",
    ):
        assert said in parameters


def test_it_is_verified_shown_and_made_again(run: Run, made: Path) -> None:
    assert run("verify", str(made)).stdout == "made.png: equal\n"
    shown = run("show", str(made)).stdout
    assert "Final size 48x48, after a second pass" in shown
    command = run("show", "--format", "command", str(made)).stdout
    assert "--hires 1.5:0.5" in command
    words = ("--device", "cpu", "--frames", "none", "-o")
    assert run(*shlex.split(command)[1:], *words, "again.png").exit_code == 0
    assert run("rerun", str(made), *words, "rerun.png").exit_code == 0
    assert made.read_bytes() == Path("again.png").read_bytes() == Path("rerun.png").read_bytes()


@pytest.mark.parametrize("off", ["none", ""])
def test_a_rerun_may_leave_the_second_pass_out(
    run: Run, generate: Run, made: Path, off: str
) -> None:
    words = ("--device", "cpu", "--frames", "none", "-o", "small.png")
    result = run("rerun", str(made), "--hires", off, *words)
    assert result.exit_code == 0, result.output
    assert size_of("small.png") == (SIDE, SIDE)
    generate("a red sheep", "-s", "7", "-o", "plain.png")
    assert Path("small.png").read_bytes() == Path("plain.png").read_bytes()


def test_an_image_that_was_made_smaller_is_not_equal(run: Run, made: Path) -> None:
    record = read_record(made)
    with Image.open(made) as image:
        small = image.resize((SIDE, SIDE))
    made.write_bytes(encode_image(small, record, ".png"))
    result = run("verify", str(made))
    assert result.exit_code == 1
    assert "32x32" in result.stdout
    assert "48x48" in result.stdout


@pytest.mark.parametrize(
    "claimed",
    [
        {"hires": "", "hires_width": None, "hires_height": None},
        {"hires_width": None, "hires_height": None},
        {"hires_width": -5, "hires_height": 10**30},
        {"hires": "4:1"},
    ],
)
def test_a_record_that_claims_another_size_proves_nothing(
    run: Run, made: Path, claimed: dict[str, Any]
) -> None:
    record = read_record(made)
    record = replace(record, request=replace(record.request, **claimed))
    for side in (SIDE, LARGE):
        with Image.open(made) as image:
            made.write_bytes(encode_image(image.resize((side, side)), record, ".png"))
        result = run("verify", str(made))
        assert result.exit_code == 1, result.output
        assert "made.png: differs" in result.stdout


def test_frames_of_both_passes_lie_beside_it(generate: Run) -> None:
    result = generate("a red sheep", "-s", "7", "--hires", "1.5", "-o", "x.png", "--frames", "gif")
    assert result.exit_code == 0, result.output
    sizes = {path.name: size_of(path)[0] for path in Path("x_frames").iterdir()}
    assert sizes == {
        **{f"step_{step:03}.png": SIDE for step in range(5)},
        **{f"forward_{step:03}.png": LARGE for step in range(4, 7)},
        **{f"step_{step:03}.png": LARGE for step in range(5, 7)},
    }
    with Image.open("x_animation.gif") as animation:
        assert animation.size == (LARGE, LARGE)
        assert animation.n_frames == len(sizes) + 1  # type: ignore[attr-defined]
    assert Path("x_filmstrip.png").is_file()


def test_progress_counts_through(generate: Run) -> None:
    result = generate("a sheep", "-s", "1", "--hires", "1.5", "--progress-json")
    told = [json.loads(line) for line in result.stderr.splitlines() if line.startswith("{")]
    steps = [(each["step"], each["total_steps"]) for each in told if each["event"] == "step"]
    assert steps == [(step, 6) for step in range(1, 7)]


def test_a_dry_run_says_both_sizes_and_estimates_both_passes(generate: Run, made: Path) -> None:
    planned = generate("a red sheep", "-s", "7", "--hires", "1.5", "--dry-run").stdout
    assert "32x32, then 48x48" in planned
    assert "then the last 2 again" in planned
    assert "time             about" in planned
    assert "time             unknown" in generate("a red sheep", "--dry-run").stdout
    assert made.exists()


def test_a_sweep_varies_it(run: Run, generate: Run) -> None:
    words = ("sweep", "sheep", "--seeds", "1", "--hires", "none,1.5,1.50:0.5,2:1", "-o", "grid/")
    result = generate(*words)
    assert result.exit_code == 0, result.output
    names = {"none": SIDE, "1-5-0-5": LARGE, "2-1": 2 * SIDE}
    assert {path.name: size_of(path)[0] for path in Path("grid").glob("sheep*.png")} == {
        f"sheep_s1_4steps_tiny_hires-{name}.png": side for name, side in names.items()
    }
    assert "Nothing to do" in generate(*words).stderr
    assert run("verify", "grid/").stdout.count(": equal\n") == 3


def test_jobs_say_it_and_a_default_is_for_all(run: Run, tiny_folder: Path) -> None:
    jobs: list[dict[str, Any]] = [
        {"prompt": "sheep", "seed": 1},
        {"prompt": "sheep", "seed": 2, "hires": "2:1"},
        {"prompt": "sheep", "seed": 3, "hires": "none"},
        {"prompt": "sheep", "seed": 4, "hires": "9"},
    ]
    result = run(
        *("batch", "-", "--model", str(tiny_folder), "--device", "cpu", "--steps", "4"),
        *("--hires", "1.5"),
        stdin="\n".join(map(json.dumps, jobs)),
    )
    assert result.exit_code == 3
    answers = {answer["line"]: answer for answer in map(json.loads, result.stdout.splitlines())}
    sides = [size_of(answers[line]["path"])[0] for line in (1, 2, 3)]
    assert sides == [LARGE, 2 * SIDE, SIDE]
    assert answers[1]["request"]["hires_width"] == LARGE
    assert "scale of hires must be above 1" in answers[4]["error"]["message"]


def test_from_a_picture(run: Run, generate: Run) -> None:
    photograph(SIDE, SIDE).save("photo.png")
    words = (
        "a sheep",
        "-s",
        "1",
        "--image",
        "photo.png",
        "--strength",
        "0.5",
        "--hires",
        "1.5:0.3",
    )
    result = generate(*words, "-o", "x.png")
    assert result.exit_code == 0, result.output
    assert "Seed 1: 3 steps" in result.stderr
    assert "Denoising strength: 0.3" in read_texts(Path("x.png")).texts["parameters"]
    assert run("verify", "x.png").stdout == "x.png: equal\n"
    planned = generate(*words, "--dry-run").stdout
    assert "the last 2 of 4 of" in planned
    assert "(strength 0.5), then the last 1 again" in planned


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--hires", "two"), 'hires must look like 2:0.5, got "two".'),
        (("--hires", "5"), "The scale of hires must be above 1 and at most 4, got 5."),
        (("--hires", "2:0.1"), "hires strength 0.1 of 4 steps is less than one step."),
        (("--hires", "2", "--image", "a.png", "--mask", "b.png"), "hires is 2:0.5, with a mask"),
        (("--hires", "4", "--size", "4096x64"), "hires 4 of 4096x64 pixels is 16384x256, more"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    generate: Run, words: tuple[str, ...], complaint: str
) -> None:
    result = generate("a sheep", *words)
    assert result.exit_code == 2
    assert complaint in result.stderr.splitlines()[0]
    assert not Path("outputs").exists()


def test_the_installed_model_warns_where_it_repeats_things(run: Run) -> None:
    warning = "A larger second pass may show things several times."
    assert warning in run("a fox", "--hires", "2", "--dry-run").stdout
    small = run("a fox", "--hires", "1.14", "--size", "224x224", "--dry-run").stdout
    assert "224x224, then 256x256" in small
    assert "Warning" not in small
