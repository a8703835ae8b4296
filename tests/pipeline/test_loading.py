from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from safetensors.torch import load_file, save_file
from transformers.utils import logging as transformers_logging

from sheepgen.errors import ModelError, UsageError
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.scheduler import build_scheduler
from sheepgen.pipeline.stable_diffusion import StableDiffusionModel
from tests.tiny import (
    MAX_TOKENS,
    TEXT_WIDTH,
    assert_same_weights,
    edit_json,
)

if TYPE_CHECKING:
    from pathlib import Path


UNET = "unet/diffusion_pytorch_model"


def load(folder: Path, dtype: str = "auto") -> StableDiffusionModel:
    model = load_model(str(folder), device="cpu", dtype=dtype)
    assert isinstance(model, StableDiffusionModel)
    return model


def reference(folder: Path) -> Any:
    """Return the same model as diffusers loads it."""
    return StableDiffusionPipeline.from_pretrained(
        folder, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False
    )


def test_the_parts_are_those_that_diffusers_loads(
    tiny_folder: Path, tiny_parts: StableDiffusionModel
) -> None:
    theirs = reference(tiny_folder)

    for component in ("text_encoder", "unet", "vae"):
        assert_same_weights(getattr(tiny_parts, component), getattr(theirs, component))
    for component in ("unet", "vae"):
        own, read = (dict(getattr(each, component).config) for each in (tiny_parts, theirs))
        del read["_name_or_path"]
        assert own == read
    prompt = "A red sheep, and a café 🐑"
    assert tiny_parts.tokenizer(prompt).input_ids == theirs.tokenizer(prompt).input_ids
    assert tiny_parts.preview_decoder is None


def test_the_parts_are_ready_to_run(tiny_parts: StableDiffusionModel) -> None:
    assert tiny_parts.device == torch.device("cpu")
    assert tiny_parts.dtype == torch.float32
    for part in (tiny_parts.text_encoder, tiny_parts.unet, tiny_parts.vae):
        assert not part.training
        assert not any(weight.requires_grad for weight in part.parameters())
        assert {weight.dtype for weight in part.parameters()} == {torch.float32}


@pytest.mark.filterwarnings("ignore:The configuration file of this scheduler:FutureWarning")
@pytest.mark.parametrize("steps_offset", [0, 1, "unset"])
@pytest.mark.parametrize("clip_sample", [True, False, "unset"])
def test_the_scheduler_is_the_one_that_the_pipeline_has(
    model_copy: Path, steps_offset: object, clip_sample: object
) -> None:
    path = model_copy / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text()) | {
        "steps_offset": steps_offset,
        "clip_sample": clip_sample,
    }
    path.write_text(json.dumps({name: value for name, value in config.items() if value != "unset"}))

    ours = build_scheduler("ddim", load(model_copy).scheduler_config)
    theirs = reference(model_copy).scheduler

    settings = theirs.config.keys() - {"_use_default_values"}
    assert {name: ours.config[name] for name in settings} == {
        name: theirs.config[name] for name in settings
    }


def test_the_scheduler_config_cannot_be_changed(tiny_parts: StableDiffusionModel) -> None:
    with pytest.raises(TypeError):
        tiny_parts.scheduler_config["steps_offset"] = 2  # type: ignore[index]


def test_loading_says_nothing_and_leaves_the_libraries_as_they_were(
    tiny_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = diffusers_logging.get_verbosity(), transformers_logging.get_verbosity()
    had_bars = transformers_logging.is_progress_bar_enabled()

    load(tiny_folder)

    assert capfd.readouterr() == ("", "")
    assert (diffusers_logging.get_verbosity(), transformers_logging.get_verbosity()) == before
    assert transformers_logging.is_progress_bar_enabled() == had_bars


def test_bars_that_were_off_stay_off(tiny_folder: Path) -> None:
    transformers_logging.disable_progress_bar()
    try:
        load(tiny_folder)
        assert not transformers_logging.is_progress_bar_enabled()
    finally:
        transformers_logging.enable_progress_bar()


def test_weights_may_be_loaded_in_another_format(tiny_folder: Path) -> None:
    parts = load(tiny_folder, dtype="bf16")

    assert parts.dtype == torch.bfloat16
    for part in (parts.text_encoder, parts.unet, parts.vae):
        assert {weight.dtype for weight in part.parameters()} == {torch.bfloat16}


def test_half_precision_on_the_cpu_is_refused(tiny_folder: Path) -> None:
    with pytest.raises(UsageError, match="50 times slower"):
        load(tiny_folder, dtype="fp16")


def test_a_hole_in_the_weights_is_no_random_numbers(model_copy: Path) -> None:
    path = model_copy / f"{UNET}.safetensors"
    weights = load_file(path)
    del weights["conv_in.bias"]
    save_file(weights, path, metadata={"format": "pt"})

    with pytest.raises(ModelError, match=r"unet has no weights for conv_in\.bias \(1 are missing"):
        load(model_copy)


@pytest.mark.parametrize(
    ("component", "change"),
    [
        ("unet", {"block_out_channels": [8, 32]}),
        ("unet", {"down_block_types": ["NoSuchBlock", "DownBlock2D"]}),
        ("text_encoder", {"intermediate_size": 32}),
    ],
)
def test_a_config_that_is_not_the_weights_is_said(
    model_copy: Path, component: str, change: dict[str, Any]
) -> None:
    (path,) = (model_copy / component).glob("*config.json")
    edit_json(path, **change)

    with pytest.raises(ModelError, match=f"model's {component} cannot be loaded"):
        load(model_copy)


def test_a_folder_that_was_changed_since_it_was_found_is_refused(model_copy: Path) -> None:
    spec = find_model(str(model_copy))
    (model_copy / f"{UNET}.safetensors").rename(model_copy / f"{UNET}.bin")

    with pytest.raises(ModelError, match="unet cannot be loaded"):
        load_model(spec, device="cpu")


def test_a_damaged_tokenizer_is_said(model_copy: Path) -> None:
    (model_copy / "tokenizer" / "tokenizer.json").write_text("{}")

    with pytest.raises(ModelError, match="model's tokenizer cannot be loaded"):
        load(model_copy)


def test_loaded_parts_draw_what_diffusers_draws(
    tiny_folder: Path, tiny_parts: StableDiffusionModel
) -> None:
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    text = torch.randn(1, MAX_TOKENS, TEXT_WIDTH, generator=torch.Generator().manual_seed(1))
    theirs: UNet2DConditionModel = reference(tiny_folder).unet

    with torch.inference_mode():
        ours_noise = tiny_parts.unet(latents, 500, encoder_hidden_states=text).sample
        their_noise = theirs(latents, 500, encoder_hidden_states=text).sample

    assert torch.equal(ours_noise, their_noise)
