"""A picture dissolves as it is typed, and what is made of it is an ordinary image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from sheepgen.metadata.image_file import record_in
from sheepgen.metadata.image_texts import read_texts
from tests.pictures import photograph

if TYPE_CHECKING:
    from tests.cli.conftest import Run


@pytest.fixture
def image(run: Run, tiny_folder: Path) -> Path:
    words = ("a red sheep", "--model", str(tiny_folder), "--seed", "3", "--steps", "4")
    more = ("--scheduler", "euler", "-o", "sheep.png", "--frames", "none", "--device", "cpu")
    made = run(*words, *more)
    assert made.exit_code == 0, made.output
    return Path("sheep.png")


def test_an_image_dissolves_as_it_was_made(run: Run, image: Path) -> None:
    made = run("dissolve", str(image), "--device", "cpu")
    assert made.exit_code == 0, made.output
    stem = "outputs/sheep_3_dissolved"
    assert made.stdout.splitlines() == [
        f"{stem}_{name}" for name in ("frames", "filmstrip.png", "animation.gif", "schedule.png")
    ]
    assert "4 steps of euler, seed 3, 32x32." in made.stderr
    steps = sorted(Path(f"{stem}_frames").iterdir())
    assert [path.name for path in steps] == [f"forward_{step:03}.png" for step in range(5)]
    for step, path in enumerate(steps):
        found = read_texts(path)
        assert found.texts == {"sheepgen-step": f"{step}/4"}
        assert record_in(found, path) is None
    with Image.open(f"{stem}_animation.gif") as animation:
        assert animation.n_frames == 5  # type: ignore[attr-defined]
    again = run("dissolve", str(image), "--device", "cpu", "--json", "--frames", "strip")
    paths = json.loads(again.stdout)
    assert paths.pop("request")["steps"] == 4
    assert paths == {"filmstrip": f"{stem}_2_filmstrip.png"}
    first, second = (Path(f"{each}_filmstrip.png") for each in (stem, f"{stem}_2"))
    assert first.read_bytes() == second.read_bytes()


def test_any_picture_dissolves_and_the_way_back_is_image_to_image(
    run: Run, tiny_folder: Path
) -> None:
    photograph(32, 32).save("photo.jpg", quality=95)
    same = ("--model", str(tiny_folder), "--steps", "5", "--seed", "4", "--device", "cpu")
    forward = run("dissolve", "photo.jpg", *same, "--prompt", "an owl", "-g", "3")
    assert forward.exit_code == 0, forward.output
    assert "Warning: prompt has no effect without --back-from.\n" in forward.stderr
    assert "Warning: guidance has no effect without --back-from.\n" in forward.stderr
    back = run("dissolve", "photo.jpg", *same, "--back-from", "3", "-p", "an owl", "-o", "back.png")
    assert back.stdout == "back.png\n", back.output
    words = ("an owl", "--image", "photo.jpg", "--strength", "0.6", *same)
    plain = run(*words, "-o", "plain.png", "--frames", "none")
    assert plain.exit_code == 0, plain.output
    assert Path("back.png").read_bytes() == Path("plain.png").read_bytes()
    assert run("verify", "back.png").stdout == "back.png: equal\n"
    steps = [path.name for path in sorted(Path("back_frames").iterdir())]
    assert [name for name in steps if name.startswith("forward")] == [
        f"forward_{step:03}.png" for step in range(3)
    ]
    assert Path("back_schedule.png").is_file()


def test_the_way_back_has_the_recorded_prompt(run: Run, image: Path) -> None:
    made = run("dissolve", str(image), "--back-from", "4", "--device", "cpu", "--frames", "none")
    assert made.exit_code == 0, made.output
    shown = run("show", made.stdout.strip(), "--format", "command").stdout
    assert shown.startswith("sheepgen generate 'a red sheep' --seed 3 ")
    assert "--image sheep.png --strength 1 " in shown


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--back-from", "5"), "--back-from must be between 1 and 4, got 5."),
        (("--back-from", "0"), "--back-from must be between 1 and 4, got 0."),
        (("--frames", "none"), "With --frames none nothing is left to save."),
        (("--strength", "0.5"), 'Unknown option "--strength".'),
    ],
)
def test_what_cannot_be_is_refused(
    run: Run, image: Path, words: tuple[str, ...], complaint: str
) -> None:
    result = run("dissolve", str(image), *words)
    assert result.exit_code == 2
    assert f"Error: {complaint}\n" in result.stderr
    assert not Path("outputs").exists()


def test_what_is_no_picture_and_a_missing_prompt_are_refused(run: Run, tiny_folder: Path) -> None:
    Path("x.png").write_text("no picture")
    assert run("dissolve", "x.png").exit_code == 1
    photograph(32, 32).save("photo.png")
    words = ("--model", str(tiny_folder), "--back-from", "2", "--steps", "4")
    result = run("dissolve", "photo.png", *words)
    assert result.exit_code == 2
    assert "The prompt is empty." in result.stderr
    planned = run("dissolve", "photo.png", *words[:2], "--seed", "1", "--dry-run")
    rows = [line.split(maxsplit=1) for line in planned.stdout.splitlines()]
    assert [label for label, _ in rows[:3]] == ["model", "size", "steps"]
    assert rows[1][1] == "32x32"
    assert rows[2][1].endswith(", seed 1")
    assert rows[3] == ["frames", "outputs/photo_1_dissolved_frames"]
    assert not Path("outputs").exists()
