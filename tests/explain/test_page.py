"""The page is self-contained, harmless, and readable with and without scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sheepgen.explain.pictures import MAX_SHOWN_STEPS
from tests.chromium import brightness
from tests.explain.test_explain import explained, plan
from tests.html_elements import Elements
from tests.tiny_sd3 import save_tiny_sd3

if TYPE_CHECKING:
    from pathlib import Path

    from tests.chromium import Page

HOSTILE = (
    '</title></style></script><script>alert(1)</script><img src="http://example.org/x" '
    "onerror=alert(2)> {{ 7 * 7 }} \u202egnirts"
)


@pytest.fixture(scope="module")
def page(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page of a hostile prompt, which the tiny model reads only part of."""
    folder = tmp_path_factory.mktemp("page")
    asked = plan(tiny_folder, folder / "fox & 'hound'.png", prompt=HOSTILE, long_prompt="chunk")
    return explained(asked, ablate=False).page


@pytest.fixture(scope="module")
def elements(page: Path) -> Elements:
    return Elements(page.read_text("utf-8"))


def test_prompts_stay_text(elements: Elements) -> None:
    assert len(elements.named("script")) == 1
    assert "onerror" not in {name for _, attributes in elements.found for name in attributes}
    texts = "".join(elements.texts)
    assert HOSTILE.replace("\u202e", "") in texts
    assert "{{ 7 * 7 }}" in texts
    assert "\u202e" not in texts


def test_positions_of_words_that_two_encoders_read(tmp_path: Path) -> None:
    folder = save_tiny_sd3(tmp_path / "sd3")
    asked = plan(folder, tmp_path / "fox.png", prompt="a red sheep", num_inference_steps=1)
    texts = Elements(explained(asked).page.read_text("utf-8")).texts
    at = texts.index("red", texts.index("positions"))
    assert "2, 18 to 21" in texts[at : at + 6]


def test_nothing_is_loaded_from_anywhere(elements: Elements) -> None:
    for _, attributes in elements.found:
        for name in ("src", "href", "srcset", "data", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
    (policy,) = [
        each["content"] or ""
        for each in elements.named("meta")
        if each.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy


def test_pictures_are_described(elements: Elements) -> None:
    alts = [each["alt"] for each in elements.named("img") if each.get("class") != "under"]
    assert len(alts) > 10
    assert all(alts)
    assert all(each.get("aria-label") for each in elements.named("svg"))


def test_without_scripts_all_steps_are_listed(elements: Elements) -> None:
    steps = [each for each in elements.named("li") if "data-step" in each]
    assert [each["data-step"] for each in steps] == [f"{step} of 3" for step in (1, 2, 3)]
    assert all("hidden" not in each for each in steps)
    (slider,) = [each for each in elements.named("div") if each.get("id") == "slider"]
    assert "hidden" in slider


def test_of_many_steps_some_have_pictures(tiny_folder: Path, tmp_path: Path) -> None:
    told = explained(plan(tiny_folder, tmp_path / "fox.png", num_inference_steps=60))
    steps = Elements(told.page.read_text("utf-8")).named("li")
    assert len(steps) == MAX_SHOWN_STEPS
    assert steps[-1]["data-step"] == "60 of 60"
    assert len(told.numbers["steps"]) == 60


def test_the_slider_shows_one_step_at_a_time(browser: Page, page: Path) -> None:
    browser.open(page)
    shown = "[...document.querySelectorAll('.steps > li')].map(step => step.offsetHeight > 0)"
    assert browser.evaluate(shown) == [False, False, True]
    browser.evaluate("document.getElementById('step').focus()")
    browser.press("ArrowLeft")
    assert browser.evaluate("document.getElementById('shown').value") == "2 of 3"
    assert browser.evaluate(shown) == [False, True, False]
    browser.press("Home")
    assert browser.evaluate(shown) == [True, False, False]
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]


def test_all_pictures_can_be_seen(browser: Page, page: Path) -> None:
    browser.open(page)
    broken = "[...document.images].filter(each => !each.naturalWidth).length"
    assert browser.evaluate(broken) == 0
    assert browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_page_is_dark_for_those_who_want_it_dark(browser: Page, page: Path) -> None:
    browser.open(page)
    light = brightness(browser.screenshot())
    browser.open(page, dark=True)
    assert brightness(browser.screenshot()) < 100 < 150 < light


def test_scripts_are_not_needed(browser: Page, page: Path) -> None:
    browser.open(page, scripts=False)
    height = browser.ask("Page.getLayoutMetrics")["cssContentSize"]["height"]
    browser.open(page)
    assert browser.ask("Page.getLayoutMetrics")["cssContentSize"]["height"] < height
    assert browser.complaints() == []
