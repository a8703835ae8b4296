"""LoRAs of flow transformers are what diffusers makes of them, bit for bit, in every layout.

Each family's LoRA is written in each layout from the same numbers. All alphas are powers of two, by
which diffusers' order of multiplying them in changes no bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import torch
from diffusers import (
    ChromaPipeline,
    Flux2KleinPipeline,
    FluxPipeline,
    QwenImagePipeline,
    StableDiffusion3Pipeline,
    ZImagePipeline,
)
from safetensors.torch import save_file

from sheepgen.adapters import Adapters
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.lora import check_loras
from sheepgen.request import GenerationRequest
from tests.lora import RANK
from tests.pipeline.reference import assert_same_flow, diffusers_pipeline, unpack_for
from tests.tiny_chroma import save_tiny_chroma
from tests.tiny_flux1 import save_tiny_flux1
from tests.tiny_flux2_klein import save_tiny_flux2_klein
from tests.tiny_qwen_image import save_tiny_qwen_image
from tests.tiny_sd3 import save_tiny_sd3
from tests.tiny_z_image import save_tiny_z_image

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

ALPHA, SCALE = 4.0, 0.4

WEIGHTS_NEAR = 1e-6
"""Weights and changes are up to 1."""

REQUEST = GenerationRequest(
    prompt="a red sheep", seed=42, num_inference_steps=2, guidance_scale=1.0, width=32, height=32
)

_ATTENTION = ("attn.to_q", "attn.to_k", "attn.to_v")
_TEXT_ATTENTION = ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")


def _in(block: str, layers: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{block}.{layer}" for layer in layers)


_DOUBLE = {
    "double_blocks.0.img_attn.qkv": _in("transformer_blocks.0", _ATTENTION),
    "double_blocks.0.txt_attn.qkv": _in("transformer_blocks.0", _TEXT_ATTENTION),
    "double_blocks.0.img_attn.proj": ("transformer_blocks.0.attn.to_out.0",),
    "double_blocks.0.txt_attn.proj": ("transformer_blocks.0.attn.to_add_out",),
}
_FLUX_1 = {
    **_DOUBLE,
    "double_blocks.0.img_mlp.0": ("transformer_blocks.0.ff.net.0.proj",),
    "double_blocks.0.txt_mlp.2": ("transformer_blocks.0.ff_context.net.2",),
    "single_blocks.1.linear2": ("single_transformer_blocks.1.proj_out",),
}
_MODULATION = {
    "double_blocks.0.img_mod.lin": ("transformer_blocks.0.norm1.linear",),
    "single_blocks.0.modulation.lin": ("single_transformer_blocks.0.norm.linear",),
}
_XLABS = {
    "double_blocks.0.processor.qkv_lora1": _in("transformer_blocks.0", _ATTENTION),
    "double_blocks.0.processor.qkv_lora2": _in("transformer_blocks.0", _TEXT_ATTENTION),
    "double_blocks.0.processor.proj_lora1": ("transformer_blocks.0.attn.to_out.0",),
    "double_blocks.0.processor.proj_lora2": ("transformer_blocks.0.attn.to_add_out",),
    "single_blocks.1.processor.qkv_lora": _in("single_transformer_blocks.1", _ATTENTION),
    "single_blocks.1.processor.proj_lora": ("single_transformer_blocks.1.proj_out",),
}
"""Layers in diffusers, by their names in the makers' code and in XLabs'."""


def _same(*layers: str) -> dict[str, tuple[str, ...]]:
    return {layer: (layer,) for layer in layers}


class Layout(NamedTuple):
    """How a program names the tensors of a LoRA.

    Args:
        prefix: How names begin.
        down: How those of the first matrix end.
        up: Likewise, of the second.
        is_flat: Whether the dots between become underscores.
        has_alphas: Whether it writes them.
    """

    prefix: str
    down: str
    up: str
    is_flat: bool = False
    has_alphas: bool = True


_DOWN, _UP = ".lora_down.weight", ".lora_up.weight"
_A, _B = ".lora_A.weight", ".lora_B.weight"

KOHYA = Layout("lora_unet_", _DOWN, _UP, is_flat=True)
COMFY = Layout("diffusion_model.", _A, _B)
COMFY_DOWN = Layout("diffusion_model.", _DOWN, _UP)
AI_TOOLKIT = COMFY._replace(has_alphas=False)
PEFT = Layout("base_model.model.", _A, _B, has_alphas=False)
LIGHTNING = Layout("", _DOWN, _UP)
DIFFSYNTH = Layout("", ".lora_A.default.weight", ".lora_B.default.weight", has_alphas=False)
ONE_TRAINER = Layout("lora_transformer_", _DOWN, _UP, is_flat=True)
LYCORIS = Layout("lycoris_", _DOWN, _UP, is_flat=True)
XLABS = Layout("", ".down.weight", ".up.weight", has_alphas=False)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A family, and the layouts that its LoRAs come in.

    Args:
        save: Writes a tiny model.
        pipeline: Of diffusers.
        layers: Layers in diffusers, by the names of what is trained.
        layouts: Those that diffusers reads, too.
        own: Those that it does not read, or not whole.
        text: Text encoders that LoRAs change.
        inputs: What diffusers' pipeline is called with.
    """

    save: Callable[[Path], Path]
    pipeline: type[Any]
    layers: dict[str, tuple[str, ...]]
    layouts: dict[str, Layout]
    own: dict[str, Layout] = field(default_factory=dict)
    text: tuple[str, ...] = ()
    inputs: dict[str, Any] = field(default_factory=dict)


CASES = {
    "FLUX.1": Case(
        save=save_tiny_flux1,
        pipeline=FluxPipeline,
        layers=_FLUX_1 | _MODULATION,
        layouts={"kohya": KOHYA, "ComfyUI": COMFY_DOWN},
        own={"ComfyUI, PEFT's ends": COMFY, "PEFT": PEFT},
        text=("text_encoder",),
        inputs={"guidance_scale": 1.0, "max_sequence_length": 512},
    ),
    "FLUX.1 of XLabs": Case(
        save=save_tiny_flux1, pipeline=FluxPipeline, layers=_XLABS, layouts={"XLabs": XLABS}
    ),
    "FLUX.1 in diffusers' names": Case(
        save=save_tiny_flux1,
        pipeline=FluxPipeline,
        layers=_same(
            "transformer_blocks.0.attn.to_q",
            "transformer_blocks.0.attn.add_v_proj",
            "single_transformer_blocks.1.attn.to_k",
            "context_embedder",
            "x_embedder",
        ),
        layouts={"OneTrainer": ONE_TRAINER},
        own={"ComfyUI": COMFY, "LyCORIS": LYCORIS, "DiffSynth": DIFFSYNTH},
    ),
    "Chroma": Case(
        save=save_tiny_chroma,
        pipeline=ChromaPipeline,
        layers=_FLUX_1,
        layouts={"kohya": KOHYA, "ComfyUI": COMFY_DOWN},
        own={"ComfyUI, PEFT's ends": COMFY},
        inputs={"guidance_scale": 1.0},
    ),
    "FLUX.2 klein": Case(
        save=save_tiny_flux2_klein,
        pipeline=Flux2KleinPipeline,
        layers={
            **_DOUBLE,
            "double_blocks.0.img_mlp.0": ("transformer_blocks.0.ff.linear_in",),
            "single_blocks.1.linear1": ("single_transformer_blocks.1.attn.to_qkv_mlp_proj",),
            "single_blocks.1.linear2": ("single_transformer_blocks.1.attn.to_out",),
        },
        layouts={"kohya": KOHYA, "AI-toolkit": AI_TOOLKIT, "PEFT": PEFT},
        inputs={"guidance_scale": 1.0},
    ),
    "Qwen-Image": Case(
        save=save_tiny_qwen_image,
        pipeline=QwenImagePipeline,
        layers=_same(
            "img_in",
            "transformer_blocks.0.attn.to_q",
            "transformer_blocks.1.attn.add_k_proj",
            "transformer_blocks.1.attn.to_out.0",
            "transformer_blocks.1.attn.to_add_out",
            "transformer_blocks.0.img_mlp.net.0.proj",
            "transformer_blocks.0.txt_mlp.net.2",
            "transformer_blocks.0.img_mod.1",
        ),
        layouts={"kohya": KOHYA, "ComfyUI": COMFY, "Lightning": LIGHTNING, "DiffSynth": DIFFSYNTH},
        own={"LyCORIS": LYCORIS, "PEFT": PEFT},
        inputs={"true_cfg_scale": 1.0, "negative_prompt": " "},
    ),
    "Stable Diffusion 3": Case(
        save=save_tiny_sd3,
        pipeline=StableDiffusion3Pipeline,
        layers={
            "joint_blocks.0.x_block.attn.qkv": _in("transformer_blocks.0", _ATTENTION),
            "joint_blocks.1.context_block.attn.qkv": _in("transformer_blocks.1", _TEXT_ATTENTION),
            "joint_blocks.0.x_block.attn2.proj": ("transformer_blocks.0.attn2.to_out.0",),
            "joint_blocks.0.context_block.mlp.fc1": ("transformer_blocks.0.ff_context.net.0.proj",),
            "joint_blocks.1.x_block.adaLN_modulation.1": ("transformer_blocks.1.norm1.linear",),
        },
        layouts={},
        own={"kohya": KOHYA, "ComfyUI": COMFY},
        text=("text_encoder", "text_encoder_2"),
        inputs={"guidance_scale": 1.0},
    ),
    "Z-Image": Case(
        save=save_tiny_z_image,
        pipeline=ZImagePipeline,
        layers=_same(
            "layers.0.attention.to_q",
            "layers.1.attention.to_out.0",
            "layers.0.feed_forward.w1",
            "noise_refiner.0.feed_forward.w2",
            "context_refiner.0.attention.to_v",
            "layers.0.adaLN_modulation.0",
        ),
        layouts={"kohya": KOHYA, "ComfyUI": COMFY, "DiffSynth": DIFFSYNTH},
        own={"PEFT": PEFT},
        inputs={"guidance_scale": 0.0},
    ),
    "Z-Image in its makers' names": Case(
        save=save_tiny_z_image,
        pipeline=ZImagePipeline,
        layers={
            "layers.0.attention.qkv": _in("layers.0.attention", ("to_q", "to_k", "to_v")),
            "layers.1.attention.out": ("layers.1.attention.to_out.0",),
        },
        layouts={},
        own={"kohya": KOHYA, "ComfyUI": COMFY},
    ),
}

TEXT_LAYER = "encoder.layers.1.self_attn.out_proj"
_TEXT_NAMES = {
    "kohya": ("lora_te1_text_model_{}", "lora_te2_text_model_{}"),
    "ComfyUI": (
        "text_encoders.clip_l.transformer.text_model.{}",
        "text_encoders.clip_g.transformer.text_model.{}",
    ),
}

Numbers = dict[str, tuple["Tensor", "Tensor"]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a case's model, which is made once."""
    root = tmp_path_factory.mktemp("models")

    def folder(name: str) -> Path:
        save = CASES[name].save
        path = root / save.__name__
        return path if path.exists() else save(path)

    return folder


def numbers_for(case: Case, pipeline: Any) -> Numbers:
    """Return random ``up`` and ``down``, by the names of what is trained and of text encoders."""
    torch.manual_seed(3)
    weights = pipeline.transformer.state_dict()
    found = {}
    for name, layers in case.layers.items():
        rows = sum(len(weights[f"{layer}.weight"]) for layer in layers)
        columns = weights[f"{layers[0]}.weight"].shape[1]
        found[name] = 0.3 * torch.randn(rows, RANK), 0.3 * torch.randn(RANK, columns)
    for name in case.text:
        weights = getattr(pipeline, name).state_dict()
        (weight,) = (each for it, each in weights.items() if f"{TEXT_LAYER}.weight" in it)
        rows, columns = weight.shape
        found[name] = 0.3 * torch.randn(rows, RANK), 0.3 * torch.randn(RANK, columns)
    return found


def save_reference(case: Case, numbers: Numbers, path: Path) -> Path:
    """Write a LoRA as diffusers writes them, of one layer for each of its own."""
    tensors = {}
    for name, (up, down) in numbers.items():
        start = f"{name}.text_model." if name in case.text else "transformer."
        layers = case.layers.get(name, (TEXT_LAYER,))
        for layer, rows in zip(layers, up.chunk(len(layers)), strict=True):
            tensors[f"{start}{layer}.lora_A.weight"] = down.clone()
            tensors[f"{start}{layer}.lora_B.weight"] = rows * (ALPHA / RANK)
    save_file(tensors, path)
    return path


def save_in(
    layout: Layout, label: str, case: Case, numbers: Numbers, path: Path, alpha: float = ALPHA
) -> Path:
    """Write a LoRA in a layout."""
    tensors: dict[str, Tensor] = {}
    for name, (up, down) in numbers.items():
        if name in case.text:
            if label not in _TEXT_NAMES:
                continue
            layer = TEXT_LAYER.replace(".", "_") if layout.is_flat else TEXT_LAYER
            full = _TEXT_NAMES[label][case.text.index(name)].format(layer)
        else:
            full = layout.prefix + (name.replace(".", "_") if layout.is_flat else name)
        scale = 1 if layout.has_alphas else ALPHA / RANK
        tensors |= {f"{full}{layout.down}": down, f"{full}{layout.up}": up * scale}
        if layout.has_alphas:
            tensors[f"{full}.alpha"] = torch.tensor(alpha)
    save_file(tensors, path)
    return path


def networks(owner: Any, case: Case) -> dict[str, Any]:
    return {name: getattr(owner, name) for name in ("transformer", *case.text)}


def fused(case: Case, folder: Path, file: Path) -> Any:
    """Return diffusers' pipeline with a LoRA in its weights."""
    pipeline = diffusers_pipeline(folder, case.pipeline)
    pipeline.load_lora_weights(str(file.parent), weight_name=file.name)
    pipeline.fuse_lora(components=["transformer", *case.text], lora_scale=SCALE)
    pipeline.unload_lora_weights()
    return pipeline


def loaded(folder: Path, lora: str) -> Any:
    check_loras(find_model(str(folder)), Adapters(lora=lora).loras)
    return load_model(str(folder), device="cpu", dtype="fp32", adapters=Adapters(lora=lora))


def assert_same_networks(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], but_for: tuple[str, ...] = ()
) -> None:
    for component, network in theirs.items():
        found = ours[component].state_dict()
        for name, weight in network.state_dict().items():
            if component not in but_for:
                assert torch.equal(found[name], weight), f"{component}.{name}"


@pytest.mark.parametrize("name", CASES)
def test_every_layout_is_what_diffusers_makes_of_it(
    name: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    case, folder = CASES[name], folders(name)
    plain = diffusers_pipeline(folder, case.pipeline)
    numbers = numbers_for(case, plain)
    reference = save_reference(case, numbers, tmp_path / "reference.safetensors")
    theirs = fused(case, folder, reference)
    expected = networks(theirs, case)

    ours = loaded(folder, f"{reference}:{SCALE}")

    assert_same_networks(networks(ours, case), expected)
    for component, network in expected.items():
        before = getattr(plain, component).state_dict()
        changed = [each for each, it in network.state_dict().items() if not it.equal(before[each])]
        layers = sum(map(len, case.layers.values())) if component == "transformer" else 1
        assert len(changed) == layers
    for label, layout in (case.layouts | case.own).items():
        file = save_in(layout, label, case, numbers, tmp_path / "lora.safetensors")
        without_text = () if label in _TEXT_NAMES else case.text
        found = networks(loaded(folder, f"{file}:{SCALE}"), case)
        assert_same_networks(found, expected, but_for=without_text)
        if label in case.layouts:
            again = networks(fused(case, folder, file), case)
            assert_same_networks(again, expected, but_for=without_text)


def test_other_alphas_are_what_diffusers_makes_of_them_to_the_last_bit(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """Diffusers multiplies a matrix by alpha/rank, and rounds, before both are multiplied."""
    case, folder = CASES["FLUX.1"], folders("FLUX.1")
    numbers = numbers_for(case, diffusers_pipeline(folder, case.pipeline))
    file = save_in(KOHYA, "kohya", case, numbers, tmp_path / "lora.safetensors", alpha=3.0)

    ours, theirs = (
        networks(each, case)
        for each in (loaded(folder, f"{file}:{SCALE}"), fused(case, folder, file))
    )

    for component, network in theirs.items():
        found = ours[component].state_dict()
        for name, weight in network.state_dict().items():
            assert (found[name] - weight).abs().max() <= WEIGHTS_NEAR, name


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.inputs])
def test_images_are_those_of_diffusers(
    name: str, folders: Callable[[str], Path], tmp_path: Path
) -> None:
    case, folder = CASES[name], folders(name)
    numbers = numbers_for(case, diffusers_pipeline(folder, case.pipeline))
    file = save_reference(case, numbers, tmp_path / "reference.safetensors")
    model = loaded(folder, f"{file}:{SCALE}")
    pipeline = fused(case, folder, file)
    for component, network in networks(model, case).items():
        setattr(pipeline, component, network)  # equal to its own, and aligned likewise

    def unpack(latents: Tensor) -> Tensor:
        """Return (1, channels, rows, columns)."""
        if latents.ndim == 4:
            return latents
        if name == "FLUX.2 klein":
            return latents.transpose(1, 2).reshape(1, -1, 8, 8)
        return unpack_for(REQUEST)(latents)

    finished = assert_same_flow(model, REQUEST, pipeline, unpack, **case.inputs)

    assert finished.record.request.lora == f"{file}:{SCALE}"
