"""A family is one row: what a folder holds, how it is checked, and what requests get from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from sheepgen.errors import ModelError
from sheepgen.models import families
from sheepgen.models.checkpoint import read_checkpoint
from sheepgen.models.configs import bad_setting
from sheepgen.models.families import DIFFUSERS_SCHEDULER, EMBEDDED, FAMILIES
from sheepgen.models.family import Component, Configs, Family, Traits
from sheepgen.models.hub import DownloadPlan
from sheepgen.models.resolve import find_model, resolve_model
from sheepgen.models.unsupported import unsupported_family_of_class
from sheepgen.request import EMBEDDED_MODEL
from tests.models.hub.conftest import REPO, hub  # noqa: F401 - a fixture
from tests.tiny import edit_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STABLE_DIFFUSION = FAMILIES[-1]


def toy_traits(configs: Configs) -> Traits:
    side = configs["painter"]["side"]
    return Traits(
        width=side,
        height=side,
        size_multiple=3,
        max_tokens=5,
        num_inference_steps=6,
        guidance_scale=1.5,
    )


def check_toy(configs: Configs, owner: str) -> None:
    if configs["painter"]["side"] % 3:
        raise bad_setting("painter/painter.json", "side", configs["painter"]["side"], owner)


TOY = Family(
    name="Toy",
    class_names=("ToyPipeline",),
    components={
        "painter": Component(
            library="toys",
            classes="Painter|BigPainter",
            config="painter.json",
            weights="paint",
            files=("palette.txt",),
            any_of=("palette.txt",),
            required=("side",),
            refused={"glitter": "glitter"},
        ),
        "scheduler": DIFFUSERS_SCHEDULER,
    },
    read_traits=toy_traits,
    check_fit=check_toy,
    pipeline="tests.toy",
)


def toy_folder(folder: Path, **settings: Any) -> Path:
    """Write a model of the toy family, which has no part in common with Stable Diffusion."""
    files = {
        "model_index.json": {
            "_class_name": "ToyPipeline",
            "painter": ["toys", "Painter"],
            "scheduler": ["diffusers", "DDIMScheduler"],
        },
        "painter/painter.json": {"side": 9, **settings},
        "painter/palette.txt": "red",
        "scheduler/scheduler_config.json": {"_class_name": "DDIMScheduler"},
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content), "utf-8")
    save_file({"colours": torch.ones(3)}, folder / "painter" / "paint.safetensors")
    return folder


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "FAMILIES", (*FAMILIES, TOY))


@pytest.mark.usefixtures("toy")
def test_a_family_is_added_as_one_row(tmp_path: Path) -> None:
    spec = find_model(str(toy_folder(tmp_path)))

    assert spec.family is TOY
    assert spec.checkpoint.weights == ("painter/paint.safetensors",)
    assert spec.checkpoint.classes == {"painter": "Painter", "scheduler": "DDIMScheduler"}
    assert (spec.size_multiple, spec.max_tokens) == (3, 5)
    assert (spec.defaults.width, spec.defaults.height, spec.defaults.scheduler) == (9, 9, "ddim")
    assert (spec.defaults.num_inference_steps, spec.defaults.guidance_scale) == (6, 1.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "painter/palette.txt").unlink(), "has no painter/palette.txt"),
        (lambda folder: (folder / "painter/paint.safetensors").unlink(), "has no painter/paint"),
        (lambda folder: toy_folder(folder, side=None), "does not set side"),
        (lambda folder: toy_folder(folder, side=10), "impossible value, 10, for side"),
        (lambda folder: toy_folder(folder, glitter=True), "needs glitter"),
        (lambda folder: toy_folder(folder, vocab="/dev/zero"), "vocabulary from elsewhere"),
        (
            lambda folder: edit_json(folder / "model_index.json", painter=["toys", "Vandal"]),
            "Unsupported painter class",
        ),
    ],
)
@pytest.mark.usefixtures("toy")
def test_a_row_says_what_is_refused(
    tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    change(toy_folder(tmp_path))

    with pytest.raises(ModelError, match=message):
        find_model(str(tmp_path))


@pytest.mark.usefixtures("toy")
def test_the_hub_is_asked_for_the_files_of_the_models_own_family(
    hub: Any,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    (tmp_path / "toy").mkdir()
    hub.repos[REPO] = toy_folder(tmp_path / "toy")

    plan = resolve_model(REPO)

    assert isinstance(plan, DownloadPlan)
    assert {file.name for file in plan.files} == {
        "painter/painter.json",
        "painter/paint.safetensors",
        "painter/palette.txt",
        "scheduler/scheduler_config.json",
    }
    assert find_model(REPO).family is TOY


def test_a_family_without_a_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="unsupported family: ToyPipeline") as error:
        find_model(str(toy_folder(tmp_path)))

    assert all(family.name in error.value.hint for family in FAMILIES)


def test_no_two_families_share_a_class_name() -> None:
    names = [name for family in FAMILIES for name in family.class_names]
    assert len({*names}) == len(names)


def test_stable_diffusion_is_told_from_what_sheepgen_trains(model_copy: Path) -> None:
    assert find_model(EMBEDDED_MODEL).family is EMBEDDED
    assert read_checkpoint(model_copy).family is STABLE_DIFFUSION


@pytest.mark.parametrize(
    "class_name", ["LatentConsistencyModelPipeline", "StableDiffusionPipeline"]
)
def test_a_distilled_unet_has_its_own_defaults(model_copy: Path, class_name: str) -> None:
    edit_json(model_copy / "model_index.json", _class_name=class_name)
    edit_json(model_copy / "unet" / "config.json", time_cond_proj_dim=256)

    spec = find_model(str(model_copy))

    assert spec.family is STABLE_DIFFUSION
    assert (spec.defaults.num_inference_steps, spec.defaults.guidance_scale) == (4, 8.5)
    assert spec.reads_guidance


def test_the_distilled_defaults_are_those_of_diffusers() -> None:
    import inspect

    from diffusers import LatentConsistencyModelPipeline, StableDiffusionPipeline

    for pipeline, steps, guidance in (
        (LatentConsistencyModelPipeline, 4, 8.5),
        (StableDiffusionPipeline, 50, 7.5),
    ):
        parameters = inspect.signature(pipeline.__call__).parameters
        assert parameters["num_inference_steps"].default == steps
        assert parameters["guidance_scale"].default == guidance


def test_no_family_that_runs_is_listed_as_unsupported() -> None:
    for family in FAMILIES:
        assert not any(map(unsupported_family_of_class, family.class_names)), family.name
