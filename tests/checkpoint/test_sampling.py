"""A model that was trained here says how to sample from it; nonsense is passed over."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sheepgen.catalog import find_model
from sheepgen.checkpoint import Sampling, recorded_sampling

if TYPE_CHECKING:
    from pathlib import Path


def test_a_record_is_the_default_of_its_folder(model_copy: Path) -> None:
    record = {"sampling": {"num_inference_steps": 12, "guidance_scale": 3, "scheduler": "ddim"}}
    (model_copy / "training.json").write_text(json.dumps(record), "utf-8")
    assert recorded_sampling(model_copy) == Sampling(12, 3.0)
    defaults = find_model(str(model_copy)).defaults
    assert (defaults.num_inference_steps, defaults.guidance_scale) == (12, 3.0)


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
