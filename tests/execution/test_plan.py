"""Runs planned and carried out from Python, without the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest

from sheepgen.errors import UsageError
from sheepgen.events import ImageSaved, ModelLoading, Notice
from sheepgen.execution import plan as planning
from sheepgen.execution.plan import plan_run
from sheepgen.execution.run import run_plan
from sheepgen.execution.settings import RunSettings
from sheepgen.metadata.image_file import read_record
from sheepgen.models.resolve import find_model
from sheepgen.options import DeviceOptions
from sheepgen.request import GenerationRequest
from tests.cli.test_dry_run import DOWNLOAD

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.models.hub import DownloadPlan


@pytest.fixture
def request_(tiny_folder: Path) -> GenerationRequest:
    return GenerationRequest(
        prompt="a sheep", seed=3, model=str(tiny_folder), num_inference_steps=1
    )


def test_a_run_saves_its_images_with_what_lies_beside_them(
    request_: GenerationRequest, tmp_path: Path
) -> None:
    plan = plan_run(request_, f"{tmp_path}/out/", RunSettings(frames="strip"), count=2)
    saved = [event.path for event in run_plan(plan) if isinstance(event, ImageSaved)]
    assert saved == [tmp_path / "out" / "a-sheep_3.png", tmp_path / "out" / "a-sheep_4.png"]
    assert read_record(saved[1]).request.seed == 4
    assert (tmp_path / "out" / "a-sheep_4_filmstrip.png").is_file()


def test_a_plan_says_which_names_are_taken_and_makes_nothing(
    request_: GenerationRequest, tmp_path: Path
) -> None:
    (tmp_path / "x_3.png").touch()
    plan = plan_run(request_, f"{tmp_path}/x.png", count=2)
    assert [target.path.name for target in plan.targets.values()] == ["x_3.png", "x_4.png"]
    assert [target.path.name for target in plan.free_targets.values()] == ["x_3_2.png", "x_4.png"]
    assert plan.prompts["prompt"].truncated == plan.prompt_notes == ()
    assert plan.estimate.steps == 2
    assert [path.name for path in tmp_path.iterdir()] == ["x_3.png"]
    over = plan_run(request_, f"{tmp_path}/x.png", RunSettings(overwrite=True), count=2)
    assert over.free_targets == over.targets


def test_a_model_that_was_found_is_not_found_again(
    request_: GenerationRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(*_: object, **__: object) -> NoReturn:
        raise AssertionError("it is given")

    spec = find_model(request_.model)
    monkeypatch.setattr(planning, "find_model", find)
    assert plan_run(request_, spec=spec).spec is spec


def test_a_download_is_a_value_if_it_is_not_wanted(
    request_: GenerationRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_here(
        _name: str, *, variant: str, replaced: tuple[str, ...], offline: bool
    ) -> DownloadPlan:
        assert (variant, replaced, offline) == ("", (), True)
        return DOWNLOAD

    monkeypatch.setattr(planning, "resolve_model", not_here)
    assert plan_run(request_, settings=RunSettings(offline=True), download=False) == DOWNLOAD


def test_events_begin_with_the_model_and_end_with_the_last_image(
    request_: GenerationRequest, tmp_path: Path
) -> None:
    first, *_, last = run_plan(plan_run(request_, f"{tmp_path}/out/"))
    assert first == ModelLoading(model=request_.model)
    assert isinstance(last, ImageSaved)
    assert last.path == tmp_path / "out" / "a-sheep_3.png"


def test_a_file_system_without_locks_is_a_notice(
    request_: GenerationRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sheepgen.execution.run.prepare_folder", lambda _: False)
    notice, *_ = run_plan(plan_run(request_, f"{tmp_path}/out/"))
    assert isinstance(notice, Notice)
    assert f"The file system of {tmp_path / 'out'} has no locks." in notice.message


def test_settings_are_checked() -> None:
    with pytest.raises(UsageError, match='Unknown choice of frames "many"'):
        RunSettings(frames="many")
    assert RunSettings().frame_options() is None
    wanted = RunSettings(frames="all", frame_decoder="vae").frame_options()
    assert wanted is not None
    assert (wanted.noisy, wanted.decoder) == (True, "vae")


def test_a_frame_decoder_without_frames_is_said() -> None:
    (warning,) = RunSettings(frames="none", frame_decoder="vae").warnings([])
    assert warning == "Warning: frame decoder has no effect with frames none."
    assert RunSettings(frames="strip", frame_decoder="vae").warnings([]) == ()
    assert RunSettings(frames="none").warnings([]) == ()


def test_a_device_that_is_not_there_is_found_out_before_anything_is_loaded(
    request_: GenerationRequest,
) -> None:
    settings = RunSettings(device=DeviceOptions(device="cuda:77"))
    with pytest.raises(UsageError, match="This machine has no cuda:77 device"):
        plan_run(request_, settings=settings)
