from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepgen.errors import UsageError
from sheepgen.output.template import PLACEHOLDERS, parse_output, slug
from tests.samples import requests, sample_request

if TYPE_CHECKING:
    from sheepgen.resolved_request import ResolvedRequest

HOSTILE = (
    "../../etc/passwd",
    "..",
    "/etc/passwd",
    "~root",
    "-rf .",
    ".hidden",
    "C:\\windows\\con",
    "[red]bold[/red]",
    "\x1b]8;;http://x\x07link\x1b]8;;\x07",
    "line\nbreak\ttab",
    "x" * 300,
    "word " * 100,
    "\u202egnp.exe",
    "🐑🐑🐑",
    "羊の絵",
    "con",
    "NUL",
    "LpT1",
    "",
    "{seed}",
    "%s%n$(id)`id`",
)


@given(st.text(max_size=200) | st.sampled_from(HOSTILE))
def test_a_slug_is_a_harmless_word(text: str) -> None:
    word = slug(text, empty="image")
    assert re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", word)
    assert len(word) <= 60 + len("-image")
    assert word not in {"con", "prn", "aux", "nul", "com1", "lpt1"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("A red Sheep, please!", "a-red-sheep-please"),
        ("Käse à la crème", "kase-a-la-creme"),
        ("ﬁne ™", "fine-tm"),
        ("羊", "image"),
        ("con", "con-image"),
        ("../../x", "x"),
        ("x" * 300, "x" * 60),
        ("word " * 100, "-".join(["word"] * 12)),
    ],
)
def test_slugs_keep_what_can_be_kept(text: str, word: str) -> None:
    assert slug(text, empty="image") == word


@pytest.mark.parametrize(
    ("output", "path"),
    [
        (None, "outputs/a-red-sheep_42.png"),
        ("pictures/", "pictures/a-red-sheep_42.png"),
        ("x.webp", "x.webp"),
        ("../x.JPG", "../x.JPG"),
        ("v1.5/x.png", "v1.5/x.png"),
        ("out/{model}/{scheduler}-{steps}-{guidance}.png", "out/m-x/dpmpp-2m-karras-3-7.5.png"),
        ("{width}x{height}_{index}.png", "32x24_4.png"),
        ("{{x}}_{seed}.png", "{x}_42.png"),
        ("../up/{seed}.png", "../up/42.png"),
        ("a.b.{seed}.png", "a.b.42.png"),
    ],
)
def test_outputs_lead_to_paths(output: str | None, path: str) -> None:
    target = parse_output(output, several=False).target(
        sample_request(model="./m/M X/"), 4, "0123456789abcdef"
    )
    assert target.path == Path(path)
    assert target.paths()["frames"] == Path(path).parent / f"{target.stem}_frames"


def test_an_existing_folder_needs_no_slash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here").mkdir()
    assert parse_output("here", several=False).text == "here/{prompt}_{seed}.png"
    assert parse_output(".", several=False).text == "./{prompt}_{seed}.png"


def test_the_home_folder_is_meant_as_in_a_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "h{o}me"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(tmp_path)

    def path(output: str, **options: Any) -> Path:
        template = parse_output(output, several=False, **options)
        return template.target(sample_request(), 1, "k").path

    assert path("~/pics/{seed}.png") == home / "pics" / "42.png"
    assert path("~/pics/") == home / "pics" / "a-red-sheep_42.png"
    assert path("./~/x.png") == Path("~/x.png")
    assert path("~nobody-has-this-name/x.png") == Path("~nobody-has-this-name/x.png")
    assert path("~/x.png", inside=Path("~")) == Path("~/~/x.png")
    home.mkdir()
    assert path("~") == home / "a-red-sheep_42.png"


@pytest.mark.parametrize("output", ["x.png ", "x.png\n", "x.png\t "])
def test_blanks_at_the_end_are_left_out(output: str) -> None:
    assert parse_output(output, several=False).text == "x.png"
    assert parse_output(f"pics/{' ' * 3}", several=False).text == "pics/{prompt}_{seed}.png"
    with pytest.raises(UsageError, match="needs a file name"):
        parse_output("  ", several=False)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("x.png", "x_{seed}.png"),
        ("{prompt}.png", "{prompt}_{seed}.png"),
        ("{index}.png", "{index}.png"),
        ("{seed}/x.png", "{seed}/x.png"),
    ],
)
def test_several_images_get_several_names(output: str, text: str) -> None:
    assert parse_output(output, several=True).text == text


@pytest.mark.parametrize(
    "output",
    [
        "",
        "name",
        "a\0.png",
        ".png",
        "x.{seed}",
        "{nothing}.png",
        "{seed:>99999999}.png",
        "{seed!r}.png",
        "{prompt.__class__}.png",
        "{0}.png",
        "{}.png",
        "{.png",
        "}.png",
        "x" * 300,
    ],
)
def test_what_names_no_file_is_refused(output: str) -> None:
    with pytest.raises(UsageError):
        parse_output(output, several=False)


@pytest.mark.parametrize(
    "output", ["{seed}/../../x.png", "a/{seed}/../../x.png", "{seed}" * 101 + ".png"]
)
def test_paths_stay_in_the_templates_folder(output: str) -> None:
    with pytest.raises(UsageError):
        parse_output(output, several=False).target(sample_request(), 1, "k")


@given(
    request=requests,
    hostile=st.sampled_from(HOSTILE),
    fields=st.lists(st.sampled_from(PLACEHOLDERS), min_size=1, max_size=3),
)
def test_no_field_leads_anywhere(
    tmp_path: Path, request: ResolvedRequest, hostile: str, fields: list[str]
) -> None:
    if hostile:
        request = sample_request(prompt=hostile, model=hostile)
    template = parse_output(
        f"{tmp_path}/{'/'.join(f'{{{field}}}' for field in fields)}.png", several=False
    )
    for path in template.target(request, 1, "k").paths().values():
        assert Path(os.path.normpath(path)).is_relative_to(tmp_path)
        assert re.fullmatch("[a-z0-9._/+-]*", str(path.relative_to(tmp_path)))
