"""``--compile`` computes the same, recorded as such, with blocks that PyTorch compiles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from PIL import ImageChops

from sheepgen.adapters import Adapters
from sheepgen.errors import UsageError
from sheepgen.execution.checks import device_warnings
from sheepgen.execution.image_key import image_key
from sheepgen.models.resolve import find_model
from sheepgen.options import DeviceOptions
from sheepgen.pipeline.adapters import change_loras
from sheepgen.pipeline.compiled import can_compile, compile_denoiser, compile_error, is_compiled
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.placement import CPU
from sheepgen.pipeline.reproduce import load_as_recorded, reproduce
from sheepgen.pipeline.run import generate
from sheepgen.request import GenerationRequest
from sheepgen.sanitize import excerpt
from sheepgen.verify.compare import environment_differences
from tests.lora import save_lora
from tests.tiny_pipelines import save_tiny_pipeline
from tests.tiny_sd3 import save_tiny_sd3
from tests.tiny_unconditional import save_tiny_ddpm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sheepgen.metadata.generated_image import GeneratedImage

REQUEST = GenerationRequest(
    prompt="a sheep", seed=1, num_inference_steps=2, guidance_scale=1.0, width=32, height=32
)


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Skip tests on machines that cannot compile; keep what is compiled to these tests."""
    with pytest.MonkeyPatch.context() as patch:
        folder = str(tmp_path_factory.mktemp("compiled"))
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", folder)
        compile_error.cache_clear()
        if error := compile_error(CPU):
            pytest.skip(error.message)
        yield
    compile_error.cache_clear()


def assert_close(one: GeneratedImage, other: GeneratedImage) -> None:
    """Check that no pixel differs by more than one level of 255."""
    assert max(ImageChops.difference(one, other).tobytes()) <= 1


@pytest.mark.usefixtures("compiler")
def test_it_changes_rounding_alone_and_is_recorded_and_reproduced(
    tiny_folder: Path, tmp_path: Path
) -> None:
    plain: Any = load_model(str(tiny_folder), device="cpu")
    eager = generate(plain, REQUEST)
    model: Any = load_model(str(tiny_folder), device="cpu", compiled=True)
    made = generate(model, REQUEST)
    assert_close(made, eager)
    assert made.record.environment == replace(eager.record.environment, compiled=True)
    assert generate(model, REQUEST).record == made.record

    again = load_as_recorded(model.spec, made.record)
    assert is_compiled(again)
    assert reproduce(again, made.record, threads=None).record == made.record

    # What is compiled takes weights as they are when it runs.
    save_lora(tiny_folder, tmp_path / "style.safetensors")
    lora = str(tmp_path / "style.safetensors")
    changed, _ = change_loras(model, {}, lora)
    expected = load_model(str(tiny_folder), device="cpu", adapters=Adapters(lora=lora))
    request = replace(REQUEST, lora=lora)
    with_lora = generate(changed, request)
    assert_close(with_lora, generate(expected, request))
    assert with_lora.record.latents_sha256 != made.record.latents_sha256


def test_the_repeated_blocks_are_compiled_or_else_the_network(
    tiny_folder: Path, tmp_path: Path
) -> None:
    kinds = {}
    folders = tiny_folder, save_tiny_sd3(tmp_path / "sd3"), save_tiny_ddpm(tmp_path / "ddpm")
    for folder in folders:
        model: Any = load_model(str(folder), device="cpu")
        compile_denoiser(model)
        assert is_compiled(model)
        network = model.transformer if hasattr(model, "transformer") else model.unet
        kinds[type(network).__name__] = {
            type(each).__name__ for each in network.modules() if each._compiled_call_impl
        }
    assert kinds == {
        "UNet2DConditionModel": {"BasicTransformerBlock"},
        "SD3Transformer2DModel": {"JointTransformerBlock"},
        "UNet2DModel": {"UNet2DModel"},
    }


def test_a_machine_without_a_compiler_says_so(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_compiler(*_: object, **__: object) -> None:
        raise RuntimeError("No working C++ compiler found\n\nSet TORCHDYNAMO_VERBOSE=1")

    record = generate(load_model(str(tiny_folder), device="cpu"), REQUEST).record
    monkeypatch.setattr(torch, "compile", no_compiler)
    monkeypatch.delattr("sheepgen.pipeline.stable_diffusion.load")
    compile_error.cache_clear()
    words = "^--compile cannot be used on cpu: No working C.. compiler found$"
    spec = find_model(str(tiny_folder))
    with pytest.raises(UsageError, match=words):
        load_model(spec, device="cpu", compiled=True)
    with pytest.raises(UsageError, match=words):
        device_warnings([spec], DeviceOptions(device="cpu", compiled=True))
    monkeypatch.undo()

    # An image that was made so is made without, and that is the difference.
    monkeypatch.setattr(torch, "compile", no_compiler)
    environment = replace(record.environment, compiled=True)
    model = load_as_recorded(spec, replace(record, environment=environment))
    here = reproduce(model, record, threads=None).record.environment
    assert environment_differences(environment, here) == {"compiled": (True, False)}
    compile_error.cache_clear()


def test_a_model_without_such_a_network_is_named(tmp_path: Path) -> None:
    spec = find_model(str(save_tiny_pipeline(tmp_path, "Wuerstchen")))
    assert not can_compile(spec)
    options = DeviceOptions(device="cpu", compiled=True)
    assert device_warnings([spec], options) == (
        f"Warning: --compile has no effect with {excerpt(spec.name)}.",
    )


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"cache": "first-block"}, "--cache"),
        ({"dtype": "fp8+bf16"}, r"--dtype fp8\+bf16"),
        ({"offload": "group"}, "--offload group"),
    ],
)
def test_what_takes_blocks_apart_is_refused(other: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=f"^--compile cannot be used with {words}"):
        DeviceOptions(compiled=True, **other)


def test_a_compiled_image_has_a_key_and_a_history_of_its_own(tiny_folder: Path) -> None:
    request = find_model(str(tiny_folder)).resolve(REQUEST)
    keys = {
        image_key(request, model_sha256="00", dtype="fp32", compiled=compiled)
        for compiled in (False, True)
    }
    assert len(keys) == 2
    assert str(DeviceOptions(compiled=True)) == f"{DeviceOptions()} compiled"
