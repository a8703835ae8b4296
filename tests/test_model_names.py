"""An alias is short for one model, wherever a model is named."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from sheepgen.execution.image_key import image_key
from sheepgen.metadata.record_json import from_json, to_json
from sheepgen.model_names import MODEL_ALIASES, aliases_of, canonical_model_name
from sheepgen.models.registry import KNOWN_MODELS
from sheepgen.models.resolve import find_model
from sheepgen.output.template import parse_output
from sheepgen.request import GenerationRequest
from sheepgen.sweep.grid import combine
from tests.samples import sample_record, sample_request

if TYPE_CHECKING:
    from pathlib import Path

SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"


def test_every_alias_is_of_a_known_model() -> None:
    assert set(MODEL_ALIASES.values()) == set(KNOWN_MODELS) - {"sheepgen"}
    assert not set(MODEL_ALIASES) & set(KNOWN_MODELS)
    assert aliases_of(SD15) == ("sd15",)
    assert aliases_of("sheepgen") == ()


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("sd15", SD15),
        ("SD-1.5", SD15),
        ("sd_15@main", f"{SD15}@main"),
        ("SDXL Turbo", "stabilityai/sdxl-turbo"),
        (SD15, SD15),
        ("sheepgen", "sheepgen"),
        ("./sd15", "./sd15"),
        ("flock/sd15", "flock/sd15"),
        ("sd155", "sd155"),
        ("nul\0", "nul\0"),
        ("", ""),
    ],
)
def test_spellings_of_an_alias_are_one(typed: str, name: str) -> None:
    assert canonical_model_name(typed) == name


def test_requests_records_keys_and_file_names_have_the_name(tmp_path: Path) -> None:
    short, full = (sample_request(model=name) for name in ("sd15", SD15))
    assert short == full
    assert GenerationRequest(prompt="x", seed=1, model="SD15").model == SD15
    keys = {image_key(each, model_sha256="00", dtype="fp32") for each in (short, full)}
    assert len(keys) == 1
    assert json.loads(to_json(sample_record(model="sd15")))["request"]["model"] == SD15
    target = parse_output(f"{tmp_path}/{{model}}.png", several=False).target(short, 1, "key")
    assert target.path.name == "stable-diffusion-v1-5.png"


def test_an_alias_and_its_name_are_one_value_of_a_sweep() -> None:
    grid = combine({"prompt": ["x"], "seed": [1], "model": ["sd15", SD15, "sheepgen"]})
    assert [cell.request.model for cell in grid.cells] == [SD15, "sheepgen"]


def test_a_folder_of_that_name_comes_first_and_its_images_stay_its_own(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record = to_json(sample_record(model=SD15)).replace(f'"{SD15}"', '"sd15"')
    assert from_json(record).request.model == SD15

    shutil.copytree(tiny_folder, "sd15")

    assert find_model("sd15").sha256 == find_model("./sd15").sha256
    assert GenerationRequest(prompt="x", seed=1, model="sd15").model == "sd15"
    assert from_json(record).request.model == "sd15"
    assert canonical_model_name("SD15") == SD15
