from __future__ import annotations

import errno
import json
import os
import warnings
import weakref
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sheepgen.errors import OutputError
from sheepgen.output import contact_sheet
from sheepgen.output.card import CARD_COLOUR
from sheepgen.output.contact_sheet import (
    SWEEP_KEY,
    SheetAxis,
    SheetCell,
    draw_page,
    write_contact_sheets,
)
from sheepgen.output.grid import lay_out
from sheepgen.output.locks import LOCK_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from sheepgen.output.grid import Box

FAILED = (214, 84, 84, 255)
OUTLINE = (62, 66, 78, 255)
PLAN = {"axes": ["steps", "seed"], "prompt": "羊"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "sheets"


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    def save(
        colour: tuple[int, int, int], *, size: tuple[int, int] = (64, 64), name: str = ""
    ) -> Path:
        path = tmp_path / (name or f"{'-'.join(map(str, colour))}.png")
        Image.new("RGB", size, colour).save(path)
        return path

    return save


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != LOCK_NAME)


def axis(name: str, count: int) -> SheetAxis:
    return SheetAxis(name=name, labels=tuple(str(index) for index in range(count)))


def grid(
    picture: Callable[..., Path], *counts: int, size: tuple[int, int] = (64, 64)
) -> tuple[list[SheetAxis], list[SheetCell]]:
    """Return a sweep whose images tell by their colour where they belong."""
    cells = [
        SheetCell(
            coordinates=at,
            image=picture((index // 200 * 50 + 40, index % 200 + 20, 99), size=size),
        )
        for index, at in enumerate(product(*map(range, counts)))
    ]
    return [axis(f"axis{place}", count) for place, count in enumerate(counts)], cells


def record(path: Path) -> dict[str, Any]:
    with Image.open(path) as image:
        text = image.info[SWEEP_KEY]
    assert text.isascii()
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def middle(box: Box) -> tuple[int, int]:
    return (box[0] + box[2]) // 2, (box[1] + box[3]) // 2


def colours(image: Image.Image, box: Box) -> set[tuple[int, ...]]:
    found = image.crop(box).getcolors(1 << 20)
    assert found is not None
    return {pixel for _, pixel in found if isinstance(pixel, tuple)}


@pytest.mark.parametrize("counts", [(), (5,), (3, 4), (2, 2, 3), (20, 20)])
def test_every_image_is_where_its_coordinates_say(
    folder: Path, picture: Callable[..., Path], counts: tuple[int, ...]
) -> None:
    axes, cells = grid(picture, *counts)
    paths = write_contact_sheets(folder, axes, cells, plan=PLAN)
    pages = lay_out(axes, {(64, 64)})
    names = ["contact_sheet.png", "contact_sheet_2.png"][: len(pages)]
    assert files(folder) == sorted(names)
    assert list(paths) == [folder / name for name in names]
    images = {cell.coordinates: cell.image for cell in cells}
    for page, path in zip(pages, paths, strict=True):
        with Image.open(path) as sheet:
            assert sheet.size == page.size
            for coordinates, box in page.cells.items():
                name = images[coordinates]
                assert name is not None
                colour = (*map(int, name.stem.split("-")), 255)
                assert colours(sheet, box) == {colour}


def test_tiny_images_are_enlarged_pixel_by_pixel(tmp_path: Path, folder: Path) -> None:
    image = Image.new("RGB", (2, 2), (255, 0, 0))
    image.putpixel((1, 0), (0, 0, 255))
    image.save(tmp_path / "tiny.png")
    cell = SheetCell(coordinates=(), image=tmp_path / "tiny.png")
    (path,) = write_contact_sheets(folder, [], [cell], plan=PLAN)
    left, top, right, bottom = next(iter(lay_out([], {(2, 2)})[0].cells.values()))
    with Image.open(path) as sheet:
        assert colours(sheet, (left, top, left + 64, bottom)) == {(255, 0, 0, 255)}
        assert colours(sheet, (left + 64, top, right, top + 64)) == {(0, 0, 255, 255)}


def test_a_picture_keeps_its_shape_in_the_middle_of_its_cell(
    folder: Path, picture: Callable[..., Path]
) -> None:
    axes = [axis("size", 2)]
    cells = [
        SheetCell(coordinates=(0,), image=picture((200, 0, 0), size=(512, 256))),
        SheetCell(coordinates=(1,), image=picture((0, 200, 0), size=(512, 512))),
    ]
    (path,) = write_contact_sheets(folder, axes, cells, plan=PLAN)
    left, top, right, bottom = next(iter(lay_out(axes, {(512, 512)})[0].cells.values()))
    with Image.open(path) as sheet:
        assert colours(sheet, (left, top, right, top + 64)) == {CARD_COLOUR}
        assert colours(sheet, (left, top + 64, right, bottom - 64)) == {(200, 0, 0, 255)}
        assert colours(sheet, (left, bottom - 64, right, bottom)) == {CARD_COLOUR}


def test_failed_cells_are_crossed_and_missing_ones_empty(
    folder: Path, tmp_path: Path, picture: Callable[..., Path]
) -> None:
    damaged = picture((1, 2, 3), size=(300, 300), name="damaged.png")
    damaged.write_bytes(damaged.read_bytes()[:200])
    (tmp_path / "text.png").write_text("no image")
    cells = [
        SheetCell(coordinates=(0, 0), image=picture((0, 200, 0))),
        SheetCell(coordinates=(0, 1), note="failed: NaN in step 7, and more of it to say " * 9),
        SheetCell(coordinates=(0, 2), note="failed"),
        SheetCell(coordinates=(0, 3), note="not generated yet"),
        SheetCell(coordinates=(1, 0), image=damaged),
        SheetCell(coordinates=(1, 1), image=tmp_path / "text.png"),
        SheetCell(coordinates=(1, 2), image=tmp_path / "nowhere.png"),
    ]
    axes = [axis("steps", 2), axis("seed", 4)]
    (path,) = write_contact_sheets(folder, axes, cells, plan=PLAN)
    (page,) = lay_out(axes, {(64, 64), (300, 300)})
    with Image.open(path) as sheet:
        assert sheet.size == page.size
        for coordinates, box in page.cells.items():
            seen = colours(sheet, box)
            left, top, right, bottom = box
            corners = {sheet.getpixel(place) for place in ((left, top), (right - 1, bottom - 1))}
            inside = colours(sheet, (left + 1, top + 1, right - 1, bottom - 1))
            if coordinates in {(0, 3), (1, 3)}:
                assert corners == {OUTLINE}
                assert inside == {CARD_COLOUR}
            elif coordinates != (0, 0):
                assert corners == {FAILED}
                assert FAILED in inside
                assert coordinates == (0, 2) or len(seen) > 3  # letters are smoothed


def test_text_stays_in_its_box(folder: Path) -> None:
    values = ("W" * 300, "sheep " * 90, "i", "", "羊" * 80, "\x1b[31m\u202e\ud800\n[red]")
    axes = [SheetAxis(name=name, labels=values) for name in ("N" * 99, "rows", "columns")]
    axes[0] = SheetAxis(name="N" * 99, labels=values[:2])
    paths = write_contact_sheets(folder, axes, [], plan=PLAN)
    for page, path in zip(lay_out(axes, set()), paths, strict=True):
        with Image.open(path) as sheet:
            labels = [label for label in page.labels if label.value]
            assert all(len(colours(sheet, label.box)) > 3 for label in labels)
            for label in page.labels:
                left, top, right, bottom = label.box  # and the smooth edge of a letter
                sheet.paste(CARD_COLOUR, (left - 1, top, right + 1, bottom))
            for box in page.cells.values():
                sheet.paste(CARD_COLOUR, box)
            assert colours(sheet, (10, 10, sheet.width - 10, sheet.height - 10)) == {CARD_COLOUR}


def test_pages_carry_the_plan_and_their_place_in_it(
    folder: Path, picture: Callable[..., Path]
) -> None:
    axes, cells = grid(picture, 2, 2, 3)
    first, second = write_contact_sheets(folder, axes, cells, plan=PLAN, stem="sheep")
    assert (first.name, second.name) == ("sheep.png", "sheep_2.png")
    assert record(first) == {"plan": PLAN, "page": 1, "pages": 2, "fixed": {"axis0": "0"}}
    assert record(second) == {"plan": PLAN, "page": 2, "pages": 2, "fixed": {"axis0": "1"}}


def test_the_same_cells_give_the_same_bytes(tmp_path: Path, picture: Callable[..., Path]) -> None:
    axes, cells = grid(picture, 2, 2, 2)
    once = write_contact_sheets(tmp_path / "one", axes, cells, plan=PLAN)
    again = write_contact_sheets(tmp_path / "two", axes, list(reversed(cells)), plan=PLAN)
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]


def test_an_earlier_sheet_is_replaced_with_all_its_pages(
    folder: Path, picture: Callable[..., Path]
) -> None:
    axes, cells = grid(picture, 3, 2, 2)
    assert len(write_contact_sheets(folder, axes, cells, plan=PLAN)) == 3
    for name in ("contact_sheet_7.png", "contact_sheet_x.png", "contact_sheet_02.png"):
        (folder / name).write_bytes((folder / "contact_sheet_3.png").read_bytes())
    (folder / "contact_sheet_8.png").write_text("another program's")
    picture((5, 5, 5), name="sheets/contact_sheet_9.png")
    axes, cells = grid(picture, 2, 2)
    (path,) = write_contact_sheets(folder, axes, cells, plan={"second": True})
    assert record(path)["plan"] == {"second": True}
    assert files(folder) == [
        "contact_sheet.png",
        "contact_sheet_02.png",
        "contact_sheet_8.png",
        "contact_sheet_9.png",
        "contact_sheet_x.png",
    ]


@pytest.mark.parametrize("kind", ["text", "image", "folder", "link", "fifo"])
def test_another_programs_file_is_never_overwritten(
    folder: Path, picture: Callable[..., Path], kind: str
) -> None:
    folder.mkdir()
    path = folder / "contact_sheet_2.png"
    match kind:
        case "text":
            path.write_text("another program's")
        case "image":
            picture((5, 5, 5), name="sheets/contact_sheet_2.png")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to("nowhere")
        case _:
            os.mkfifo(path)
    axes, cells = grid(picture, 2, 2, 2)
    with pytest.raises(OutputError, match="already exists") as caught:
        write_contact_sheets(folder, axes, cells, plan=PLAN)
    assert "--output" in caught.value.hint
    assert files(folder) == [path.name]


def test_a_file_that_comes_while_pages_are_drawn_is_not_overwritten(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*given: Any) -> Image.Image:
        (folder / "contact_sheet.png").write_text("another program's")
        return draw_page(*given)

    monkeypatch.setattr(contact_sheet, "draw_page", slowly)
    with pytest.raises(OutputError, match="already exists"):
        write_contact_sheets(folder, [], [], plan=PLAN)
    assert files(folder) == ["contact_sheet.png"]
    assert (folder / "contact_sheet.png").read_text() == "another program's"


def test_a_full_disk_leaves_the_earlier_sheet_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = write_contact_sheets(folder, [], [], plan=PLAN)
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(contact_sheet, "write_synced", full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_contact_sheets(folder, [], [], plan={"other": 1})
    assert files(folder) == [path.name]
    assert path.read_bytes() == before


def test_the_first_page_comes_last(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    renamed: list[str] = []
    rename = Path.rename

    def noted(self: Path, target: Path) -> Path:
        renamed.append(target.name)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", noted)
    write_contact_sheets(folder, [axis("a", 3), axis("b", 2), axis("c", 2)], [], plan=PLAN)
    assert renamed == ["contact_sheet_3.png", "contact_sheet_2.png", "contact_sheet.png"]


def test_one_image_and_one_page_at_a_time(
    folder: Path, picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    axes, cells = grid(picture, 2, 10, 20, size=(80, 80))
    opened: list[weakref.ref[Image.Image]] = []
    pages: list[weakref.ref[Image.Image]] = []
    most = 0
    real_open = Image.open

    def counted_open(*given: Any, **named: Any) -> Image.Image:
        nonlocal most
        image = real_open(*given, **named)
        opened.append(weakref.ref(image))
        most = max(most, sum(ref() is not None for ref in opened))
        return image

    def counted_page(*given: Any) -> Image.Image:
        assert all(ref() is None for ref in pages)
        page = draw_page(*given)
        pages.append(weakref.ref(page))
        return page

    monkeypatch.setattr(Image, "open", counted_open)
    monkeypatch.setattr(contact_sheet, "draw_page", counted_page)
    write_contact_sheets(folder, axes, cells, plan=PLAN)
    assert len(pages) == 2
    assert len(opened) == 800  # once for the size, once for the picture
    assert most <= 2


def test_an_image_too_large_to_be_honest_is_marked_and_not_loaded(
    folder: Path, picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)
    cell = SheetCell(coordinates=(), image=picture((0, 200, 0), size=(64, 64)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (path,) = write_contact_sheets(folder, [], [cell], plan=PLAN)
    monkeypatch.undo()
    with Image.open(path) as sheet:
        (box,) = lay_out([], set())[0].cells.values()
        assert FAILED in colours(sheet, box)
