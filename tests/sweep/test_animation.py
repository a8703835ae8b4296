"""The animation of a sweep: which pictures, for how long, and in place of which files."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageSequence

from sheepgen.errors import OutputError, UsageError
from sheepgen.output import video
from sheepgen.sweep.animation import SweepAnimation, check_animation, write_animation
from sheepgen.sweep.overview import Overview, PlacedImage
from tests.samples import sample_request

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = [(250, 10, 10), (10, 250, 10), (10, 10, 250), (250, 250, 10)]


@pytest.fixture
def overview(tmp_path: Path) -> Overview:
    images = []
    for place, colour in enumerate(COLOURS):
        path = tmp_path / f"{place}.png"
        Image.new("RGB", (64, 48), colour).save(path)
        request = sample_request(seed=place)
        images.append(PlacedImage(coordinates=(place,), request=request, key=f"{place}", path=path))
    return Overview(axes=(), images=tuple(images))


def is_near(image: Image.Image, colour: tuple[int, int, int]) -> bool:
    got = image.convert("RGB").getpixel((20, 20))
    assert isinstance(got, tuple)
    return all(abs(one - other) < 24 for one, other in zip(got, colour, strict=True))


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_all_images_in_order_and_a_rest_at_both_ends(
    overview: Overview, tmp_path: Path, kind: Any
) -> None:
    path = write_animation(tmp_path, overview, SweepAnimation(kind=kind, fps=20))
    assert path == tmp_path / f"animation.{kind}"
    with Image.open(path) as film:
        frames = [
            (frame.convert("RGB"), frame.info["duration"]) for frame in ImageSequence.Iterator(film)
        ]
    assert [duration for _, duration in frames] == [1000, 50, 50, 1000]
    assert all(is_near(frame, colour) for (frame, _), colour in zip(frames, COLOURS, strict=True))


def test_a_film_has_the_same_images(overview: Overview, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    animation = SweepAnimation(kind="mp4", fps=20)
    path = write_animation(tmp_path, overview, animation)
    data = path.read_bytes()
    with av.open(io.BytesIO(data)) as film:
        frames = [
            (float(frame.pts * frame.time_base), frame.to_image()) for frame in film.decode(video=0)
        ]
    times = [round(time, 3) for time, _ in frames]
    assert times == [0, 1, 1.05, 1.1, 2.1]
    assert frames[0][1].size == (64, 48)
    shown = zip(frames, [*COLOURS, COLOURS[-1]], strict=True)
    assert all(is_near(frame, colour) for (_, frame), colour in shown)
    assert write_animation(tmp_path, overview, animation).read_bytes() == data


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_an_earlier_one_is_replaced_and_nothing_else(
    overview: Overview, tmp_path: Path, kind: Any
) -> None:
    animation = SweepAnimation(kind=kind)
    first = write_animation(tmp_path, overview, animation).read_bytes()
    assert write_animation(tmp_path, overview, animation).read_bytes() == first
    path = animation.path(tmp_path)
    Image.new("RGB", (8, 8)).save(path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="is not the animation of a sweep"):
        check_animation(tmp_path, overview, animation)
    with pytest.raises(OutputError, match="is not the animation of a sweep"):
        write_animation(tmp_path, overview, animation)
    assert path.read_bytes() == before
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="is not the animation of a sweep"):
        check_animation(tmp_path, overview, animation)


@pytest.mark.parametrize("kind", ["gif", "webp", "mp4"])
def test_one_of_other_images_is_replaced_only_if_that_is_wanted(
    overview: Overview, tmp_path: Path, kind: Any
) -> None:
    if kind == "mp4":
        pytest.importorskip("av")
    animation = SweepAnimation(kind=kind)
    path = write_animation(tmp_path, overview, animation)
    before = path.read_bytes()
    others = replace(overview, images=overview.images[:2])
    with pytest.raises(OutputError, match="is the animation of other images") as caught:
        check_animation(tmp_path, others, animation)
    assert "--output" in caught.value.hint
    assert "--overwrite" in caught.value.hint
    with pytest.raises(OutputError, match="is the animation of other images"):
        write_animation(tmp_path, others, animation)
    assert path.read_bytes() == before
    write_animation(tmp_path, others, animation, overwrite=True)
    check_animation(tmp_path, others, animation)


def test_an_image_that_cannot_be_read_is_named(overview: Overview, tmp_path: Path) -> None:
    (tmp_path / "2.png").write_bytes(b"nothing")
    with pytest.raises(OutputError, match=r"2\.png cannot be read"):
        write_animation(tmp_path, overview, SweepAnimation())
    assert not (tmp_path / "animation.webp").exists()


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"fps": 0.0}, "fps must be above 0 and at most 60, got 0"),
        ({"fps": 61.0}, "got 61"),
        ({"fps": float("nan")}, "got nan"),
        ({"kind": "avi"}, 'Unknown animation "avi"'),
    ],
)
def test_what_is_wrong_is_said(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        SweepAnimation(**fields)


def test_the_package_for_films_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="MP4 needs the package av") as caught:
        SweepAnimation(kind="mp4")
    assert "sheepgen[video]" in caught.value.hint
