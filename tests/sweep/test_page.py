"""The page of a sweep: what it shows, what it loads, and what it leaves alone."""

from __future__ import annotations

import os
from itertools import product
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from PIL import Image

from sheepgen.errors import OutputError
from sheepgen.events import SweepPageSaved
from sheepgen.execution.settings import RunSettings
from sheepgen.output.contact_sheet import SheetAxis
from sheepgen.resolved_request import ResolvedRequest
from sheepgen.sweep.overview import Overview, PlacedImage, read_overview
from sheepgen.sweep.page import write_sweep_page
from sheepgen.sweep.plan import plan_sweep
from sheepgen.sweep.run import run_sweep
from tests.chromium import brightness
from tests.html_elements import Elements

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.sweep.grid import Value
    from tests.chromium import Page

HOSTILE = (
    "</pre></script><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7 * 7 }} \u202eabc"
)

COLOURS = ((200, 40, 40), (40, 200, 40), (40, 40, 200))


def request(prompt: str, seed: int) -> ResolvedRequest:
    return ResolvedRequest(
        prompt=prompt,
        seed=seed,
        num_inference_steps=2,
        guidance_scale=1.0,
        width=64,
        height=64,
        scheduler="ddim",
    )


def key(number: int) -> str:
    return f"{number:064x}"


def solid(path: Path, colour: tuple[int, int, int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), colour).save(path)
    return path


def overview(folder: Path, prompts: tuple[str, ...], seeds: int) -> Overview:
    """Return images of two axes, each with two steps of other colours."""
    images = []
    for number, (row, column) in enumerate(product(range(len(prompts)), range(seeds))):
        path = solid(folder / f"a #{number}?.png", COLOURS[2])
        frames = folder / f"{number}_frames"
        for step, colour in enumerate(COLOURS[:2]):
            solid(frames / f"step_{step:03}.png", colour)
        images.append(
            PlacedImage(
                coordinates=(row, column),
                request=request(prompts[row], column),
                key=key(number),
                path=path,
                frames=frames,
            )
        )
    axes = (
        SheetAxis(name="prompt", labels=prompts),
        SheetAxis(name="seed", labels=tuple(map(str, range(seeds)))),
    )
    return Overview(axes=axes, images=tuple(images))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fox & 'hound'")
    return write_sweep_page(folder, overview(folder, (HOSTILE, "a fox"), 3))


@pytest.fixture(scope="module")
def elements(page: Path) -> Elements:
    return Elements(page.read_text("utf-8"))


def test_prompts_stay_text(elements: Elements) -> None:
    assert len(elements.named("script")) == 1
    assert "onerror" not in {name for _, attributes in elements.found for name in attributes}
    assert HOSTILE.replace("\u202e", "") in "".join(elements.texts)
    assert "\u202e" not in "".join(elements.texts)


def test_the_page_asks_for_nothing_but_files_beside_it(page: Path, elements: Elements) -> None:
    links = [each["src"] or "" for each in elements.named("img")]
    links += [each["href"] or "" for each in elements.named("a")]
    assert len(links) == 12
    assert all((page.parent / unquote(link)).is_file() for link in links)
    assert all(link.startswith("./") for link in links)
    (policy,) = [each["content"] or "" for each in elements.named("meta") if "http-equiv" in each]
    assert policy.startswith("default-src 'none'; img-src 'self' file:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_each_cell_has_its_parameters_and_its_command(elements: Elements) -> None:
    texts = [text.strip() for text in elements.texts]
    commands = [text for text in texts if text.startswith("sheepgen generate")]
    assert len(commands) == 6
    assert commands[3].startswith("sheepgen generate 'a fox' --seed 0 --steps 2 --guidance 1 ")
    assert commands[4] == commands[3].replace("--seed 0", "--seed 1")
    assert texts.count("steps") == 6


def test_thumbnails_show_the_steps_and_then_the_image(page: Path) -> None:
    with Image.open(page.parent / "sweep_thumbnails" / f"{key(0)}.webp") as opened:
        row = opened.convert("RGB")
    assert row.size == (3 * 128, 128)
    for place, colour in enumerate(COLOURS):
        found = row.getpixel((place * 128 + 64, 64))
        assert isinstance(found, tuple)
        assert max(abs(ours - theirs) for ours, theirs in zip(found, colour, strict=True)) < 8


def test_many_steps_are_thinned_evenly(tmp_path: Path) -> None:
    placed = overview(tmp_path, ("a fox",), 1)
    frames = placed.images[0].frames
    assert frames is not None
    for step in (*range(2, 60), 1000):
        solid(frames / f"step_{step:03}.png", COLOURS[0])
    names = Elements(write_sweep_page(tmp_path, placed).read_text()).named("input")[0]["data-names"]
    assert names == "start|6|12|18|24|30|36|42|48|54|1000|image"


def test_a_thumbnail_is_made_again_only_for_a_newer_image(tmp_path: Path) -> None:
    placed = overview(tmp_path, ("a fox",), 2)
    write_sweep_page(tmp_path, placed)
    thumbnails = [tmp_path / "sweep_thumbnails" / f"{key(number)}.webp" for number in (0, 1)]
    before = [path.stat() for path in thumbnails]
    later = before[0].st_mtime_ns + 10**9
    assert placed.images[0].path is not None
    os.utime(placed.images[0].path, ns=(later, later))
    write_sweep_page(tmp_path, placed)
    assert [path.stat().st_ino for path in thumbnails][1] == before[1].st_ino
    assert thumbnails[0].stat().st_ino != before[0].st_ino


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "torn.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    notes = ("not generated yet", "failed: <the disk is full>", "")
    images = tuple(
        PlacedImage(
            coordinates=(number,),
            request=request("a fox", number),
            key=key(number),
            note=note,
            path=None if note else path,
        )
        for number, note in enumerate(notes)
    )
    axis = SheetAxis(name="seed", labels=("0", "1", "2"))
    text = write_sweep_page(tmp_path, Overview(axes=(axis,), images=images)).read_text("utf-8")
    shown = "".join(Elements(text).texts)
    assert "3 images, 0 of them finished." in shown
    assert all(note in shown for note in (*notes, "The file cannot be read."))
    assert not Elements(text).named("img")


@pytest.mark.parametrize("name", ["sweep.html", "sweep_thumbnails"])
@pytest.mark.parametrize("kind", ["other", "link"])
def test_files_of_others_stay(tmp_path: Path, name: str, kind: str) -> None:
    placed = overview(tmp_path, ("a fox",), 1)
    theirs = tmp_path / name
    if kind == "link":
        theirs.symlink_to(tmp_path / "elsewhere")
    elif name == "sweep.html":
        theirs.write_text("<p>mine</p>")
    else:
        theirs.mkdir()
        (theirs / "holiday.webp").write_text("mine")
    with pytest.raises(OutputError, match=f"{name} already exists and"):
        write_sweep_page(tmp_path, placed)
    left = [path.name for path in theirs.iterdir()] if theirs.is_dir() else []
    assert left == (["holiday.webp"] if (name, kind) == ("sweep_thumbnails", "other") else [])
    assert not (tmp_path / "elsewhere").exists()


def test_a_sweep_writes_its_page_and_replaces_it(tiny_folder: Path, tmp_path: Path) -> None:
    for seeds in ([1, 2], [1, 2, 3]):
        values: dict[str, list[Value]] = {
            "prompt": ["a fox"],
            "model": [str(tiny_folder)],
            "num_inference_steps": [2],
            "seed": [*seeds],
        }
        plan = plan_sweep(values, tmp_path / "out", RunSettings(frames="steps"))
        *_, saved = run_sweep(plan, sheet=False, page=True)
        assert saved == SweepPageSaved(path=tmp_path / "out" / "sweep.html")
        images = Elements(saved.path.read_text("utf-8")).named("img")
        assert [each["data-tiles"] for each in images] == ["4"] * len(seeds)
        placed = read_overview(plan).images
        assert [image.coordinates for image in placed] == [(at,) for at in range(len(seeds))]


def test_filters_and_slider_work(browser: Page, page: Path) -> None:
    browser.open(page)
    visible = "[...document.querySelectorAll('figure')].map(each => each.offsetHeight > 0)"
    assert browser.evaluate(visible) == [True] * 6
    choose = (
        (
            "(place, value) => {{ const found = document.querySelectorAll('select')[place]; "
            "found.value = value; found.dispatchEvent(new Event('change')); }}"
        )
        .replace("{{", "{")
        .replace("}}", "}")
    )
    browser.evaluate(f"({choose})(0, '1')")
    assert browser.evaluate(visible) == [False] * 3 + [True] * 3
    browser.evaluate(f"({choose})(1, '2')")
    assert browser.evaluate(visible) == [False] * 5 + [True]
    position = "getComputedStyle(document.querySelector('img')).objectPosition"
    assert browser.evaluate(position) == "100% 0px"
    browser.evaluate("document.getElementById('step').focus()")
    browser.press("ArrowLeft")
    assert browser.evaluate(position) == "50% 0px"
    browser.press("Home")
    assert browser.evaluate(position) == "0% 0px"
    assert browser.evaluate("document.getElementById('shown').value") == "start"
    assert browser.complaints() == []
    folder = page.parent.as_uri()
    assert all(url.startswith(folder) for url in browser.requests())


def test_pictures_load_as_they_come_into_view(browser: Page, tmp_path: Path) -> None:
    placed = overview(tmp_path, tuple(f"fox {number}" for number in range(60)), 1)
    browser.open(write_sweep_page(tmp_path, placed))
    assert 0 < len(browser.requests()) < 60


def test_the_page_needs_no_scripts(browser: Page, page: Path) -> None:
    browser.open(page, scripts=False)
    height = browser.ask("Page.getLayoutMetrics")["cssContentSize"]["height"]
    assert height > 6 * 128 / 3
    assert browser.complaints() == []


def test_the_page_is_dark_for_those_who_want_it_dark(browser: Page, page: Path) -> None:
    browser.open(page)
    light = brightness(browser.screenshot())
    browser.open(page, dark=True)
    assert brightness(browser.screenshot()) < 100 < 150 < light


def test_pictures_are_described_and_controls_are_named(browser: Page, page: Path) -> None:
    browser.open(page)
    named = (
        "[...document.querySelectorAll('select, input')].every(each => each.labels[0].innerText)"
    )
    assert browser.evaluate(named)
    alts = browser.evaluate("[...document.images].map(each => each.alt)")
    assert alts[-1] == "prompt: a fox, seed: 2"
    assert all(alts)
