"""A VAE in place of a flow transformer's own, if its latents are of the same form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    ChromaPipeline,
    FluxPipeline,
    Lumina2Pipeline,
    StableDiffusion3Pipeline,
    ZImagePipeline,
)
from safetensors.torch import save_file

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError, UsageError
from sheepgen.pipeline.loading import load_model
from sheepgen.request import GenerationRequest
from tests.original import original_vae, original_vae_tensors
from tests.pipeline.reference import (
    assert_same_flow,
    diffusers_pipeline,
    unpack_for,
    with_aligned_texts,
)
from tests.tiny import assert_same_weights
from tests.tiny_chroma import save_tiny_chroma
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_flux2_klein import save_tiny_flux2_klein
from tests.tiny_lumina2 import save_tiny_lumina2, tiny_vae_of_four_levels
from tests.tiny_qwen_image import save_tiny_qwen_image
from tests.tiny_sana import save_tiny_sana
from tests.tiny_sd3 import save_tiny_sd3
from tests.tiny_z_image import save_tiny_z_image, tiny_vae_16

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

REQUEST = GenerationRequest(
    prompt="a red sheep", seed=42, num_inference_steps=2, guidance_scale=1.0, width=32, height=32
)


@dataclass(frozen=True, kw_only=True)
class Case:
    save: Callable[[Path], Path]
    pipeline: type[Any]
    inputs: dict[str, Any]
    vae: Callable[..., AutoencoderKL] = tiny_vae_16


CASES = {
    "Chroma": Case(save=save_tiny_chroma, pipeline=ChromaPipeline, inputs={"guidance_scale": 1.0}),
    "FLUX.1": Case(
        save=save_tiny_flux1,
        pipeline=FluxPipeline,
        inputs={"guidance_scale": 1.0, "max_sequence_length": 512},
    ),
    "Lumina 2": Case(
        save=save_tiny_lumina2,
        pipeline=Lumina2Pipeline,
        inputs={"guidance_scale": 1.0},
        vae=tiny_vae_of_four_levels,
    ),
    "Stable Diffusion 3": Case(
        save=save_tiny_sd3, pipeline=StableDiffusion3Pipeline, inputs={"guidance_scale": 1.0}
    ),
    "Z-Image": Case(save=save_tiny_z_image, pipeline=ZImagePipeline, inputs={"guidance_scale": 0}),
}


def with_vae(model: Path, vae: Path) -> Any:
    adapters = Adapters(vae=str(vae))
    return load_model(str(model), device="cpu", dtype="fp32", adapters=adapters)


@pytest.mark.parametrize("name", CASES)
def test_every_form_is_read_and_images_are_those_of_diffusers(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    folder = case.save(tmp_path / "model")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(9)
        vae = case.vae(mid_block_add_attention=True).eval()
    vae.save_pretrained(tmp_path / "vae")
    save_file(vae.state_dict(), tmp_path / "diffusers.safetensors")
    save_file(original_vae_tensors(vae.state_dict()), tmp_path / "original.safetensors")

    for form in ("diffusers.safetensors", "original.safetensors", "vae"):
        found = with_vae(folder, tmp_path / form).vae
        assert_same_weights(found, vae)
        for setting in ("scaling_factor", "shift_factor", "norm_num_groups"):
            assert found.config[setting] == vae.config[setting]

    def unpack(latents: Tensor) -> Tensor:
        return latents if latents.ndim == 4 else unpack_for(REQUEST)(latents)

    model, pipeline = with_vae(folder, tmp_path / "vae"), diffusers_pipeline(folder, case.pipeline)
    if hasattr(pipeline, "text_encoder_2"):
        pipeline = with_aligned_texts(pipeline)
    pipeline.vae = vae
    finished = assert_same_flow(model, REQUEST, pipeline, unpack, **case.inputs)
    assert finished.record.request.vae == f"{tmp_path}/vae"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scaling_factor": 1.5305}, "its latents are scaled by another factor"),
        ({"shift_factor": 0.0609}, "its latents are shifted by another factor"),
        ({"shift_factor": None}, "its latents are shifted by another factor"),
        ({"latent_channels": 4}, "its latents have 4 channels"),
    ],
)
def test_one_for_other_latents_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = save_tiny_flux1(tmp_path / "model")
    tiny_vae_16(**changes).save_pretrained(tmp_path / "vae")

    with pytest.raises(ModelError, match=message):
        with_vae(folder, tmp_path / "vae")


def test_one_of_stable_diffusion_is_refused(tmp_path: Path) -> None:
    folder = save_tiny_flux1(tmp_path / "model")
    save_file(original_vae().state_dict(), tmp_path / "vae.safetensors")

    with pytest.raises(ModelError, match="its latents have 4 channels"):
        with_vae(folder, tmp_path / "vae.safetensors")


@pytest.mark.parametrize("save", [save_tiny_flux2_klein, save_tiny_qwen_image, save_tiny_sana])
def test_models_with_an_autoencoder_of_their_own_take_none(
    save: Callable[[Path], Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="takes no VAE"):
        with_vae(save(tmp_path / "model"), tmp_path)
