"""A model that was trained here says how to sample from it; nonsense is passed over."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from sheepgen.models.family import MadeFor
from sheepgen.models.registry import KNOWN_MODELS
from sheepgen.models.resolve import find_model
from sheepgen.models.training_record import Sampling, recorded_sampling

if TYPE_CHECKING:
    from pathlib import Path


def test_a_record_is_the_default_of_its_folder(model_copy: Path) -> None:
    record = {"sampling": {"num_inference_steps": 12, "guidance_scale": 3, "scheduler": "ddim"}}
    (model_copy / "training.json").write_text(json.dumps(record), "utf-8")
    assert recorded_sampling(model_copy) == Sampling(12, 3.0)
    defaults = find_model(str(model_copy)).defaults
    assert (defaults.num_inference_steps, defaults.guidance_scale) == (12, 3.0)


RANGE: dict[str, Any] = {
    "guidance_scale": [1, 3.5],
    "num_inference_steps": [4, 50],
    "side": [32, 64],
    "slower_schedulers": [["pndm", 12], ["nothing", 12], ["heun", "x"], 7],
}


def test_a_record_says_what_range_its_model_was_made_for(model_copy: Path) -> None:
    sampling = {"num_inference_steps": 12, "guidance_scale": 3, "made_for": RANGE}
    (model_copy / "training.json").write_text(json.dumps({"sampling": sampling}), "utf-8")
    assert find_model(str(model_copy)).made_for == MadeFor(
        guidance_scale=(1, 3.5),
        num_inference_steps=(4, 50),
        side=(32, 64),
        slower_schedulers=(("pndm", 12),),
    )


def test_a_range_that_is_written_is_read_back(tmp_path: Path) -> None:
    for model in KNOWN_MODELS.values():
        sampling = {
            "num_inference_steps": 12,
            "guidance_scale": 3,
            "made_for": asdict(model.made_for),
        }
        (tmp_path / "training.json").write_text(json.dumps({"sampling": sampling}), "utf-8")
        assert recorded_sampling(tmp_path) == Sampling(12, 3.0, model.made_for)


@pytest.mark.parametrize(
    "made_for",
    [
        None,
        [],
        "everything",
        {},
        RANGE | {"side": [64, 32]},
        RANGE | {"side": [-1, 32]},
        RANGE | {"side": ["32", "64"]},
        RANGE | {"guidance_scale": [1, 1e9]},
        RANGE | {"guidance_scale": [float("nan"), 3]},
        RANGE | {"num_inference_steps": [4]},
        RANGE | {"num_inference_steps": [True, 4.0]},
    ],
)
def test_a_range_that_is_nonsense_is_passed_over(tmp_path: Path, made_for: Any) -> None:
    sampling = {"num_inference_steps": 12, "guidance_scale": 3, "made_for": made_for}
    (tmp_path / "training.json").write_text(json.dumps({"sampling": sampling}), "utf-8")
    assert recorded_sampling(tmp_path) == Sampling(12, 3.0)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"sampling": 5}',
        '{"sampling": {"num_inference_steps": 12}}',
        '{"sampling": {"num_inference_steps": 0, "guidance_scale": 3.0}}',
        '{"sampling": {"num_inference_steps": 10000, "guidance_scale": 3.0}}',
        '{"sampling": {"num_inference_steps": true, "guidance_scale": 3.0}}',
        '{"sampling": {"num_inference_steps": 12, "guidance_scale": "x"}}',
        '{"sampling": {"num_inference_steps": 12, "guidance_scale": NaN}}',
        '{"sampling": {"num_inference_steps": 12, "guidance_scale": -1}}',
        '{"sampling": {"num_inference_steps": 12, "guidance_scale": true}}',
    ],
)
def test_nonsense_is_passed_over(tmp_path: Path, content: str) -> None:
    assert recorded_sampling(tmp_path) is None
    (tmp_path / "training.json").write_text(content, "utf-8")
    assert recorded_sampling(tmp_path) is None
