"""A family is one row: what a folder holds, how it is checked, and what requests get from it."""

from __future__ import annotations

import json
from dataclasses import replace
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
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.models.resolve import find_model, resolve_model
from sheepgen.models.unsupported import unsupported_family_of_class
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest, ModelReference
from tests.models.hub.conftest import REPO, hub  # noqa: F401 - a fixture
from tests.tiny import MAX_TOKENS, edit_json
from tests.tiny_xl import save_tiny_xl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

STABLE_DIFFUSION = FAMILIES[-1]


def toy_traits(configs: Configs, _: Mapping[str, Any]) -> Traits:
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
        "painter/paint.safetensors",
        "painter/palette.txt",
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
    assert spec.guidance == "embedded"


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


ZERO_SNR = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True}


@pytest.mark.parametrize(
    ("changes", "steps", "guidance", "is_distilled"),
    [
        ({}, 50, 7.5, False),
        ({"timestep_spacing": "trailing"}, 4, 1.0, True),
        ({"timestep_spacing": "trailing", "prediction_type": "sample"}, 4, 1.0, True),
        ({"timestep_spacing": "trailing", **ZERO_SNR}, 50, 7.5, False),
        ({"_class_name": "LCMScheduler"}, 4, 1.0, True),
        ({"_class_name": "TCDScheduler"}, 4, 1.0, True),
    ],
)
def test_the_scheduler_says_whether_a_model_takes_few_steps(
    model_copy: Path, changes: dict[str, Any], steps: int, guidance: float, *, is_distilled: bool
) -> None:
    edit_json(model_copy / "scheduler" / "scheduler_config.json", **changes)

    spec = find_model(str(model_copy))

    assert spec.defaults.num_inference_steps == steps
    assert spec.defaults.guidance_scale == guidance
    assert (spec.made_for is not None) == is_distilled
    requests = [
        replace(spec.resolve(GenerationRequest(prompt="x", seed=1, guidance_scale=7.5)), model="m")
    ]
    said = " ".join(outside_warnings(requests, {ModelReference("m"): spec}))
    assert ("m was made for guidance 1 to 2, not 7.5" in said) == is_distilled


@pytest.fixture
def xl(tmp_path: Path) -> Path:
    return save_tiny_xl(tmp_path / "xl")


def test_an_xl_model_has_its_own_defaults(xl: Path) -> None:
    spec = find_model(str(xl))

    assert spec.family.name == "Stable Diffusion XL"
    assert spec.max_tokens == MAX_TOKENS
    defaults = spec.defaults
    assert (defaults.width, defaults.height, defaults.scheduler) == (32, 32, "euler")
    assert (defaults.num_inference_steps, defaults.guidance_scale) == (50, 5.0)
    edit_json(xl / "tokenizer_2" / "tokenizer_config.json", model_max_length=8)
    assert find_model(str(xl)).max_tokens == 8


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("model_index.json", {"text_encoder": [None, None]}, "has no text_encoder of its own"),
        ("unet/config.json", {"in_channels": 8}, "has 8 input and 4 output channels"),
        ("unet/config.json", {"addition_embed_type": "text"}, "value, text, for addition_embed"),
        ("unet/config.json", {"addition_embed_type": None}, "does not set addition_embed_type"),
        (
            "unet/config.json",
            {"projection_class_embeddings_input_dim": 26},
            "width 26, but they have 30",
        ),
        ("unet/config.json", {"cross_attention_dim": 8}, "width 8, but its text encoder gives 20"),
        ("text_encoder_2/config.json", {"projection_dim": 10**9}, "impossible value"),
        ("scheduler/scheduler_config.json", {"sigma_data": 0.5}, "EDM"),
        ("vae/config.json", {"latents_mean": [0.1] * 4}, "a mean of their own"),
    ],
)
def test_what_is_like_an_xl_model_and_is_not_is_refused(
    xl: Path, file: str, changes: dict[str, Any], message: str
) -> None:
    edit_json(xl / file, **changes)

    with pytest.raises(ModelError, match=message):
        find_model(str(xl))


def test_an_xl_model_is_refused_before_its_weights_are_asked_for(
    hub: Any,  # noqa: F811 - the fixture
    xl: Path,
) -> None:
    hub.repos[REPO] = xl
    edit_json(xl / "unet" / "config.json", projection_class_embeddings_input_dim=26)

    with pytest.raises(ModelError, match="takes a pooled text and sizes of width 26"):
        resolve_model(REPO)

    assert not any("safetensors" in request for request in hub.requests)


def test_no_family_that_runs_is_listed_as_unsupported() -> None:
    for family in FAMILIES:
        assert not any(map(unsupported_family_of_class, family.class_names)), family.name
