"""``--dtype fp8`` is diffusers' layerwise casting of the denoiser, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import FluxPipeline, StableDiffusionPipeline

from sheepgen.adapters import Adapters
from sheepgen.errors import UsageError
from sheepgen.options import DeviceOptions, check_device_options, split_dtype
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.reproduce import load_as_recorded, reproduce
from sheepgen.pipeline.run import generate
from sheepgen.request import GenerationRequest
from tests.gguf_file import save_gguf
from tests.pipeline.reference import (
    assert_same_flow,
    diffusers_pipeline,
    run_reference,
    unpack_for,
)
from tests.tiny_flux1 import save_tiny_flux1

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = GenerationRequest(
    prompt="a red sheep", seed=42, num_inference_steps=2, guidance_scale=3.5, width=48, height=32
)


def cast(denoiser: Any) -> None:
    denoiser.enable_layerwise_casting(torch.float8_e4m3fn, compute_dtype=torch.float32)


def test_a_flow_is_diffusers_own(tmp_path: Path) -> None:
    folder = save_tiny_flux1(tmp_path / "model")
    pipeline = diffusers_pipeline(folder, FluxPipeline)
    cast(pipeline.transformer)
    model: Any = load_model(str(folder), device="cpu", dtype="fp8")

    finished = assert_same_flow(
        model, REQUEST, pipeline, unpack_for(REQUEST), guidance_scale=REQUEST.guidance_scale
    )

    environment = finished.record.environment
    assert environment.dtype == "fp8+fp32"
    again = load_as_recorded(model.spec, finished.record)
    same = reproduce(again, finished.record, threads=None)
    assert same.record.latents_sha256 == finished.record.latents_sha256
    plain: Any = generate(load_model(str(folder), device="cpu"), REQUEST)
    assert plain.record.latents_sha256 != finished.record.latents_sha256


def test_a_unet_is_diffusers_own(tiny_folder: Path) -> None:
    request = replace(REQUEST, width=16, height=16, scheduler="ddim")
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_folder, low_cpu_mem_usage=False)
    pipeline.set_progress_bar_config(disable=True)
    cast(pipeline.unet)
    model = load_model(str(tiny_folder), device="cpu", dtype="fp8+fp32")
    image: Any = generate(model, request)
    latents, _ = run_reference(pipeline, request)
    assert image.record.latents_sha256 == tensor_sha256(latents)


def test_what_is_quantised_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    folder = save_tiny_flux1(tmp_path / "model")
    from tests.pipeline.test_transformer_file import weights_of

    file = save_gguf(tmp_path / "t.gguf", weights_of(folder), "F16")
    with pytest.raises(UsageError, match="transformer is already quantised; fp8 is only for"):
        load_model(str(folder), device="cpu", dtype="fp8", adapters=Adapters(transformer=str(file)))


def test_words() -> None:
    assert split_dtype("fp8") == (True, "auto")
    assert split_dtype("fp8+bf16") == (True, "bf16")
    assert split_dtype("bf16") == (False, "bf16")
    assert str(DeviceOptions(dtype="fp8+bf16")) == "auto fp8+bf16 1"
    for wrong in ("fp8+fp8", "fp8+half", "fp16+fp8", "fp8bf16"):
        with pytest.raises(UsageError, match="Unknown dtype"):
            check_device_options("cpu", wrong)
    with pytest.raises(UsageError, match="fp16 is not for the CPU"):
        check_device_options("cpu", "fp8+fp16")
