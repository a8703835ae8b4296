"""A merged LoRA is what ``load_lora_weights`` and ``fuse_lora`` of diffusers make of it.

The files are written by diffusers and PEFT themselves. Changes of matrices are the same bits, and
so are the latents. Those of 3x3 convolutions may differ in the last bit (here by at most 6e-8),
since PEFT convolves where sheepgen multiplies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.utils.state_dict_utils import convert_state_dict_to_kohya
from peft import LoraConfig, get_peft_model, inject_adapter_in_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from sheepgen.adapters import Adapters
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.noise import tensor_sha256
from sheepgen.pipeline.original_unet import original_name
from sheepgen.pipeline.run import generate
from sheepgen.request import GenerationRequest
from tests.pipeline.reference import run_reference
from tests.tiny_xl import save_tiny_xl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

WEIGHTS_NEAR = 1e-6
"""Weights and changes are about 0.1."""

LATENTS_NEAR = 1e-4
"""Latents are about 1."""

UNET_LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "net.2", "proj_in", "conv1", "time_emb_proj")
TEXT_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")

REQUEST = GenerationRequest(
    prompt="a red sheep", negative_prompt="mud", seed=4, num_inference_steps=3, guidance_scale=4
)


def lora_config(layers: tuple[str, ...]) -> LoraConfig:
    """Return one with matrices that are random, which those that are trained start without."""
    return LoraConfig(r=2, lora_alpha=6, init_lora_weights=False, target_modules=list(layers))


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model, and a folder of LoRAs for it.

    Args:
        model: Its diffusers folder.
        loras: Folder of files that are named after the programs that name layers like this.
        pipeline: Class of diffusers.
    """

    model: Path
    loras: Path
    pipeline: Any

    def diffusers(self) -> Any:
        """Return diffusers' own pipeline, loaded anew."""
        pipeline = self.pipeline.from_pretrained(
            self.model, local_files_only=True, low_cpu_mem_usage=False
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def sheepgen(self, lora: str) -> Any:
        return load_model(str(self.model), device="cpu", dtype="fp32", adapters=Adapters(lora=lora))


def networks(owner: Any) -> dict[str, Any]:
    names = ("unet", "text_encoder", "text_encoder_2")
    return {name: getattr(owner, name) for name in names if hasattr(owner, name)}


@pytest.fixture(scope="module")
def both(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    folder = tmp_path_factory.mktemp("parity")
    models = {
        "sd": (tiny_folder, StableDiffusionPipeline),
        "sdxl": (save_tiny_xl(folder / "xl"), StableDiffusionXLPipeline),
    }
    return {
        name: with_loras(Trained(model=model, loras=folder / name, pipeline=pipeline))
        for name, (model, pipeline) in models.items()
    }


@pytest.fixture(params=["sd", "sdxl"])
def trained(request: pytest.FixtureRequest, both: dict[str, Trained]) -> Trained:
    return both[request.param]


def with_loras(trained: Trained) -> Trained:
    """Write the LoRAs of a model into its folder for them."""
    folder = trained.loras
    folder.mkdir()
    save_as_diffusers(trained, "diffusers", seed=1)
    save_as_diffusers(trained, "other", seed=2)
    tensors = load_file(folder / "diffusers.safetensors")
    matrices = {name: tensor for name, tensor in tensors.items() if tensor.ndim == 2}
    save_file(matrices, folder / "matrices.safetensors")  # and without the alphas
    save_file(as_kohya(tensors), folder / "kohya.safetensors")
    save_file(as_kohya(as_original(tensors)), folder / "kohya by blocks.safetensors")
    return trained


def save_as_diffusers(trained: Trained, name: str, *, seed: int) -> None:
    torch.manual_seed(seed)
    pipeline = trained.diffusers()
    layers, settings = {}, {}
    for component, network in networks(pipeline).items():
        config = lora_config(UNET_LAYERS if component == "unet" else TEXT_LAYERS)
        inject_adapter_in_model(config, network)
        layers[f"{component}_lora_layers"] = get_peft_model_state_dict(network)
        settings[f"{component}_lora_adapter_metadata"] = config.to_dict()
    file = f"{name}.safetensors"
    pipeline.save_lora_weights(trained.loras, weight_name=file, **layers, **settings)


def as_kohya(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors by kohya's names, as diffusers converts them, with an alpha of their own."""
    return {
        name: torch.tensor(3.0) if name.endswith(".alpha") else tensor.contiguous()
        for name, tensor in convert_state_dict_to_kohya(dict(tensors)).items()
    }


def as_original(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with the U-Net's layers named as in Stable Diffusion's first code."""
    renamed = {}
    for name, tensor in tensors.items():
        component, _, inside = name.partition(".")
        layer, matrix = inside.rsplit(".lora_", 1)
        short = original_name(layer, 1) if component == "unet" else layer
        renamed[f"{component}.{short}.lora_{matrix}"] = tensor
    return renamed


def assert_same(ours: Any, theirs: Any, before: Any) -> None:
    """Check that two models have the same networks, and that those are not the ones before."""
    for component, network in networks(theirs).items():
        found = getattr(ours, component).state_dict()
        assert found.keys() == network.state_dict().keys()
        for name, weight in network.state_dict().items():
            if weight.ndim == 4:
                assert (found[name] - weight).abs().max() <= WEIGHTS_NEAR, name
            else:
                assert torch.equal(found[name], weight), name
    assert any(
        not torch.equal(weight, getattr(before, component).state_dict()[name])
        for component, network in networks(ours).items()
        for name, weight in network.state_dict().items()
    )


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize(
    ("trained", "name"),
    [
        *(("sd", name) for name in ("diffusers", "matrices", "kohya")),
        *(("sdxl", name) for name in ("diffusers", "matrices", "kohya", "kohya by blocks")),
    ],
    indirect=["trained"],
)
def test_weights_and_latents_are_those_of_diffusers(
    trained: Trained, name: str, scale: float
) -> None:
    file = f"{name}.safetensors"
    theirs = trained.diffusers()
    theirs.load_lora_weights(str(trained.loras), weight_name=file)
    theirs.fuse_lora(lora_scale=scale)
    theirs.unload_lora_weights()

    ours = trained.sheepgen(f"{trained.loras / file}:{scale}")

    assert_same(ours, theirs, trained.diffusers())
    request = ours.spec.resolve(REQUEST)
    latents, pixels = run_reference(theirs, request)
    image = generate(ours, request)
    if name == "matrices":
        assert image.record.latents_sha256 == tensor_sha256(latents)
    merged = trained.pipeline(**theirs.components | networks(ours))
    merged.set_progress_bar_config(disable=True)
    assert (run_reference(merged, request)[0] - latents).abs().max() <= LATENTS_NEAR
    assert np.abs(np.asarray(image).astype(int) - (pixels * 255).round()).max() <= 1


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`:UserWarning")
def test_several_are_those_of_diffusers(trained: Trained) -> None:
    theirs = trained.diffusers()
    for name in ("diffusers", "other"):
        theirs.load_lora_weights(
            str(trained.loras), weight_name=f"{name}.safetensors", adapter_name=name
        )
    theirs.set_adapters(["diffusers", "other"], [0.75, -0.5])
    theirs.fuse_lora()
    theirs.unload_lora_weights()

    first, second = (f"{trained.loras}/{name}.safetensors" for name in ("diffusers", "other"))
    ours = trained.sheepgen(f"{first}:0.75,{second}:-0.5")

    assert_same(ours, theirs, trained.diffusers())


def test_a_folder_of_peft_is_that_of_peft(trained: Trained, tmp_path: Path) -> None:
    theirs = trained.diffusers()
    torch.manual_seed(3)
    tuned: Any = get_peft_model(theirs.unet, lora_config(UNET_LAYERS))
    tuned.save_pretrained(tmp_path)
    theirs.unet = tuned.merge_and_unload()

    ours = trained.sheepgen(str(tmp_path))

    assert_same(ours, theirs, trained.diffusers())
