"""A recipe, phase by phase, from drawings to a model that draws."""

from __future__ import annotations

import json
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
from sheepgen.training import material as material_module
from sheepgen.training import project as project_module
from sheepgen.training import release
from sheepgen.training.config import (
    AutoencoderConfig,
    ClassifierConfig,
    DataConfig,
    DiffusionConfig,
    TextConfig,
    TrainingConfig,
    Workspace,
)
from sheepgen.training.data.icon_sets import HOUSE_STYLE
from sheepgen.training.project import Project
from sheepgen.training.release import release_model
from sheepgen.training.runner import run_phases
from sheepgen.training.stages import PHASES
from sheepgen.training.text_encoder.appearance import Drawing
from sheepgen.training.trainer import load_weights
from tests.training.data.fakes import Blocks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAMES = [name for name in PHASES if name != "classifier"]
CONFIG = TrainingConfig(
    data=DataConfig(
        mix="house",
        cast=("sheep", "bus"),
        scenes=8,
        pictures=6,
        held_out_scenes=2,
    ),
    text=TextConfig(
        vocab_size=600,
        words=16,
        width=32,
        heads=4,
        code_width=2,
        block_width=4,
        steps=3,
        batch_size=2,
    ),
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


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a project whose drawings are squares and whose words are few."""
    monkeypatch.setattr(material_module, "unseen_scenes", dict)
    project = Project(CONFIG, Workspace(tmp_path / "work"), torch.device("cpu"))
    # What comes from npm.
    vars(project.material).update(album=Blocks(), vocabulary=["lamb", "red bus"])
    return project


def run(project: Project, names: Sequence[str] = NAMES) -> None:
    """Run phases without a screen."""
    run_phases(project, names, Console(quiet=True))


def started_again(project: Project, config: TrainingConfig = CONFIG) -> Project:
    """Return a project of the same folder that has read nothing of it yet."""
    again = Project(config, project.workspace, project.device)
    vars(again.material).update(
        album=project.material.album, vocabulary=project.material.vocabulary
    )
    return again


def test_all_phases_and_a_release(project: Project, tmp_path: Path) -> None:
    run(project)
    assert (project.workspace.samples / "unet_000004.png").is_file()
    folder = tmp_path / "model"
    record = release_model(project, folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("model")] == ["model"]
    assert json.loads((folder / "training.json").read_text("utf-8")) == json.loads(
        json.dumps(record)
    )
    assert record["steps"] == {
        "text": 3, "vae": 3, "latents": 1, "unet": 4, "preview": 2,
    }  # fmt: skip
    assert record["scenes_seen"] == 4 * 2
    assert "2 things:" in (folder / "MODEL_CARD.md").read_text("utf-8")

    parts = load_model(find_model(str(folder)), device="cpu", dtype="fp32")
    request = GenerationRequest(prompt="a sheep riding a bus", seed=1, num_inference_steps=2)
    drawn = [
        event for event in stream(parts, request, FrameOptions()) if isinstance(event, RunFinished)
    ]
    assert [event.image.size for event in drawn] == [(256, 256)]


def test_the_classifier_is_written_in_its_installed_form(project: Project) -> None:
    run(project, ["classifier"])
    written = load_file(project.workspace.classifier)
    for name, weight in project.trained_classifier().state_dict().items():
        assert torch.equal(written[name], weight.half() if weight.is_floating_point() else weight)


def test_words_that_name_no_thing_are_told_apart_from_those_that_do(project: Project) -> None:
    words = ["lamb", "pony", "ponies", "bus", "red bus", "party", "parties"]
    vars(project.material).update(vocabulary=words)
    vars(project.material).update(lexicon={"pony": "sheep"}, evoked={"party": "bus"})
    assert project.material.fillers == ["lamb"]


def test_the_text_phase_teaches_the_trunk(project: Project) -> None:
    run(project, ["text"])
    trunk, untaught = project.trunk(), project.trunk().state_dict()
    load_weights(trunk, project.checkpoint("text"), steps=CONFIG.text.steps)
    taught = trunk.state_dict()
    for name in ("answers.weight", "places.weight", "attentions.0.query.weight"):
        assert not torch.equal(taught[name], untaught[name]), name
    # It is taught without pictures.
    assert not project.checkpoint("looks").exists()


@pytest.mark.parametrize(
    ("done", "needed", "missing"),
    [
        ((), "text", r"no checkpoint text\.pt"),
        (("text",), "latents", "Not all of the 8 scenes are encoded"),
    ],
)
def test_the_unet_needs_what_the_phases_before_it_leave(
    done: Sequence[str], needed: str, missing: str, project: Project
) -> None:
    run(project, done)
    with pytest.raises(ModelError, match=missing) as caught:
        run(project, ["unet"])
    assert caught.value.hint == f"Run the stage {needed} first."
    assert not project.checkpoint("unet").exists()


def test_looks_are_fitted_once_and_then_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not project.checkpoint("looks").exists()
    fitted = project.states
    # Whoever measured again would fail.
    monkeypatch.delattr(project_module, "measured_looks")
    kept = started_again(project).states
    assert kept.rows == {Drawing(HOUSE_STYLE, "sheep"): 0, Drawing(HOUSE_STYLE, "bus"): 1}
    assert len(kept.looks.codes) == 2
    assert kept.words == CONFIG.text.words
    for name, value in fitted.looks.state().items():
        assert torch.equal(kept.looks.state()[name], value), name


def test_looks_of_other_drawings_are_refused(project: Project) -> None:
    fewer = project.states.looks.state()
    fewer["codes"] = fewer["codes"][:1]
    torch.save(fewer, project.checkpoint("looks"))
    with pytest.raises(ModelError, match=r"looks\.pt tells 1 drawings, and there are 2") as caught:
        _ = started_again(project).states
    assert caught.value.hint == "Move the file away to fit looks anew."


def test_a_longer_recipe_goes_on(project: Project) -> None:
    run(project)
    longer = replace(CONFIG, diffusion=replace(CONFIG.diffusion, steps=6))
    further = started_again(project, longer)
    before = torch.load(project.checkpoint("unet"), weights_only=True)
    steps = [report.step for report in PHASES["unet"](further)]
    after = torch.load(project.checkpoint("unet"), weights_only=True)
    assert steps == [5, 6]
    assert (before["step"], after["step"]) == (4, 6)
    averaged = [state["average"]["optimization_step"] for state in (before, after)]
    assert averaged == [4, 6]


def test_a_model_stays_until_the_next_is_measured(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(project)
    folder = tmp_path / "models" / "mine"
    release_model(project, folder)
    (folder / "mark").touch()

    def fail(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(release, "write_model_card", fail)
        with pytest.raises(OSError, match="no space left"):
            release_model(project, folder)
    assert (folder / "mark").exists()
    release_model(project, folder)
    assert not (folder / "mark").exists()
    assert [*folder.parent.iterdir()] == [folder]
