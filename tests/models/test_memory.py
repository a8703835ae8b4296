"""What is planned of memory, against the networks that are built."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from sheepgen.models.memory import RESERVE, choose_offload, component_memory, plan_memory
from sheepgen.models.resolve import find_model
from tests.full_size import MODELS, full_size_spec, save_full_size
from tests.tiny import save_tiny_model
from tests.tiny_chroma import save_tiny_chroma
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_flux2_klein import save_tiny_flux2_klein
from tests.tiny_lumina2 import save_tiny_lumina2
from tests.tiny_pixart import save_tiny_pixart
from tests.tiny_qwen_image import save_tiny_qwen_image
from tests.tiny_sana import save_tiny_sana
from tests.tiny_sd3 import save_tiny_sd3
from tests.tiny_xl import save_tiny_xl
from tests.tiny_z_image import save_tiny_z_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sheepgen.models.spec import ModelSpec

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
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def loaded_bytes(spec: ModelSpec, dtype: str) -> dict[str, int]:
    """Return the bytes of all parameters and kept buffers of a loaded model, by component."""
    module: Any = import_module(spec.family.pipeline)
    model = module.load(spec, torch.device("cpu"), DTYPES[dtype])
    found: dict[str, int] = {}
    for name, part in vars(model).items():
        network = part if isinstance(part, nn.Module) else getattr(part, "model", None)
        if isinstance(network, nn.Module):
            weights = {id(each): each for each in network.state_dict(keep_vars=True).values()}
            found[name] = sum(each.nbytes for each in weights.values())
    return found


@pytest.mark.parametrize("family", TINY)
def test_weights_are_counted_to_the_byte(family: str, tmp_path: Path) -> None:
    spec = find_model(str(TINY[family](tmp_path / "model")))
    for dtype in DTYPES:
        planned = component_memory(spec.checkpoint, dtype)
        assert {each.name: each.weight_bytes for each in planned} == loaded_bytes(spec, dtype)


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
