from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
import torch
from torch import nn

from sheepgen.execution.device_memory import DeviceMemory
from sheepgen.models.denoiser_size import denoiser_parameters
from sheepgen.models.resolve import find_model
from sheepgen.options import DeviceOptions
from sheepgen.pipeline import cpu_bf16, device
from sheepgen.pipeline.cpu_bf16 import wants_tiled_attention
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.reproduce import load_as_recorded
from sheepgen.pipeline.run import generate
from sheepgen.request import GenerationRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sheepgen.pipeline.stable_diffusion import StableDiffusionModel


@pytest.mark.parametrize(
    ("instructions", "is_wanted"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_bf16": True, "amx_bf16": True}, False),
        ({"avx512_f": True}, False),
        ({}, False),
    ],
)
def test_tiles_are_for_processors_with_bf16_and_without_amx(
    instructions: Mapping[str, object], is_wanted: bool
) -> None:
    assert wants_tiled_attention(instructions) is is_wanted


def convolutions_and_layers(model: StableDiffusionModel) -> tuple[list[nn.Conv2d], list[nn.Module]]:
    layers = [*model.unet.modules(), *model.vae.modules()]
    wide = [
        each for each in layers if isinstance(each, nn.Conv2d) and each.weight[0, 0].numel() > 1
    ]
    return wide, [each for each in layers if hasattr(each, "processor")]


@pytest.mark.parametrize("has_amx", [True, False])
def test_bf16_on_the_cpu_has_channels_last(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, has_amx: bool
) -> None:
    instructions = {"avx512_bf16": True, "amx_bf16": has_amx}
    monkeypatch.setattr(cpu_bf16, "cpu_capabilities", lambda: instructions)

    model = load_model(str(tiny_folder), device="cpu", dtype="bf16")

    convolutions, attending = convolutions_and_layers(cast("StableDiffusionModel", model))
    assert convolutions
    assert all(
        each.weight.is_contiguous(memory_format=torch.channels_last) for each in convolutions
    )
    assert attending
    assert all(("forward" in vars(each)) is not has_amx for each in attending)
    image = generate(model, GenerationRequest(prompt="a sheep", seed=1, num_inference_steps=2))
    assert image.record.environment.dtype == "bf16"


def test_small_models_and_fp32_stay_as_they_are(tiny_folder: Path) -> None:
    for dtype in ("auto", "fp32"):
        model = load_model(str(tiny_folder), device="cpu", dtype=dtype)
        convolutions, attending = convolutions_and_layers(cast("StableDiffusionModel", model))
        assert model.dtype == torch.float32
        assert all(each.weight.is_contiguous() for each in convolutions)
        assert not any("forward" in vars(each) for each in attending)


def test_the_plan_counts_with_the_same_rule_and_the_record_decides_later(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = find_model(str(tiny_folder))
    loaded = cast("StableDiffusionModel", load_model(spec, device="cpu"))
    in_all = sum(each.numel() for each in loaded.unet.parameters())
    assert denoiser_parameters(spec) == in_all
    on_cpu = DeviceOptions(device="cpu")
    exact = DeviceMemory(on_cpu).plan(spec)
    assert exact.dtype == "fp32"

    monkeypatch.setattr(device, "cpu_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr(device, "BF16_PARAMETERS", in_all)

    planned = DeviceMemory(on_cpu).plan(spec)
    assert planned.dtype == "bf16"
    assert [2 * each.weight_bytes for each in planned.plan.components] == [
        each.weight_bytes for each in exact.plan.components
    ]
    request = GenerationRequest(prompt="a sheep", seed=1, num_inference_steps=2)
    record = generate(load_model(spec, device="cpu"), request).record
    assert record.environment.dtype == "bf16"
    monkeypatch.setattr(device, "cpu_capabilities", dict)
    assert load_model(spec, device="cpu").dtype == torch.float32
    assert load_as_recorded(spec, record).dtype == torch.bfloat16
