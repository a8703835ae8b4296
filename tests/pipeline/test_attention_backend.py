"""``--attention-backend`` is diffusers' setting of the denoiser, and its bits."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxPipeline
from diffusers import attention_backend as diffusers_attention
from diffusers.models.attention_dispatch import AttentionBackendName
from PIL import ImageChops
from torch import nn

from sheepgen.errors import UsageError
from sheepgen.execution.checks import device_warnings
from sheepgen.models.resolve import find_model
from sheepgen.options import ATTENTION_BACKENDS, NATIVE_ATTENTION, DeviceOptions
from sheepgen.pipeline import attention_backend
from sheepgen.pipeline.attention_backend import backend_error, backend_name, has_backends
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.placement import CPU
from sheepgen.pipeline.reproduce import load_as_recorded, reproduce
from sheepgen.pipeline.run import generate
from sheepgen.request import GenerationRequest
from sheepgen.verify.compare import environment_differences
from tests.models.test_memory import TINY
from tests.pipeline.reference import assert_same_flow, diffusers_pipeline, unpack_for
from tests.tiny_chroma import save_tiny_chroma
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_pipelines import TINY_PIPELINES, save_tiny_pipeline

REQUEST = GenerationRequest(
    prompt="a red sheep", seed=42, num_inference_steps=2, guidance_scale=3.5, width=48, height=32
)
MATH = "_native_math"


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_flux1(tmp_path_factory.mktemp("models") / "flux"))


def test_native_is_what_is_used_without_the_option(
    flux: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = generate(load_model(flux, device="cpu"), REQUEST)
    native = generate(load_model(flux, device="cpu", attention_backend="native"), REQUEST)
    assert native.record == plain.record
    # What diffusers takes from the environment is not in a record, so it does not count.
    registry = import_module("diffusers.models.attention_dispatch")._AttentionBackendRegistry
    monkeypatch.setattr(registry, "_active_backend", AttentionBackendName(MATH))
    assert generate(load_model(flux, device="cpu"), REQUEST).record == plain.record


def test_another_backend_is_diffusers_own_is_recorded_and_reproduced(flux: str) -> None:
    pipeline = diffusers_pipeline(Path(flux), FluxPipeline)
    before = diffusers_pipeline(Path(flux), FluxPipeline)
    model: Any = load_model(flux, device="cpu", attention_backend=MATH)
    # The setting of one model is not that of another.
    native: Any = load_model(flux, device="cpu")
    plain = assert_same_flow(
        native, REQUEST, before, unpack_for(REQUEST), guidance_scale=REQUEST.guidance_scale
    )
    with diffusers_attention():  # whose end leaves other pipelines as they were
        pipeline.transformer.set_attention_backend(MATH)
    finished = assert_same_flow(
        model, REQUEST, pipeline, unpack_for(REQUEST), guidance_scale=REQUEST.guidance_scale
    )
    record = finished.record
    assert record.environment.attention_backend == MATH
    assert record.latents_sha256 != plain.record.latents_sha256
    difference = ImageChops.difference(finished.image, plain.image)
    assert max(difference.tobytes()) <= 1, "levels of 255"

    again = load_as_recorded(model.spec, record)
    assert backend_name(again) == MATH
    assert reproduce(again, record, threads=None).record == record


def test_a_recorded_backend_that_cannot_be_used_here_is_a_difference(flux: str) -> None:
    record = generate(load_model(flux, device="cpu"), REQUEST).record
    for name in ("_native_cudnn", "flash", "\x1b[31m", "made up"):
        environment = replace(record.environment, attention_backend=name)
        model = load_as_recorded(find_model(flux), replace(record, environment=environment))
        here = reproduce(model, record, threads=None).record.environment
        assert environment_differences(environment, here) == {
            "attention_backend": (name, NATIVE_ATTENTION)
        }


@pytest.mark.parametrize("family", [*TINY, *TINY_PIPELINES])
def test_it_is_known_beforehand_whether_a_model_has_a_choice(family: str, tmp_path: Path) -> None:
    own = family in TINY
    folder = TINY[family](tmp_path) if own else save_tiny_pipeline(tmp_path, family)
    spec = find_model(str(folder))
    model: Any = import_module(spec.family.pipeline).load(spec, CPU, torch.float32)
    denoiser = getattr(getattr(model, "pipeline", model), "transformer", None)
    modules = [] if denoiser is None else [*denoiser.modules()]
    processors = [getattr(each, "processor", None) for each in modules]
    assert has_backends(spec) == any(hasattr(each, "_attention_backend") for each in processors)


def test_a_pipeline_in_diffusers_loop(tmp_path: Path) -> None:
    folder = str(save_tiny_pipeline(tmp_path, "Ovis-Image"))
    made = generate(load_model(folder, device="cpu", attention_backend=MATH), REQUEST)
    assert made.record.environment.attention_backend == MATH


def test_every_name_is_one_of_diffusers() -> None:
    known = {each.value for each in AttentionBackendName}
    left_out = {name for name in known if name.endswith(("_hub", "_npu", "_xla"))}
    left_out |= {name for name in known if name.startswith("_sage_")} | {"flex"}
    assert set(ATTENTION_BACKENDS) == known - left_out


def test_what_this_machine_cannot_use_is_refused(
    flux: str, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = backend_error("_native_cudnn", CPU, torch.float32)
    assert error is not None
    assert error.message.startswith("--attention-backend _native_cudnn cannot be used on cpu in")
    assert "\n" not in error.message

    def lacks(_: str) -> None:
        raise RuntimeError("Please install `sageattention>=2.1.1`.")

    monkeypatch.setattr(attention_backend, "attention_backend", lacks)
    monkeypatch.delattr("sheepgen.pipeline.flux1.load")
    words = "sage cannot be used on cpu in float32: Please install `sageattention>=2.1.1`"
    with pytest.raises(UsageError, match=words):
        load_model(flux, device="cpu", attention_backend="sage")
    with pytest.raises(UsageError, match="Unknown attention backend"):
        load_model(flux, device="cpu", attention_backend="sharp")

    options = DeviceOptions(device="cpu", attention_backend="sage")
    with pytest.raises(UsageError, match=words):
        [*device_warnings([find_model(flux)], options)]
    unet = find_model(str(tiny_folder))
    assert [*device_warnings([unet], options)] == [
        f"Warning: --attention-backend has no effect with {unet.name}: U-Nets have no such switch."
    ]
    record = generate(load_model(unet, device="cpu", attention_backend="sage"), REQUEST).record
    assert record.environment.attention_backend == NATIVE_ATTENTION


def test_what_a_network_asks_and_a_backend_cannot_do_is_said(tmp_path: Path) -> None:
    # PyTorch's flash kernel takes no mask, and Chroma has one.
    assert backend_error("_native_flash", CPU, torch.float32) is None
    folder = str(save_tiny_chroma(tmp_path))
    model = load_model(folder, device="cpu", attention_backend="_native_flash")
    with pytest.raises(UsageError, match=r"_native_flash cannot be used with .*mask"):
        generate(model, replace(REQUEST, guidance_scale=1.0))


@pytest.mark.parametrize("name", TINY_PIPELINES)
def test_every_network_of_diffusers_loops_that_has_a_choice_is_changed(
    name: str, tmp_path: Path
) -> None:
    folder = save_tiny_pipeline(tmp_path / "model", name)
    model: Any = load_model(str(folder), device="cpu", attention_backend="_native_math")
    networks = [each for each in model.pipeline.components.values() if isinstance(each, nn.Module)]
    processors: list[Any] = [
        getattr(each, "processor", None) for network in networks for each in network.modules()
    ]
    chosen = {each._attention_backend for each in processors if hasattr(each, "_attention_backend")}
    assert has_backends(model.spec) == bool(chosen)
    assert {str(each.value) for each in chosen} <= {"_native_math"}
