from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from diffusers.utils import logging as diffusers_logging
from PIL import Image
from transformers.utils import logging as transformers_logging

from sheepgen.cli import training_options
from sheepgen.training import release, resume_from_export
from sheepgen.training import train as train_module
from sheepgen.training.history import read_history
from sheepgen.training.trainer import TrainStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sheepgen.training.config import TrainingConfig, Workspace
    from tests.cli.conftest import Run


Steps = Callable[..., Iterator[TrainStep]]


def replace_training(monkeypatch: pytest.MonkeyPatch, train: Steps) -> None:
    """Train with that function in place of the real one."""
    monkeypatch.setattr(train_module, "train", train)


@pytest.fixture(autouse=True)
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Put stages of three steps in place of the real ones; return what they were asked for."""
    asked: list[tuple[str, int]] = []

    def train(
        config: TrainingConfig, _: Workspace, __: object, stages: Sequence[str]
    ) -> Iterator[TrainStep]:
        for stage in stages:
            asked.append((stage, config.diffusion.steps))
            for step in (1, 2, 3):
                yield TrainStep(stage=stage, step=step, total_steps=3, loss=1 / step)

    monkeypatch.setattr(train_module, "STAGES", ("vae", "unet", "classifier"))
    replace_training(monkeypatch, train)
    return asked


def test_all_stages_are_run_and_logged(run: Run, trained: list[tuple[str, int]]) -> None:
    result = run("train", "--workspace", "work", "--unet-steps", "7")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert trained == [("vae", 7), ("unet", 7), ("classifier", 7)]
    entries = read_history(Path("work/history.jsonl"))
    logged = [(entry.stage, entry.step) for entry in entries]
    assert logged == [("vae", 3), ("unet", 3), ("classifier", 3)]
    assert entries[0].loss == pytest.approx(0.98 * (0.98 + 0.01) + 0.02 / 3, abs=1e-5)
    with Image.open("work/samples/losses.png") as plot:
        assert plot.width > plot.height


def test_the_libraries_are_quiet_meanwhile(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = []

    def listening(*_: object) -> Iterator[TrainStep]:
        levels.append(diffusers_logging.get_verbosity())
        levels.append(transformers_logging.get_verbosity())
        yield TrainStep(stage="vae", step=1, total_steps=1)

    replace_training(monkeypatch, listening)
    before = diffusers_logging.get_verbosity(), transformers_logging.get_verbosity()
    assert run("train").exit_code == 0
    assert levels == [logging.ERROR, logging.ERROR]
    assert (diffusers_logging.get_verbosity(), transformers_logging.get_verbosity()) == before


def test_a_workspace_in_the_home_folder_is_meant_as_in_a_shell(
    run: Run, trained: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert run("train", "unet", "--workspace=~/work").exit_code == 0
    assert (tmp_path / "home" / "work").is_dir()
    assert trained
    assert not Path("~").exists()
    Path("file").touch()
    refused = run("train", "unet", "--workspace", "file")
    assert refused.exit_code == 2
    assert "file is a file, not a folder" in refused.stderr


def test_a_stage_by_name(run: Run, trained: list[tuple[str, int]]) -> None:
    assert run("train", "unet", "-q").stderr == ""
    assert [name for name, _ in trained] == ["unet"]
    assert Path(".training/history.jsonl").is_file()
    unknown = run("train", "unet", "nothing")
    assert unknown.exit_code == 2
    assert "Known: vae, unet, classifier." in unknown.stderr
    no_preset = run("train", "--preset", "huge")
    assert no_preset.exit_code == 2
    assert "Known: full, small, tune." in no_preset.stderr


def test_the_model_is_written_and_measured(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    score = {
        "group": "single things",
        "images": 8,
        "exact_match": 75.0,
        "exact_match_interval": (40.9, 92.9),
        "recall": 80.0,
        "upper_bound": 100.0,
        "false_positive_rate": 2.0,
    }
    released: list[Path] = []

    def release_model(*released_with: Any) -> dict[str, Any]:
        released.append(released_with[-1])
        return {"scores": [score]}

    monkeypatch.setattr(release, "release_model", release_model)
    result = run("train", "unet", "-o", "mine")
    assert result.stdout == "mine\n"
    assert released == [Path("mine")]
    assert "41 to 93" in result.stderr
    Path("mine").mkdir()
    refused = run("train", "unet", "-o", "mine")
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    protected = run("train", "unet", "-o", "mine", "--overwrite")
    assert protected.exit_code == 2
    assert "not replaced" in protected.stderr
    for name in ("model_index.json", "training.json"):
        Path("mine", name).touch()
    assert run("train", "unet", "-o", "mine", "--overwrite").exit_code == 0


def test_what_appears_while_a_model_is_trained_is_not_replaced(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(*_: object) -> Iterator[TrainStep]:
        Path("mine").mkdir()
        yield TrainStep(stage="unet", step=1, total_steps=1, loss=1.0)

    def release_model(*_: object) -> NoReturn:
        raise AssertionError("nothing is to be replaced")

    monkeypatch.setattr(release, "release_model", release_model)
    replace_training(monkeypatch, meanwhile)
    refused = run("train", "unet", "-o", "mine")
    assert refused.exit_code == 2
    assert "mine already exists" in refused.stderr
    assert Path("mine").is_dir()


@pytest.mark.parametrize("name", ["notes.txt", "unet/old/weights", "samples/"])
def test_a_model_is_not_replaced_with_what_else_lies_beside_it(run: Run, name: str) -> None:
    Path("mine/unet").mkdir(parents=True)
    for file in ("model_index.json", "training.json", "unet/config.json"):
        Path("mine", file).touch()
    path = Path("mine", name)
    (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
    if not name.endswith("/"):
        path.write_text("mine")
    refused = run("train", "unet", "-o", "mine", "--overwrite")
    assert refused.exit_code == 2
    assert "not part of a trained model" in refused.stderr
    assert path.exists()


def test_training_goes_on_from_a_model(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    adopted: list[tuple[Path, Path]] = []
    monkeypatch.setattr(
        resume_from_export,
        "resume_from_export",
        lambda folder, workspace, _: adopted.append((folder, workspace.root)),
    )
    assert run("train", "unet", "--from", "old", "--workspace", "new").exit_code == 0
    assert adopted == [(Path("old"), Path("new"))]


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_what_only_training_needs_is_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(training_options, "find_spec", lambda name: name != "resvg_py" or None)
    result = run(command)
    assert result.exit_code == 2
    assert "Missing packages for training and evaluation: resvg_py" in result.stderr
    assert "[train]" in result.stderr


def test_a_small_preset_is_not_evaluated(run: Run, trained: list[tuple[str, int]]) -> None:
    assert run("train", "--preset", "small").exit_code == 0
    assert len(trained) == 2
    other = run("train")
    assert other.exit_code == 2
    assert "belongs to another recipe: data.mix differs" in other.stderr
    assert run("train", "--workspace", "full").exit_code == 0
    assert len(trained) == 5


def test_a_stage_that_learns_nothing_has_no_loss(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def latents(*_: object) -> Iterator[TrainStep]:
        for step in (1, 2):
            yield TrainStep(stage="latents", step=step, total_steps=2)

    replace_training(monkeypatch, latents)
    result = run("train", "--workspace", "work")
    assert result.exit_code == 0, result.output
    assert [entry.loss for entry in read_history(Path("work/history.jsonl"))] == [None]
    assert not Path("work/samples/losses.png").exists()


def test_a_place_that_cannot_be_written_to_is_found_before_training(
    run: Run, trained: list[tuple[str, int]]
) -> None:
    Path("file").touch()
    refused = run("train", "unet", "-o", "file/mine")
    assert refused.exit_code == 1
    assert "Cannot write to" in refused.stderr
    assert not trained
