"""What is planned of memory, against the networks that are built."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sheepgen.adapters import Adapters
from sheepgen.models.component_memory import component_memory, total_bytes
from sheepgen.models.families import FAMILIES
from sheepgen.models.memory import RESERVE, choose_offload, plan_memory
from sheepgen.models.resolve import find_model
from sheepgen.models.staged_families import PARTS
from sheepgen.pipeline.fp8 import fp8_weights
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.offload import components_of
from tests.full_size import MODELS, full_size_spec, save_full_size
from tests.gguf_file import save_gguf
from tests.lora import save_lora
from tests.models.loaded_bytes import loaded_bytes
from tests.tiny import save_tiny_model
from tests.tiny_chroma import save_tiny_chroma
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_flux2_klein import save_tiny_flux2_klein
from tests.tiny_if import save_tiny_if, save_tiny_if_upscaler
from tests.tiny_kandinsky import save_tiny_kandinsky, save_tiny_kandinsky_parts
from tests.tiny_ldm import save_tiny_ldm
from tests.tiny_lumina2 import save_tiny_lumina2
from tests.tiny_pipelines import TINY_PIPELINES, save_tiny_pipeline
from tests.tiny_pixart import save_tiny_pixart
from tests.tiny_qwen_image import save_tiny_qwen_image
from tests.tiny_sana import save_tiny_sana
from tests.tiny_sd3 import save_tiny_sd3
from tests.tiny_unconditional import save_tiny_ddpm, save_tiny_ldm_without_prompts
from tests.tiny_xl import save_tiny_xl
from tests.tiny_z_image import save_tiny_z_image

if TYPE_CHECKING:
    from collections.abc import Callable

TINY: dict[str, Callable[[Path], Path]] = {
    "chroma": save_tiny_chroma,
    "flux 1": save_tiny_flux1,
    "flux 2 klein": save_tiny_flux2_klein,
    "lumina 2": save_tiny_lumina2,
    "pixart": save_tiny_pixart,
    "qwen-image": save_tiny_qwen_image,
    "sana": save_tiny_sana,
    "stable diffusion": save_tiny_model,
    "stable diffusion 3": save_tiny_sd3,
    "stable diffusion xl": save_tiny_xl,
    "z-image": save_tiny_z_image,
}
OTHERS: dict[str, Callable[[Path], Path]] = {
    "deepfloyd if": save_tiny_if,
    "kandinsky": save_tiny_kandinsky,
    "latent diffusion": save_tiny_ldm,
    "latent diffusion without prompts": save_tiny_ldm_without_prompts,
    "pixels": save_tiny_ddpm,
    "sheepgen": lambda _: Path("sheepgen"),
    **{name: partial(save_tiny_pipeline, name=name) for name in TINY_PIPELINES},
}
PICTURE = 4 * 3 * 1024**2
"""Bytes of one at float32."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def compare(folder: Path, dtype: str, **added: str) -> None:
    """Check that a model takes as many bytes as planned, with what is added to it."""
    adapters = Adapters(**added)
    spec = find_model(str(folder), replaced=adapters.replaced)
    spec = replace(spec, adapters=adapters)
    kept, _, precision = dtype.rpartition("+")
    weights = fp8_weights(spec, DTYPES[precision]) if kept else {}
    planned = plan_memory(spec, (32, 32), precision, replaced=weights).components
    model = load_model(str(folder), device="cpu", dtype=dtype, adapters=adapters)
    assert total_bytes(planned) == loaded_bytes(model)


@pytest.mark.parametrize("family", TINY)
def test_weights_are_counted_to_the_byte(family: str, tmp_path: Path) -> None:
    spec = find_model(str(TINY[family](tmp_path / "model")))
    load: Any = import_module(spec.family.pipeline)
    for dtype, precision in DTYPES.items():
        planned = component_memory(spec.checkpoint, dtype)
        loaded = components_of(load.load(spec, torch.device("cpu"), precision))
        assert {each.name: each.weight_bytes for each in planned} == {
            name: loaded_bytes(network) for name, network in loaded.items()
        }
    compare(spec.folder, "fp8+bf16")


@pytest.mark.parametrize("family", OTHERS)
def test_also_those_of_families_in_stages_and_in_other_loops(family: str, tmp_path: Path) -> None:
    folder = OTHERS[family](tmp_path / "model")
    compare(folder, "bf16")
    spec = find_model(str(folder))
    plan = plan_memory(spec, (1024, 1024), "fp32")
    assert max(each.working_bytes for each in plan.components) >= PICTURE
    assert plan.needed["none"] >= PICTURE + total_bytes(plan.components)


def test_the_table_says_what_each_component_with_weights_does() -> None:
    for family in (*FAMILIES, *PARTS):
        for component in family.components.values():
            assert (component.role is None) == (component.weights is None), family.name


@pytest.mark.parametrize(
    ("family", "pixels"),
    [
        ("Kandinsky 3", {"unet": 8}),
        ("Stable Cascade", {"decoder": 4, "prior_prior": 42.67}),
        ("Wuerstchen", {"decoder": 4, "prior_prior": 42.67}),
    ],
)
def test_networks_work_on_latents_of_their_own_size(
    family: str, pixels: dict[str, float], tmp_path: Path
) -> None:
    spec = find_model(str(OTHERS[family](tmp_path / "model")))
    planned = {each.name: each for each in plan_memory(spec, (1024, 1024), "fp32").components}
    larger = {each.name: each for each in plan_memory(spec, (4096, 4096), "fp32").components}
    decoder = next(name for name, each in planned.items() if each.role == "autoencoder")
    assert planned[decoder].working_bytes >= PICTURE
    for name, side in {decoder: 1.0, **pixels}.items():
        config = spec.checkpoint.configs[name]
        channels = config.get("in_channels") or config.get("c_in", 4)
        assert planned[name].working_bytes >= 4 * channels * ceil(1024 / side) ** 2
        assert larger[name].working_bytes >= 12 * planned[name].working_bytes
    assert "transformer" not in {each.role for each in planned.values()}


def test_stages_in_folders_of_their_own_are_counted(tmp_path: Path) -> None:
    decoder, prior = save_tiny_kandinsky_parts(tmp_path / "kandinsky")
    compare(decoder, "bf16", prior=str(prior))
    first = save_tiny_if(tmp_path / "first")
    second = str(save_tiny_if_upscaler(tmp_path / "second"))
    compare(first, "bf16", upscaler=second)
    spec = find_model(str(first))
    two = replace(spec, adapters=Adapters(upscaler=second))
    small, large = (
        {each.name: each for each in plan_memory(each, (16, 16), "bf16").components}
        for each in (spec, two)
    )
    upscaler = large.pop("upscaler_unet")
    assert small == large
    assert upscaler.working_bytes > 3 * large["unet"].working_bytes, "its pictures are larger"


@pytest.mark.parametrize("family", ["flux 1", "qwen-image", "stable diffusion 3"])
def test_a_transformer_in_a_file_is_counted_as_it_is_loaded(family: str, tmp_path: Path) -> None:
    folder = TINY[family](tmp_path / "model")
    weights = load_file(folder / "transformer" / "diffusion_pytorch_model.safetensors")
    save_file(weights, tmp_path / "t.safetensors")
    for dtype in ("fp32", "bf16", "fp8+bf16"):
        compare(folder, dtype, transformer=str(tmp_path / "t.safetensors"))
    pytest.importorskip("gguf")
    for kind in ("F16", "BF16", "Q8_0", "Q4_K"):
        file = save_gguf(tmp_path / "t.gguf", weights, kind, all_alike=True)
        compare(folder, "bf16", transformer=str(file))


def test_a_vae_in_place_of_the_models_own_is_counted(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "model")
    other = save_tiny_model(tmp_path / "other", seed=1)
    compare(folder, "bf16", vae=str(other))
    spec = find_model(str(folder))
    replaced = plan_memory(replace(spec, adapters=Adapters(vae=str(other))), (32, 32), "bf16")
    assert replaced == plan_memory(spec, (32, 32), "bf16")


def test_loras_take_nothing_more(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "model")
    save_lora(folder, tmp_path / "lora.safetensors")
    compare(folder, "bf16", lora=str(tmp_path / "lora.safetensors"))


@pytest.mark.parametrize("name", MODELS)
def test_well_known_models_have_as_many_parameters_as_their_makers_state(
    name: str, tmp_path: Path
) -> None:
    spec, model = full_size_spec(save_full_size(tmp_path, name)), MODELS[name]
    size = spec.defaults.width, spec.defaults.height
    plan = plan_memory(spec, size, "bf16")
    denoiser = next(each for each in plan.components if each.name in ("transformer", "unet"))
    assert denoiser.parameters / 1e9 == pytest.approx(model.stated, rel=0.035)
    assert denoiser.weight_bytes == pytest.approx(2 * denoiser.parameters, rel=0.02)
    assert plan.needed["none"] > plan.needed["model"] > plan.needed["group"]
    assert plan.needed["model"] == denoiser.weight_bytes + denoiser.working_bytes
    wide = plan_memory(spec, (2 * size[0], size[1]), "bf16")
    (small, large) = (each.components[-1].working_bytes for each in (plan, wide))
    assert large == 2 * small, "the VAE's, which has a share for each pixel"
    full = plan_memory(spec, size, "fp32")
    # Stable Diffusion 3's positions are float32 in both.
    assert [each.weight_bytes for each in full.components] == pytest.approx(
        [2 * each.weight_bytes for each in plan.components], rel=0.02
    )


def test_more_images_at_once_take_more(tmp_path: Path) -> None:
    spec = find_model(str(save_tiny_model(tmp_path / "model")))
    one, guided, four = (
        plan_memory(spec, (32, 32), "fp32", images=images, guided=guided).components
        for images, guided in ((1, False), (1, True), (4, True))
    )
    unet = [each.name for each in one].index("unet")
    assert guided[unet].working_bytes == 2 * one[unet].working_bytes
    assert four[unet].working_bytes == 8 * one[unet].working_bytes
    assert one[-1] == four[-1], "they are decoded one at a time"


def test_what_fits_is_chosen_in_the_order_of_speed(tmp_path: Path) -> None:
    spec = find_model(str(save_tiny_model(tmp_path / "model")))
    plan = plan_memory(spec, (32, 32), "fp32")
    assert choose_offload(plan, None) == "none"
    for offload, needed in plan.needed.items():
        assert choose_offload(plan, needed + RESERVE) == offload
    assert choose_offload(plan, 0) == "group"
    assert choose_offload(plan, 0, among=("none", "model")) == "model"
