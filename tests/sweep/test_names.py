"""Names of a sweep's images say what was asked for, and no two images share one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.output.manifest import Manifest
from sheepgen.output.template import parse_output
from sheepgen.sweep.grid import AXES
from sheepgen.sweep.names import KEYED_NAMES, place_images, readable_names
from tests.samples import sample_request

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({}, "{prompt}_s{seed}.png"),
        ({"seed": (1, 2), "eta": (0.0,), "guidance_scale": [None]}, "{prompt}_s{seed}.png"),
        ({"guidance_scale": (3.5,)}, "{prompt}_s{seed}_g{guidance}.png"),
        ({"eta": (0.0, 1.0)}, "{prompt}_s{seed}_eta{eta}.png"),
        ({"size": [(64, 32)]}, "{prompt}_s{seed}_{width}x{height}.png"),
        ({"negative_prompt": ("", "blur")}, "{prompt}_s{seed}_not-{negative_prompt}.png"),
    ],
)
def test_names_say_what_was_asked_for(values: dict[str, Any], names: str) -> None:
    assert readable_names(values) == names


def test_every_axis_has_its_part_of_the_name() -> None:
    plain = readable_names({})
    unsaid = {axis for axis in AXES if readable_names({axis: ("x", "y")}) == plain}
    assert unsaid == {"prompt", "blend", "seed"}  # a blend is said in the prompt's place


def place(folder: Path, prompts: list[str]) -> list[str]:
    keys = {sample_request(prompt=prompt): f"key-of-{prompt}" for prompt in prompts}
    named, spare = (
        parse_output(f"{folder}/{names}", several=True)
        for names in (readable_names({}), KEYED_NAMES)
    )
    manifest = Manifest(folder)
    manifest.refresh()
    targets = place_images(keys, named, spare, manifest)
    assert list(targets) == list(keys)
    return [target.stem for target in targets.values()]


def test_images_that_would_share_a_name_have_their_keys(tmp_path: Path) -> None:
    assert place(tmp_path, ["a", "a!", "b"]) == ["a_42_key-of-a", "a_42_key-of-a!", "b_s42"]


def test_a_name_stays_with_the_image_that_has_it(tmp_path: Path) -> None:
    Manifest(tmp_path).append({"key": "key-of-a", "status": "done", "path": "a_s42.png"})
    assert place(tmp_path, ["a", "a!"]) == ["a_s42", "a_42_key-of-a!"]
    assert place(tmp_path, ["a!"]) == ["a_42_key-of-a!"]
