from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sheepgen.metadata.image_file import read_record

if TYPE_CHECKING:
    from tests.cli.conftest import Configure, Run

FIRST = "a-red-sheep_s1_1steps_ddim.png"


def test_a_morph_is_images_with_records_and_an_animation(run: Run, tiny_folder: Path) -> None:
    words = ("--model", str(tiny_folder), "--steps", "1", "--scheduler", "ddim", "--size", "32x32")
    morph = ("morph", "a red sheep", "an owl", "--stops", "3", "--seed", "1", "-o", "out/")
    result = run(*morph, *words)
    assert result.exit_code == 0, result.stderr
    assert "3 images, into out" in result.stderr
    assert "stop 2: 0.5 a red sheep + 0.5 an owl" in result.stderr
    paths = [Path(line) for line in result.stdout.splitlines()]
    blends = [read_record(path).request.blend for path in paths]
    assert blends == ["", "a red sheep:0.5, an owl:0.5", ""]
    assert Path("out/animation.webp").exists()
    assert not Path("out/contact_sheet.png").exists()
    again = run(*morph, *words, "--animation", "none", "--sheet")
    assert "Nothing to do" in again.stderr
    assert again.stdout == ""
    assert Path("out/contact_sheet.png").exists()
    assert run("verify", *map(str, paths)).exit_code == 0
    film = Path("out/animation.webp").read_bytes()
    other = run(
        "morph", "a red sheep", "a goat", "--stops", "3", "--seed", "1", "-o", "out/", *words
    )
    assert other.exit_code == 1
    assert "animation.webp is the animation of other images." in other.stderr
    assert Path("out/animation.webp").read_bytes() == film
    assert sorted(Path("out").glob("*_s1_*.png")) == sorted(paths)
    alone = run("generate", "a red sheep", *words, "--seed", "1", "-o", "alone.png")
    assert alone.exit_code == 0, alone.stderr
    assert Path("alone.png").read_bytes() == paths[0].read_bytes()


def test_the_plan_is_printed(run: Run) -> None:
    words = ("a strawberry", "a lemon", "a strawberry", "--stops", "5", "--seeds", "1,2,1")
    result = run("morph", *words, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    assert plan["folder"] == "outputs/a-strawberry_to_a-strawberry_morph"
    requests = [image["request"] for image in plan["images"]]
    # The last stop is the first again: one image.
    assert [each["blend"] for each in requests] == [
        "",
        "a strawberry:0.5, a lemon:0.5",
        "",
        "a lemon:0.5, a strawberry:0.5",
    ]
    assert [each["variation_seed"] for each in requests] == [None, 2, None, 1]
    assert len(plan["plan"]["axes"][0]["values"]) == 5
    assert not Path("outputs").exists()


def test_settings_and_presets_apply(run: Run, configure: Configure, tiny_folder: Path) -> None:
    configure(
        'seed = 5\nsteps = 3\noutput = "elsewhere/"\nvariation_strength = 0.5\n'
        f'[models.tiny]\nmodel = "{tiny_folder}"\nsize = "64x32"\n'
    )
    words = ("morph", "a sheep", "a goat", "--stops", "3", "--model", "tiny", "--dry-run", "--json")
    plan = json.loads(run(*words).stdout)
    assert plan["folder"] == "outputs/a-sheep_to_a-goat_morph"
    for request in (image["request"] for image in plan["images"]):
        assert (request["seed"], request["num_inference_steps"]) == (5, 3)
        assert (request["width"], request["height"]) == (64, 32)
        assert request["variation_strength"] == 0
    plan = json.loads(run(*words, "--seeds", "7", "--steps", "2").stdout)
    request = plan["images"][0]["request"]
    assert (request["seed"], request["num_inference_steps"]) == (7, 2)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("a sheep",), "A morph needs two different prompts or seeds."),
        (("a sheep", "a sheep"), "A morph needs two different prompts or seeds."),
        (("a sheep", "--seeds", "1,1"), "A morph needs two different prompts or seeds."),
        ((), "A morph needs two different prompts or seeds."),
        (("--seeds", "1,2"), "The prompt is empty."),
        (("a sheep", "a goat", "--stops", "1"), "--stops must be at least 2, got 1."),
        (("a sheep", "a goat", "--stops", "501"), "and 500, got 501."),
        (("a sheep", "--seeds", "1,x"), "--seeds: x is not a whole number or a range."),
        (("a sheep", "a goat", "--fps", "0"), "fps must be above 0 and at most 60, got 0."),
        (("a sheep", "a goat", "--animation", "avi"), "webp, gif, mp4 or none"),
        (("a sheep", "a goat", "--image", "-"), "reads no picture from a pipe"),
        (("a sheep", "a goat", "--wildcards", "."), "A morph takes no wildcards."),
        (("a sheep", "qqqqzzzz"), 'Nothing in the prompt "qqqqzzzz" is known'),
    ],
)
def test_what_is_wrong_is_said(run: Run, words: tuple[str, ...], complaint: str) -> None:
    result = run("morph", *words)
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert not Path("outputs").exists()
