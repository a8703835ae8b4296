from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from sheepgen.errors import OutputError
from sheepgen.meaning.heat_map import draw_distances
from sheepgen.meaning.pictures import MEANING_KEY, save_pictures
from sheepgen.meaning.text_map import draw_map
from sheepgen.output.palette import PALETTE, colour_of
from tests.meaning.asking import measured

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.meaning.measure import Meaning

HOSTILE = "../\x1b[31m[bold]a\u202e\x07 sheep\n"


@pytest.fixture(scope="module")
def found(tiny_folder: Path) -> Meaning:
    return measured(tiny_folder, HOSTILE, "a red deer", "Schäfchen 羊")


def test_nothing_is_overwritten(found: Meaning, tmp_path: Path) -> None:
    first = save_pictures(found, tmp_path / "new")
    kept = {path: path.read_bytes() for path in first.values()}
    second = save_pictures(found, tmp_path / "new")
    assert [path.name for path in first.values()] == [
        "31m-bold-a-sheep_distances.png",
        "31m-bold-a-sheep_map.png",
    ]
    assert [path.name for path in second.values()] == [
        "31m-bold-a-sheep_distances_2.png",
        "31m-bold-a-sheep_map_2.png",
    ]
    assert {path: path.read_bytes() for path in first.values()} == kept
    assert sorted(path.read_bytes() for path in second.values()) == sorted(kept.values())
    assert len([*(tmp_path / "new").glob("*.png")]) == 4


def test_one_taken_name_moves_both(found: Meaning, tmp_path: Path) -> None:
    (tmp_path / "31m-bold-a-sheep_map.png").symlink_to("nowhere")
    paths = save_pictures(found, tmp_path)
    assert {path.stem.rpartition("_")[2] for path in paths.values()} == {"2"}


def test_the_text_in_them_is_ascii(found: Meaning, tmp_path: Path) -> None:
    for path in save_pictures(found, tmp_path).values():
        with Image.open(path) as picture:
            picture.load()
            text = picture.info[MEANING_KEY]
        assert text.isascii()
        assert text.isprintable()
        assert json.loads(text)["prompts"][0] == HOSTILE


def test_a_heat_map_is_light_where_texts_are_near(found: Meaning) -> None:
    picture = draw_distances(found).convert("RGB")
    colours = {colour for _, colour in picture.getcolors(2**24) or []}
    assert colour_of(1) in colours
    assert colour_of(0) in colours


def test_pictures_depend_on_nothing_else(found: Meaning) -> None:
    for draw in (draw_distances, draw_map):
        assert draw(found).tobytes() == draw(found).tobytes()


def test_many_long_prompts_fit(tiny_folder: Path) -> None:
    many = measured(tiny_folder, *(f"{'sheep ' * 40}{number}" for number in range(40)))
    for draw in (draw_distances, draw_map):
        assert draw(many).width == 960


def test_one_prompt_needs_no_distances(tiny_folder: Path, tmp_path: Path) -> None:
    assert [*save_pictures(measured(tiny_folder, "sheep"), tmp_path)] == ["map"]
    alone = measured(tiny_folder, "sheep", nearest=0, words=("sheep", "deer"))
    assert save_pictures(alone, tmp_path / "nothing") == {}
    assert not (tmp_path / "nothing").exists()


def test_a_folder_that_cannot_be_written_to_is_an_error(found: Meaning, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write to"):
        save_pictures(found, tmp_path / "file")


def test_colours_run_from_dark_to_light() -> None:
    assert PALETTE[:3] == colour_of(-1) == colour_of(0)
    assert PALETTE[-3:] == colour_of(1) == colour_of(2)
    sums = [sum(PALETTE[at : at + 3]) for at in range(0, 768, 3)]
    assert sums == sorted(sums)
