"""``--blend`` in every command: in place of the prompt, and in names and answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sheepgen.metadata.image_file import encode_image
from sheepgen.sweep.grid import combine
from tests.samples import sample_image, sample_record

if TYPE_CHECKING:
    from tests.cli.conftest import Run, Typed

KING = "a king:1, a man:-1, a woman:1"
FRUIT = "a strawberry:0.5, a lemon:0.5"


def test_a_blend_needs_no_prompt(typed: Typed) -> None:
    request = typed("--blend", "a king, a man:-1, a woman")
    assert (request.blend, request.prompt) == (KING, "a king - a man + a woman")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("a king", "--blend", KING), "There are both a prompt and a blend."),
        (("--blend", "a king:x"), 'must be a number of at most six decimals, got "x"'),
        (("--blend", "a king,"), "A prompt of the blend is empty."),
        (("--blend", "qqqqzzzz, a king"), 'Nothing in the prompt "qqqqzzzz" is known'),
    ],
)
def test_what_is_wrong_is_said(run: Run, words: tuple[str, ...], complaint: str) -> None:
    result = run("generate", *words, "--dry-run")
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_the_plan_names_the_blend(run: Run) -> None:
    result = run("--blend", FRUIT, "--seed", "1", "--dry-run", "--json")
    plan = json.loads(result.stdout)
    assert plan["prompt"]["understood"] == "0.5 a strawberry + 0.5 a lemon"
    assert plan["images"][0]["path"] == "outputs/0-5-a-strawberry-0-5-a-lemon_1.png"


def test_a_sweep_expands_alternatives(run: Run) -> None:
    words = ("sweep", "--blend", "a king:{1|0.5}, a man:-1", "--seeds", "1", "--dry-run", "--json")
    result = run(*words)
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    blends = [image["request"]["blend"] for image in plan["images"]]
    assert blends == ["a king:1, a man:-1", "a king:0.5, a man:-1"]
    assert [Path(image["path"]).name for image in plan["images"]] == [
        "a-king-a-man_s1.png",
        "0-5-a-king-a-man_s1.png",
    ]
    assert plan["folder"] == "outputs/a-king-a-man_sweep"


def test_two_spellings_are_one_value_of_a_sweep() -> None:
    grid = combine({"blend": ["a king", " a king : 1.0", "a king:2"], "seed": [1]})
    assert [cell.request.blend for cell in grid.cells] == ["a king:1", "a king:2"]


def test_a_job_with_a_prompt_has_no_need_of_the_default(run: Run) -> None:
    jobs = [{"seed": 1}, {"seed": 1, "prompt": "a goat"}, {"prompt": "a goat", "blend": FRUIT}]
    stdin = "\n".join(map(json.dumps, jobs))
    result = run("batch", "-", "--blend", FRUIT, "--dry-run", stdin=stdin)
    one, other, wrong = map(json.loads, result.stdout.splitlines())
    assert one["request"]["blend"] == FRUIT
    assert one["prompt"]["understood"] == "0.5 a strawberry + 0.5 a lemon"
    assert (other["request"]["blend"], other["request"]["prompt"]) == ("", "a goat")
    assert wrong["error"]["message"] == "There are both a prompt and a blend."


def test_a_blend_comes_from_the_parameters_alone(typed: Typed) -> None:
    from PIL.PngImagePlugin import PngInfo

    from sheepgen.metadata.a1111 import to_parameters

    texts = PngInfo()
    texts.add_text("parameters", to_parameters(sample_record(blend=KING)))
    sample_image().save("x.png", pnginfo=texts)
    assert typed("rerun", "x.png").blend == KING
    assert typed("rerun", "x.png", "--prompt", "a goat").blend == ""
    assert typed("rerun", "x.png", "--blend", FRUIT).blend == FRUIT


def test_a_prompt_takes_the_place_of_a_recorded_blend(typed: Typed) -> None:
    Path("x.png").write_bytes(encode_image(sample_image(), sample_record(blend=KING), ".png"))
    request = typed("rerun", "x.png", "--prompt", "a goat")
    assert (request.blend, request.prompt) == ("", "a goat")
    assert typed("rerun", "x.png", "--seed", "3").blend == KING


def test_only_one_prompt_is_explained(run: Run) -> None:
    result = run("explain", "--blend", KING)
    assert result.exit_code == 2
    assert 'Unknown option "--blend"' in result.stderr
