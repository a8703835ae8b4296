"""The sheet of a run: rows of images, columns of steps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sheepgen.errors import OutputError
from sheepgen.events import ContactSheetSaved
from sheepgen.execution.plan import plan_run
from sheepgen.execution.run import run_plan
from sheepgen.execution.settings import RunSettings
from sheepgen.metadata.image_texts import read_texts
from sheepgen.output.contact_sheet import SWEEP_KEY
from sheepgen.request import GenerationRequest
from tests.tiny_unconditional import save_tiny_ddpm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_ddpm(tmp_path_factory.mktemp("models") / "digits"))


def draw(digits: str, folder: Path, *, frames: str, steps: int = 12) -> Sequence[Path]:
    request = GenerationRequest(seed=7, model=digits, num_inference_steps=steps)
    plan = plan_run(request, f"{folder}/", RunSettings(frames=frames), count=3)
    events = list(run_plan(plan, sheet=True))
    return [event.path for event in events if isinstance(event, ContactSheetSaved)]


def plan_of(sheet: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(read_texts(sheet).texts[SWEEP_KEY])["plan"]
    return found


def test_it_has_a_row_for_each_image_and_some_of_its_steps(digits: str, tmp_path: Path) -> None:
    (sheet,) = draw(digits, tmp_path, frames="steps")
    assert sheet == tmp_path / "digits_7_sheet.png"
    seeds, steps = plan_of(sheet)["axes"]
    assert seeds == {"name": "seed", "values": ["7", "8", "9"]}
    assert steps["values"] == ["start", "2", "3", "4", "6", "8", "9", "10", "12", "image"]
    with Image.open(sheet) as image:
        assert image.width > image.height  # ten columns, three rows


def test_without_frames_it_shows_the_images_alone(digits: str, tmp_path: Path) -> None:
    (sheet,) = draw(digits, tmp_path, frames="none")
    assert plan_of(sheet)["axes"][1] == {"name": "step", "values": ["image"]}
    assert plan_of(sheet)["cells"] == 3


def test_another_run_has_a_sheet_of_its_own(digits: str, tmp_path: Path) -> None:
    first, second = (draw(digits, tmp_path, frames="none", steps=2)[0] for _ in range(2))
    assert first.name == "digits_7_sheet.png"
    assert second.name == "digits_7_2_sheet.png"
    assert first.read_bytes() == second.read_bytes()


def test_a_file_that_is_not_a_sheet_stays(digits: str, tmp_path: Path) -> None:
    (tmp_path / "digits_7_sheet.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match="is not a contact sheet"):
        draw(digits, tmp_path, frames="none", steps=2)
    assert (tmp_path / "digits_7_sheet.png").read_bytes() == b"mine"
    assert (tmp_path / "digits_9.png").is_file()
