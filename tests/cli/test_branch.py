"""Branches as they are typed: one more field of a record, and all else as ever."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sheepgen.metadata.image_file import read_record

if TYPE_CHECKING:
    from tests.cli.conftest import Run

QUICK = ("--device", "cpu", "--frames", "none")


@pytest.fixture
def image(run: Run, tiny_folder: Path) -> Path:
    words = ("a red sheep", "--model", str(tiny_folder), "--seed", "3", "--steps", "4")
    made = run(*words, "--scheduler", "euler_a", "-o", "sheep.png", *QUICK)
    assert made.exit_code == 0, made.output
    return Path("sheep.png")


def test_a_branch_is_an_image_that_can_be_made_again_alone(run: Run, image: Path) -> None:
    made = run("branch", str(image), "--at", "2", "--prompt", "an owl", *QUICK)
    assert made.stdout == "outputs/a-red-sheep_3_branch-2-prompt-an-owl.png\n"
    path = Path(made.stdout.strip())
    request = read_record(path).request
    assert (request.prompt, request.seed) == ("a red sheep", 3)
    assert request.branch == '{"2":{"prompt":"an owl"}}'
    image.unlink()
    assert run("verify", str(path)).stdout.startswith(f"{path}: equal")
    again = run("rerun", str(path), "-o", "again.png", *QUICK)
    assert again.exit_code == 0, again.output
    assert Path("again.png").read_bytes() == path.read_bytes()
    shown = run("show", str(path)).stdout
    assert 'Branched: after step 2 prompt "an owl"\n' in shown
    command = run("show", str(path), "--format", "command").stdout
    assert '--branch \'{"2":{"prompt":"an owl"}}\'' in command


def test_wildcards_are_not_offered_as_they_have_no_effect(run: Run) -> None:
    assert "--wildcards" in run("rerun", "--help").stdout
    assert "--wildcards" not in run("branch", "--help").stdout


def test_without_a_change_it_is_the_image_and_that_is_said(run: Run, image: Path) -> None:
    made = run("branch", str(image), "--at", "2", "-o", "same.png", *QUICK)
    assert "Warning: nothing changes after step 2" in made.stderr
    with Image.open(image) as one, Image.open("same.png") as other:
        assert one.tobytes() == other.tobytes()
    seed = run("branch", str(image), "--at", "2", "--seed", "-1", "-o", "seed.png", *QUICK)
    assert f"Using random seed {read_record(Path('seed.png')).request.legs[1][1].seed}." in (
        seed.stderr
    )
    assert "Warning" not in seed.stderr


def test_every_combination_is_a_branch_and_there_is_a_sheet(run: Run, image: Path) -> None:
    words = ("--prompt", "{an owl|a goat}", "--prompt", "an owl", "-g", "2", "-g", "3")
    made = run("branch", str(image), "--at", "2", *words, "-o", "all/", *QUICK)
    assert made.exit_code == 0, made.output
    paths = [Path(line) for line in made.stdout.splitlines()]
    branches = [read_record(path).request.branch for path in paths]
    assert branches == [
        f'{{"2":{{"prompt":"{prompt}","guidance":{guidance}}}}}'
        for prompt in ("an owl", "a goat")
        for guidance in (2, 3)
    ]
    assert Path(f"{paths[0].with_suffix('')}_sheet.png").exists()
    assert 'after step 2 prompt "a goat", guidance 3' in made.stderr
    further = run("branch", str(paths[0]), "--at", "3", "-n", "fog", "-o", "b.png", *QUICK)
    assert further.exit_code == 0, further.output
    assert read_record(Path("b.png")).request.branch == (
        '{"2":{"prompt":"an owl","guidance":2},"3":{"negative_prompt":"fog"}}'
    )


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--at", "2", "--steps", "9"), "steps cannot change after a step."),
        (("--at", "2", "--size", "64x64"), "width cannot change after a step."),
        (("--at", "2", "--scheduler", "ddim"), "scheduler cannot change after a step."),
        (("--at", "2", "--model", "sd15"), "model cannot change after a step."),
        (("--at", "2", "--image", "x.png"), "image cannot change after a step."),
        (("--at", "2", "--guidance", "101"), "guidance must be between 0 and 100, got 101."),
        (
            (
                "--at",
                "4",
            ),
            "Nothing can change after step 4: the image has 4 steps.",
        ),
        (("--at", "0"), "Nothing can change after step 0: the image has 4 steps."),
        ((), "Missing option '--at'."),
    ],
)
def test_what_cannot_be_is_refused_with_one_line(
    run: Run, image: Path, words: tuple[str, ...], complaint: str
) -> None:
    result = run("branch", str(image), *words)
    assert result.exit_code == 2
    assert f"Error: {complaint}\n" in result.stderr
    assert not Path("outputs").exists()


def test_an_image_without_a_record_has_no_steps_to_branch_at(run: Run) -> None:
    Image.new("RGB", (32, 32)).save("x.png")
    result = run("branch", "x.png", "--at", "2")
    assert result.exit_code == 1
    assert "x.png has no record." in result.stderr


def test_an_image_of_another_program_is_to_be_made_here_first(run: Run) -> None:
    texts = PngInfo()
    texts.add_text("parameters", "a cat\nSteps: 4, Sampler: Euler, Seed: 1, Size: 32x32")
    Image.new("RGB", (32, 32)).save("x.png", pnginfo=texts)
    result = run("branch", "x.png", "--at", "2")
    assert result.exit_code == 1
    assert "x.png has no record: another program made it." in result.stderr
    assert "`sheepgen rerun`" in result.stderr


def test_the_installed_model_reads_every_prompt_before_it_is_loaded(run: Run) -> None:
    quick = ("--steps", "3", "--device", "cpu", "--frames", "none")
    assert run("a fox", "--seed", "4", "-o", "fox.png", *quick).exit_code == 0
    words = ("branch", "fox.png", "--at", "1", "--device", "cpu", "--frames", "none")
    made = run(*words, "--prompt", "an owl", "-o", "owl.png")
    assert 'Prompt "an owl" understood as: an owl.' in made.stderr
    assert run("verify", "owl.png").stdout == "owl.png: equal\n"
    with Image.open("fox.png") as one, Image.open("owl.png") as other:
        assert one.tobytes() != other.tobytes()
    refused = run(*words, "--prompt", "xyzzy")
    assert refused.exit_code == 2
    assert 'Nothing in the prompt "xyzzy" is known to sheepgen.' in refused.stderr
    assert run("dissolve", "fox.png", "--frames", "strip", "--device", "cpu").exit_code == 0
    assert Path("outputs/fox_4_dissolved_filmstrip.png").is_file()
