"""``--image`` and what goes with it, from the command line to the record and back."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from sheepgen.metadata.image_file import read_record
from sheepgen.metadata.image_texts import read_texts
from tests.pictures import photograph

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SIDE = 32


@pytest.fixture
def picture(run: Run) -> Path:  # noqa: ARG001 - its folder
    """Return a picture in the folder that commands run in."""
    path = Path("photo.png")
    photograph(SIDE, SIDE).save(path)
    return path


@pytest.fixture
def mask(picture: Path) -> Path:  # noqa: ARG001 - beside it
    """Return a mask of the picture's right half."""
    path = Path("mask.png")
    shape = Image.new("L", (SIDE, SIDE))
    shape.paste(255, (SIDE // 2, 0, SIDE, SIDE))
    shape.save(path)
    return path


@pytest.fixture
def draw(run: Run, tiny_folder: Path) -> Run:
    """Return a function that generates with the tiny model, in five steps unless told otherwise."""

    def draw(*words: str, **settings: Any) -> Any:
        steps = () if "--steps" in words else ("--steps", "5")
        frames = () if "--frames" in words or words[0] == "sweep" else ("--frames", "none")
        model = ("--model", str(tiny_folder), "--device", "cpu")
        return run(*words, *model, *steps, *frames, **settings)

    return draw


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.usefixtures("picture")
def test_the_record_says_what_it_started_from(draw: Run, picture: Path) -> None:
    result = draw("a red sheep", "-s", "7", "--image", "photo.png", "--strength", "0.6")
    assert result.exit_code == 0, result.output
    assert "Seed 7: 3 steps" in result.stderr
    path = Path("outputs/a-red-sheep_7.png")
    request = read_record(path).request
    assert (request.image, request.image_sha256) == ("photo.png", sha256(picture))
    assert (request.strength, request.fit, request.mask) == (0.6, "crop", None)
    assert "Denoising strength: 0.6" in read_texts(path).texts["parameters"]


@pytest.mark.usefixtures("picture")
def test_it_is_rerun_and_verified_wherever_the_picture_is(run: Run, draw: Run) -> None:
    draw("a red sheep", "-s", "7", "--image", "photo.png", "-o", "made/x.png")
    assert run("verify", "made").stdout == "made/x.png: equal\n"
    again = run("rerun", "made/x.png", "--device", "cpu", "-o", "y.png", "--frames", "none")
    assert again.exit_code == 0, again.output
    assert Path("y.png").read_bytes() == Path("made/x.png").read_bytes()

    Path("photo.png").rename("made/photo.png")
    assert run("verify", "made/x.png").stdout == "made/x.png: equal\n"
    photograph(SIDE, SIDE).rotate(90).save("photo.png")
    assert run("verify", "made/x.png").stdout == "made/x.png: equal\n"

    Path("made/photo.png").unlink()
    changed = run("verify", "made/x.png")
    assert changed.exit_code == 1
    assert "skipped: Another picture is in the place of the image that it" in changed.stdout
    Path("photo.png").unlink()
    for command in ("verify", "rerun"):
        missing = run(command, "made/x.png")
        assert missing.exit_code == 1
        said = "Missing: the image that it started from, photo.png; its SHA-256 begins with"
        assert said in " ".join((missing.stdout + missing.stderr).split())


@pytest.mark.usefixtures("picture")
def test_a_rerun_may_start_from_another_picture(run: Run, draw: Run) -> None:
    draw("a red sheep", "-s", "7", "--image", "photo.png", "-o", "x.png")
    Path("photo.png").unlink()
    photograph(SIDE, SIDE).rotate(90).save("other.png")
    result = run("rerun", "x.png", "--image", "other.png", "--device", "cpu", "-o", "y.png")
    assert result.exit_code == 0, result.output
    request = read_record(Path("y.png")).request
    assert (request.image, request.image_sha256) == ("other.png", sha256(Path("other.png")))
    assert request.strength == 0.8


@pytest.mark.usefixtures("picture")
def test_the_command_that_is_shown_makes_the_same_image(run: Run, draw: Run) -> None:
    draw("a red sheep", "-s", "7", "--image", "photo.png", "--fit", "pad", "-o", "x.png")
    command = run("show", "--format", "command", "x.png").stdout
    assert "--image photo.png --strength 0.8 --fit pad" in command
    result = run(*shlex.split(command)[1:], "--device", "cpu", "--frames", "none", "-o", "y.png")
    assert result.exit_code == 0, result.output
    assert Path("x.png").read_bytes() == Path("y.png").read_bytes()


def test_a_picture_may_come_from_a_pipe_and_is_kept(run: Run, draw: Run, picture: Path) -> None:
    data = picture.read_bytes()
    picture.unlink()
    words = ("a red sheep", "-s", "7", "--image", "-", "-o", "made/")
    planned = draw(*words, "--dry-run", stdin=data)
    assert planned.exit_code == 0, planned.output
    assert "the last 4 of 5 of" in planned.stdout
    assert not Path("made").exists()
    result = draw(*words, stdin=data)
    assert result.exit_code == 0, result.output
    kept = Path(f"made/input_{hashlib.sha256(data).hexdigest()[:10]}.png")
    assert kept.read_bytes() == data
    assert f"Saved the picture from the pipe as {kept}." in result.stderr
    assert read_record(Path("made/a-red-sheep_7.png")).request.image == str(kept)
    assert run("verify", "made/").stdout == "made/a-red-sheep_7.png: equal\n"
    again = draw("sweep", *words[:1], "--seeds", "7", *words[3:], "--no-sheet", stdin=data)
    assert again.exit_code == 0, again.output


@pytest.mark.parametrize(
    "words",
    [
        ("generate",),
        ("generate", "-"),
        ("sweep",),
        ("sweep", "-", "--prompts-file", "prompts.txt"),
        ("rerun", "x.png", "--prompt", "-"),
    ],
)
def test_a_pipe_is_not_both_picture_and_prompt(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words, "--image", "-", stdin=b"\x89PNG")
    assert result.exit_code == 2
    assert "cannot be both the picture and the prompt" in result.stderr


def test_what_is_piped_must_be_a_picture(run: Run) -> None:
    result = run("a sheep", "--image", "-", stdin=b"once upon a time")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: Standard input cannot be read as a PNG")
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--strength", "0.5"), "strength is 0.5, without a picture to start from."),
        (("--mask", "mask.png"), "mask is mask.png, without a picture to start from."),
        (("--fit", "pad"), "fit is pad, without a picture to start from."),
        (("--image", "photo.png", "--strength", "1.5"), "strength must be between 0 and 1"),
        (("--image", "photo.png", "--strength", "0.1"), "strength 0.1 of 5 steps is less than"),
        (("--image", "photo.png", "--fit", "squeeze"), 'Unknown fit "squeeze".'),
        (("--image", ""), "The path of the image is empty."),
        (("--image", "nowhere.png"), "No such file: nowhere.png."),
        (("--image", "words.txt"), "words.txt cannot be read as a PNG, JPEG or WebP image."),
        (("--image", "photo.png", "--mask", "words.txt"), "words.txt cannot be read"),
        (("--image", "photo.png", "--mask", "black.png"), "has no white in it"),
    ],
)
@pytest.mark.usefixtures("picture")
def test_what_cannot_be_is_said_in_one_line(
    draw: Run, words: tuple[str, ...], complaint: str
) -> None:
    Path("words.txt").write_text("once upon a time", encoding="utf-8")
    Image.new("L", (SIDE, SIDE)).save("black.png")
    result = draw("a red sheep", *words)
    assert result.exit_code == 2
    first, *hint = result.stderr.splitlines()
    assert complaint in first
    assert len(hint) <= 1
    assert not Path("outputs").exists()


def test_what_is_done_to_the_picture_is_said(draw: Run, run: Run) -> None:  # noqa: ARG001
    photograph(64, SIDE).convert("RGBA").save("wide.png")
    result = draw("a red sheep", "--image", "wide.png", "--dry-run")
    note = "wide.png has 64x32 pixels: its middle of 32x32 is taken, and scaled to 32x32."
    assert note in result.stdout
    assert note in draw("a red sheep", "--image", "wide.png").stderr
    as_json = json.loads(draw("sheep", "--image", "wide.png", "--dry-run", "--json").stdout)
    assert as_json["image_notes"] == [note]


@pytest.mark.usefixtures("picture")
def test_a_sweep_varies_strengths_and_pictures(run: Run, draw: Run) -> None:
    photograph(SIDE, SIDE).rotate(90).save("second one.png")
    words = ["sweep", "sheep", "--seeds", "1", "--image", "photo.png,second one.png"]
    words += ["--strength", "0.4,0.8", "-o", "grid/"]
    result = draw(*words)
    assert result.exit_code == 0, result.output
    assert {path.name for path in Path("grid").glob("sheep*.png")} == {
        f"sheep_s1_5steps_tiny_{name}_strength{strength}.png"
        for name in ("photo", "second-one")
        for strength in ("0.4", "0.8")
    }
    assert "Nothing to do" in draw(*words).stderr
    assert run("verify", "grid/").stdout.count(": equal\n") == 4
    # Another picture of the same name is another image.
    photograph(SIDE, SIDE).rotate(180).save("photo.png")
    assert "2 already exist, 2 to generate" in draw(*words, "--dry-run").stdout


@pytest.mark.usefixtures("picture", "mask")
def test_jobs_start_from_pictures(run: Run, tiny_folder: Path) -> None:
    jobs = [
        {"prompt": "sheep", "seed": 1, "image": "photo.png", "denoising_strength": 0.5},
        {"prompt": "sheep", "seed": 2, "image": "photo.png", "mask": "mask.png"},
        {"prompt": "sheep", "seed": 3, "image": "nowhere.png"},
        {"prompt": "sheep", "seed": 4, "strength": 0.5},
        {"prompt": "sheep", "seed": 5, "image": "photo.png", "fit": "squeeze"},
    ]
    result = run(
        *("batch", "-", "--model", str(tiny_folder), "--device", "cpu", "--steps", "4"),
        stdin="\n".join(map(json.dumps, jobs)),
    )
    assert result.exit_code == 3
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["status"] for answer in answers] == [
        "done",
        "done",
        "failed",
        "failed",
        "failed",
    ]
    first = read_record(Path(answers[0]["path"])).request
    assert (first.strength, first.steps_taken) == (0.5, 2)
    assert answers[2]["error"]["message"] == "No such file: nowhere.png."
    schema = json.loads(run("batch", "--schema").stdout)["properties"]
    assert schema["fit"]["enum"] == ["crop", "pad", "stretch", None]


@pytest.mark.usefixtures("picture")
def test_a_default_strength_is_for_jobs_with_a_picture(run: Run, tiny_folder: Path) -> None:
    jobs = ['{"prompt": "sheep", "image": "photo.png"}', "a sheep", '{"prompt": "x", "fit": "pad"}']
    result = run(
        *("batch", "-", "--model", str(tiny_folder), "--strength", "0.5", "--dry-run"),
        stdin="\n".join(jobs),
    )
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["status"] for answer in answers] == ["planned", "planned", "failed"]
    assert [answer["request"]["strength"] for answer in answers[:2]] == [0.5, None]


def test_a_batch_reads_no_picture_from_a_pipe(run: Run) -> None:
    result = run("batch", "-", "--image", "-", stdin="a sheep")
    assert result.exit_code == 2
    assert "A batch cannot read a picture from a pipe." in result.stderr


@pytest.mark.usefixtures("picture")
def test_what_a_mask_keeps_is_the_pictures_pixel_for_pixel(run: Run, draw: Run, mask: Path) -> None:
    words = ("--image", "photo.png", "--mask", str(mask))
    result = draw("a red sheep", "-s", "7", *words, "-o", "x.png", "--frames", "gif")
    assert result.exit_code == 0, result.output
    with Image.open("x.png") as image, Image.open("photo.png") as photo:
        made, before = np.asarray(image), np.asarray(photo)
    half = SIDE // 2
    assert np.array_equal(made[:, :half], before[:, :half])
    assert (made[:, half:] != before[:, half:]).mean() > 0.9
    assert run("verify", "x.png").stdout == "x.png: equal\n"
    assert {path.name for path in Path("x_frames").iterdir()} == {
        *(f"forward_{step:03}.png" for step in range(5)),
        *(f"step_{step:03}.png" for step in range(6)),
    }


@pytest.mark.usefixtures("picture")
def test_a_batch_of_seeds_starts_from_one_picture(draw: Run) -> None:
    words = ("sheep", "-s", "1", "--count", "2", "--image", "photo.png")
    alone, together = draw(*words, "-o", "a/"), draw(*words, "--batch-size", "2", "-o", "b/")
    assert (alone.exit_code, together.exit_code) == (0, 0), together.output
    for seed in (1, 2):
        one, other = (Image.open(f"{folder}/sheep_{seed}.png") for folder in "ab")
        assert np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max() <= 2


@pytest.mark.usefixtures("picture")
def test_python_takes_a_picture_by_its_path(tiny_folder: Path) -> None:
    from sheepgen import GenerationRequest, generate, load_model

    model = load_model(str(tiny_folder), device="cpu", dtype="fp32")
    request = GenerationRequest(
        prompt="a red sheep", seed=7, num_inference_steps=4, image="photo.png", strength=0.5
    )
    image = generate(model, request)
    assert image.record.request.image_sha256 == sha256(Path("photo.png"))
    image.save("x.png")
    assert read_record(Path("x.png")) == image.record
