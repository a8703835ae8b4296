"""The installed judge answers the questions of these tables, and as what was saved did."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import torch

from sheepgen.training.config import PRESETS, Workspace
from sheepgen.training.evaluation.attributes import ATTRIBUTES
from sheepgen.training.evaluation.classifier import THINGS, Classifier
from sheepgen.training.evaluation.installed_classifier import installed_judge, save_judge
from sheepgen.training.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_it_answers_all_questions() -> None:
    judge = installed_judge()
    assert not judge.training
    with torch.inference_mode():
        answers = judge(torch.zeros(2, 3, 256, 256))
    assert answers.keys() == {*ATTRIBUTES, THINGS}
    assert all(
        answer.dtype == torch.float32 and answer.isfinite().all() for answer in answers.values()
    )


def test_what_is_saved_is_what_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    trained = Classifier()
    (tmp_path / "assets").mkdir()
    save_judge(trained, tmp_path / "assets" / "judge.safetensors")
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    for name, weight in installed_judge().state_dict().items():
        assert torch.equal(weight, trained.state_dict()[name].half().to(weight.dtype)), name


def test_a_workspace_that_has_its_own_is_judged_by_that(tmp_path: Path) -> None:
    project = Project(PRESETS["full"], Workspace(tmp_path), torch.device("cpu"))
    installed = project.trained_classifier().state_dict()
    own = Classifier()
    project.checkpoint("classifier").parent.mkdir()
    torch.save(
        {"step": 1, "parts": {"classifier": own.state_dict()}}, project.checkpoint("classifier")
    )
    judge = project.trained_classifier().state_dict()
    name = f"heads.{THINGS}.weight"
    assert torch.equal(judge[name], own.state_dict()[name])
    assert not torch.equal(judge[name], installed[name])
