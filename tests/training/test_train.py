"""A recipe, stage by stage, from icons to a model that generates images."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from sheepgen.errors import ModelError
from sheepgen.events import RunFinished
from sheepgen.models.resolve import find_model
from sheepgen.options import FrameOptions
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import stream
from sheepgen.request import GenerationRequest
from sheepgen.training import assets, release
from sheepgen.training import train as train_module
from sheepgen.training.config import (
    PRESETS,
    AutoencoderConfig,
    ClassifierConfig,
    DataConfig,
    DiffusionConfig,
    TextConfig,
    TrainingConfig,
    Workspace,
)
from sheepgen.training.data.icon_sets import HOUSE_STYLE
from sheepgen.training.networks import drawings_of, fit_cells, fit_vae, load_classifier
from sheepgen.training.progress import show_progress
from sheepgen.training.release import release_model
from sheepgen.training.train import STAGES, stages_of, train
from tests.training.data.fakes import Blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sheepgen.training.trainer import TrainStep

CPU = torch.device("cpu")
CONFIG = TrainingConfig(
    data=DataConfig(
        mix="house",
        cast=("sheep", "bus"),
        scenes=8,
        pictures=6,
        held_out_scenes=2,
    ),
    text=TextConfig(width=16, layers=1, heads=2, steps=3, batch_size=2),
    autoencoder=AutoencoderConfig(
        width=8,
        decoder_blocks=(1, 1, 1, 0),
        latent_channels=3,
        steps=3,
        batch_size=2,
        crop=16,
        preview_width=8,
        preview_steps=2,
    ),
    classifier=ClassifierConfig(train_scenes=4, steps=2, batch_size=2),
    diffusion=DiffusionConfig(
        channels=(8, 16),
        attention_level=1,
        text_width=16,
        head_dim=8,
        norm_groups=4,
        embedding_size=32,
        steps=4,
        batch_size=2,
        warmup_steps=1,
    ),
)


@pytest.fixture(scope="module", autouse=True)
def squares() -> Iterator[None]:
    """Have squares for icons."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (train_module, release):
            patch.setattr(module, "fetch_icons", lambda _: Blocks())
        patch.setattr(assets, "unseen_scenes", dict)
        yield


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return an empty workspace."""
    return Workspace(tmp_path / "work")


def run(
    workspace: Workspace, stages: Sequence[str] = STAGES[:-1], config: TrainingConfig = CONFIG
) -> list[TrainStep]:
    """Run stages, all but the classifier's by default, and log them."""
    steps = [*train(config, workspace, CPU, stages)]
    show_progress(steps, workspace, Console(quiet=True))
    return steps


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a workspace in which all stages are done; copy it to change it."""
    workspace = Workspace(tmp_path_factory.mktemp("trained") / "work")
    run(workspace)
    return workspace.root


@pytest.fixture
def trained(trained_once: Path, workspace: Workspace) -> Workspace:
    """Return a workspace in which all stages are done."""
    shutil.copytree(trained_once, workspace.root)
    return workspace


def test_all_stages_and_a_release(trained: Workspace, tmp_path: Path) -> None:
    assert (trained.samples / "unet_000004.png").is_file()
    folder = tmp_path / "model"
    record = release_model(CONFIG, trained, CPU, folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("model")] == ["model"]
    assert json.loads((folder / "training.json").read_text("utf-8")) == json.loads(
        json.dumps(record)
    )
    assert record["steps"] == {
        "parser": 3, "vae": 3, "latents": 1, "unet": 4, "preview": 2,
    }  # fmt: skip
    assert record["scenes_seen"] == 4 * 2
    assert "2 concepts:" in (folder / "MODEL_CARD.md").read_text("utf-8")

    parts = load_model(find_model(str(folder)), device="cpu", dtype="fp32")
    request = GenerationRequest(prompt="a sheep riding a bus", seed=1, num_inference_steps=2)
    images = [
        event for event in stream(parts, request, FrameOptions()) if isinstance(event, RunFinished)
    ]
    assert [event.image.size for event in images] == [(256, 256)]

    # All is done: nothing is trained again.
    assert run(trained) == []


def test_the_stages_of_a_recipe() -> None:
    assert stages_of(PRESETS["full"]) == STAGES
    assert "classifier" not in stages_of(PRESETS["small"])


def test_the_classifier_is_written_in_its_installed_form(workspace: Workspace) -> None:
    run(workspace, ["classifier"])
    written = load_file(workspace.classifier)
    for name, weight in load_classifier(CONFIG, workspace).state_dict().items():
        assert torch.equal(written[name], weight.half() if weight.is_floating_point() else weight)


def test_the_parser_is_trained_without_pictures(workspace: Workspace) -> None:
    assert [step.step for step in run(workspace, ["parser"])] == [1, 2, 3]
    assert {path.name for path in workspace.root.iterdir()} <= {
        "checkpoints", "history.jsonl", "samples",
    }  # fmt: skip
    assert not workspace.checkpoint("encoder").exists()


@pytest.mark.parametrize(
    ("done", "needed", "missing"),
    [
        ((), "parser", r"checkpoint parser\.pt does not exist"),
        (("parser",), "latents", "Not all of the 8 scenes are encoded"),
    ],
)
def test_the_unet_needs_what_the_stages_before_it_leave(
    done: Sequence[str], needed: str, missing: str, workspace: Workspace
) -> None:
    run(workspace, done)
    with pytest.raises(ModelError, match=missing) as caught:
        run(workspace, ["unet"])
    assert caught.value.hint == f"Run the stage {needed} first."
    assert not workspace.checkpoint("unet").exists()


def test_cells_are_measured_once_and_then_kept(workspace: Workspace) -> None:
    vae = fit_vae(CONFIG, workspace, Blocks(), CPU)
    measured = fit_cells(CONFIG, workspace, Blocks(), vae)
    drawings = drawings_of(CONFIG)
    assert {(each.concept, each.style) for each in drawings} == {
        ("sheep", HOUSE_STYLE), ("bus", HOUSE_STYLE),
    }  # fmt: skip
    assert len(measured.first) == len(drawings)
    with torch.no_grad():
        vae.encoder.layers[-1].weight.zero_()
    kept = fit_cells(CONFIG, workspace, Blocks(), vae)
    assert torch.equal(kept.cells, measured.cells)


def test_cells_of_other_drawings_are_refused(workspace: Workspace) -> None:
    vae = fit_vae(CONFIG, workspace, Blocks(), CPU)
    fit_cells(CONFIG, workspace, Blocks(), vae)
    fewer = replace(CONFIG, data=replace(CONFIG.data, cast=("sheep",)))
    with pytest.raises(
        ModelError, match=r"cells\.pt has \d drawings, but the preset has \d"
    ) as caught:
        fit_cells(fewer, workspace, Blocks(), vae)
    assert caught.value.hint == "Move the file away to measure them again."


def test_a_longer_recipe_resumes(trained: Workspace) -> None:
    longer = replace(CONFIG, diffusion=replace(CONFIG.diffusion, steps=6))
    assert [step.step for step in run(trained, ["unet"], longer)] == [5, 6]
    state = torch.load(trained.checkpoint("unet"), weights_only=True)
    assert state["step"] == state["average"]["optimization_step"] == 6


def test_a_model_stays_until_the_next_is_measured(
    trained: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models" / "mine"
    release_model(CONFIG, trained, CPU, folder)
    (folder / "mark").touch()

    def fail(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(release, "write_model_card", fail)
        with pytest.raises(OSError, match="no space left"):
            release_model(CONFIG, trained, CPU, folder)
    assert (folder / "mark").exists()
    release_model(CONFIG, trained, CPU, folder)
    assert not (folder / "mark").exists()
    assert [*folder.parent.iterdir()] == [folder]
