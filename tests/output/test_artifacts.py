"""A new kind of picture beside the image is one row of `ARTIFACTS` and one function."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from sheepgen.events import ImageSaved
from sheepgen.execution.run import make_images
from sheepgen.execution.work_queue import WorkQueue
from sheepgen.output import jsonl, progress
from sheepgen.output.artifacts import ARTIFACTS, FRAME_CHOICES, Artifact, ArtifactSource
from sheepgen.output.images import OutputLayout, save_images
from sheepgen.output.ownership import find_obstacle
from sheepgen.output.template import Target, parse_output
from tests.samples import sample_events, sample_request

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from sheepgen.events import Event
    from sheepgen.resolved_request import ResolvedRequest

REQUEST = sample_request()
KEY = "ab" * 32


def encode_palette(source: ArtifactSource) -> bytes | None:
    """Stand in for a picture; there is none for a run without frames."""
    if not source.frames or source.image is None:
        return None
    return f"{source.image.getpixel((0, 0))} {len(source.frames)} {source.key}".encode()


PALETTE = Artifact(
    name="palette",
    pattern="{stem}_palette.txt",
    json_key="palette",
    choices=frozenset({"steps", "all"}),
    encode=encode_palette,
    max_pictures=lambda _clean, _noisy: 1,
)


@pytest.fixture
def added_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (*ARTIFACTS, PALETTE)
    readers = [
        module
        for name, module in sys.modules.items()
        if name.startswith("sheepgen.") and hasattr(module, "ARTIFACTS")
    ]
    for module in readers:
        monkeypatch.setattr(module, "ARTIFACTS", rows)


class SampleExecutor:
    """An executor that yields sample events."""

    def batch_size(self, _: ResolvedRequest) -> int:
        return 1

    def run(self, batches: Iterable[Sequence[ResolvedRequest]]) -> Generator[Event]:
        for batch in batches:
            for request in batch:
                yield from sample_events(request)


def layout(folder: Path, *, frames: str = "steps", overwrite: bool = False) -> OutputLayout:
    output = parse_output(f"{folder}/sheep.png", several=False)
    return OutputLayout(template=output, frames=FRAME_CHOICES[frames], overwrite=overwrite)


def target(folder: Path) -> Target:
    return layout(folder).template.target(REQUEST, 1, KEY)


def save(folder: Path, *, frames: str = "steps", overwrite: bool = False) -> ImageSaved:
    events = save_images(
        sample_events(REQUEST),
        layout(folder, frames=frames, overwrite=overwrite),
        {REQUEST: target(folder)},
    )
    (saved,) = (event for event in events if isinstance(event, ImageSaved))
    return saved


def resume(folder: Path) -> list[ImageSaved]:
    """Generate what is missing in a folder."""
    with WorkQueue(folder) as queue:
        events = make_images(
            {REQUEST: KEY}, SampleExecutor(), queue, layout(folder), {REQUEST: target(folder)}
        )
        return [event for event in events if isinstance(event, ImageSaved)]


def manifest(folder: Path) -> dict[str, Any]:
    *_, line = (folder / "manifest.jsonl").read_text().splitlines()
    entry: dict[str, Any] = json.loads(line)
    return entry


def test_rows_have_names_and_paths_of_their_own() -> None:
    assert len({artifact.name for artifact in ARTIFACTS} | {"image"}) == len(ARTIFACTS) + 1
    paths = target(Path("x")).paths()
    assert len(set(paths.values())) == len(paths)
    for word, choice in FRAME_CHOICES.items():
        keys = [artifact.json_key for artifact in choice.artifacts()]
        assert len(set(keys)) == len(keys), f"--frames {word} saves two of one key"
        assert choice.name == word


@pytest.mark.usefixtures("added_row")
def test_a_new_row_is_named_saved_and_in_the_event(tmp_path: Path) -> None:
    saved = save(tmp_path)
    assert saved.artifacts["palette"] == tmp_path / "sheep_palette.txt"
    assert saved.artifacts["palette"].read_text() == f"(200, 30, 30) 4 {KEY}"
    assert target(tmp_path).paths()["palette"] == tmp_path / "sheep_palette.txt"
    assert "palette" not in save(tmp_path, frames="gif").artifacts


@pytest.mark.usefixtures("added_row")
def test_a_new_row_has_its_key_in_json_lines_also_if_there_is_none(tmp_path: Path) -> None:
    line = json.loads(jsonl.to_json_line(save(tmp_path)))
    assert line["palette"] == str(tmp_path / "sheep_palette.txt")
    keys = ["status", "path", "frames", "filmstrip", "animation", "schedule", "palette", "sha256"]
    assert list(line)[:8] == keys
    assert json.loads(jsonl.to_json_line(save(tmp_path, frames="none")))["palette"] is None


@pytest.mark.usefixtures("added_row")
def test_a_new_row_is_in_the_line_about_the_saved_image(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=100)
    saved = save(tmp_path)
    list(progress.show_progress(iter([saved]), console, {REQUEST: "It"}, images=1))
    assert isinstance(console.file, io.StringIO)
    assert "Also saved: sheep_frames/, sheep_filmstrip.png, sheep_palette.txt" in (
        console.file.getvalue()
    )


@pytest.mark.usefixtures("added_row")
def test_a_new_row_takes_its_name_and_is_overwritten_with_its_image(tmp_path: Path) -> None:
    (tmp_path / "sheep_palette.txt").write_text("mine")
    assert find_obstacle(target(tmp_path)) == tmp_path / "sheep_palette.txt"
    assert save(tmp_path).path == tmp_path / "sheep_2.png"
    (tmp_path / "sheep.png").write_bytes(b"an earlier image")
    assert save(tmp_path, frames="none", overwrite=True).path == tmp_path / "sheep.png"
    assert not (tmp_path / "sheep_palette.txt").exists()


@pytest.mark.usefixtures("added_row")
def test_a_new_row_is_recorded_missed_and_resumed(tmp_path: Path) -> None:
    (saved,) = resume(tmp_path)
    assert manifest(tmp_path)["palette"] == "sheep_palette.txt"
    assert resume(tmp_path) == [], "everything is there"
    saved.artifacts["palette"].unlink()
    (again,) = resume(tmp_path)
    assert again.artifacts == saved.artifacts, "and no counter, for all of it is its own"


@pytest.mark.usefixtures("added_row")
def test_a_new_row_is_recognized_by_its_key_if_the_manifest_is_lost(tmp_path: Path) -> None:
    (saved,) = resume(tmp_path)
    (tmp_path / "manifest.jsonl").unlink()
    assert [event.path for event in resume(tmp_path)] == [saved.path]
    (tmp_path / "manifest.jsonl").unlink()
    saved.artifacts["palette"].write_text("mine")
    assert [event.path for event in resume(tmp_path)] == [tmp_path / "sheep_2.png"]
    assert saved.artifacts["palette"].read_text() == "mine"


def test_what_was_recorded_before_there_was_the_row_is_still_done(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    resume(tmp_path)
    assert "palette" not in manifest(tmp_path)
    request.getfixturevalue("added_row")
    assert resume(tmp_path) == []
