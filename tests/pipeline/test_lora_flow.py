"""LoRAs of flow transformers are what diffusers makes of them, bit for bit, in every layout.

Each family's LoRA is written in each layout from the same numbers. All alphas are powers of two, by
which diffusers' order of multiplying them in changes no bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file

from sheepgen.adapters import Adapters
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.lora import check_loras
from sheepgen.request import GenerationRequest
from tests.lora import RANK
from tests.lora_flow import CASES, KOHYA
from tests.pipeline.reference import assert_same_flow, diffusers_pipeline, unpack_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

    from tests.lora_flow import Case, Layout

ALPHA, SCALE = 4.0, 0.4

WEIGHTS_NEAR = 1e-6
"""Weights and changes are up to 1."""

REQUEST = GenerationRequest(
    prompt="a red sheep", seed=42, num_inference_steps=2, guidance_scale=1.0, width=32, height=32
)

TEXT_LAYER = "encoder.layers.1.self_attn.out_proj"
_TEXT_NAMES = {
    "kohya": ("lora_te1_text_model_{}", "lora_te2_text_model_{}"),
    "ComfyUI": (
        "text_encoders.clip_l.transformer.text_model.{}",
        "text_encoders.clip_g.transformer.text_model.{}",
    ),
}

Numbers = dict[str, tuple[tuple["Tensor", ...], "Tensor"]]


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
    """Return random ``up`` and ``down``, by the names of what is trained and of text encoders.

    There is one ``up`` for each of the layers in diffusers.
    """
    torch.manual_seed(3)
    weights = pipeline.transformer.state_dict()
    found = {}
    for name, layers in case.layers.items():
        rows = [len(weights[f"{layer}.weight"]) for layer in layers]
        _, *columns = weights[f"{layers[0]}.weight"].shape
        ones = [1] * (len(columns) - 1)  # of a convolution of 1x1
        ups = tuple(0.3 * torch.randn(each, RANK, *ones) for each in rows)
        found[name] = ups, 0.3 * torch.randn(RANK, *columns)
    for name in case.text:
        weights = getattr(pipeline, name).state_dict()
        (weight,) = (each for it, each in weights.items() if f"{TEXT_LAYER}.weight" in it)
        rows, columns = weight.shape
        found[name] = (0.3 * torch.randn(rows, RANK),), 0.3 * torch.randn(RANK, columns)
    return found


def save_reference(case: Case, numbers: Numbers, path: Path) -> Path:
    """Write a LoRA as diffusers writes them, of one layer for each of its own."""
    tensors = {}
    for name, (ups, down) in numbers.items():
        start = f"{name}.text_model." if name in case.text else "transformer."
        layers = case.layers.get(name, (TEXT_LAYER,))
        for layer, rows in zip(layers, ups, strict=True):
            tensors[f"{start}{layer}.lora_A.weight"] = down.clone()
            tensors[f"{start}{layer}.lora_B.weight"] = rows * (ALPHA / RANK)
    save_file(tensors, path)
    return path


def save_in(
    layout: Layout, label: str, case: Case, numbers: Numbers, path: Path, alpha: float = ALPHA
) -> Path:
    """Write a LoRA in a layout."""
    tensors: dict[str, Tensor] = {}
    for name, (ups, down) in numbers.items():
        if name in case.text:
            if label not in _TEXT_NAMES:
                continue
            layer = TEXT_LAYER.replace(".", "_") if layout.is_flat else TEXT_LAYER
            full = _TEXT_NAMES[label][case.text.index(name)].format(layer)
        else:
            full = layout.prefix + (name.replace(".", "_") if layout.is_flat else name)
        scale = 1 if layout.has_alphas else ALPHA / RANK
        tensors |= {f"{full}{layout.down}": down, f"{full}{layout.up}": torch.cat(ups) * scale}
        if layout.has_alphas:
            tensors[f"{full}.alpha"] = torch.tensor(alpha)
    save_file(tensors, path)
    return path


def networks(owner: Any, case: Case) -> dict[str, Any]:
    return {name: getattr(owner, name) for name in ("transformer", *case.text)}


def fused(case: Case, folder: Path, file: Path) -> Any:
    """Return diffusers' pipeline with a LoRA in its weights."""
    pipeline = diffusers_pipeline(folder, case.pipeline)
    if not hasattr(pipeline, "load_lora_weights"):
        pipeline.transformer = merged_by_peft(pipeline.transformer, file)
        return pipeline
    pipeline.load_lora_weights(str(file.parent), weight_name=file.name)
    pipeline.fuse_lora(components=["transformer", *case.text], lora_scale=SCALE)
    pipeline.unload_lora_weights()
    return pipeline


def merged_by_peft(transformer: Any, file: Path) -> Any:
    """Return a transformer with a LoRA in its weights, as PixArt's documentation adds one."""
    tensors = {
        name.removeprefix("transformer.").removeprefix("base_model.model."): tensor
        for name, tensor in load_file(file).items()
    }
    targets = sorted({name.rpartition(".lora_")[0] for name in tensors})
    config = LoraConfig(r=RANK, lora_alpha=RANK, target_modules=targets)
    model = get_peft_model(transformer, config)
    state = {f"base_model.model.{name}": tensor for name, tensor in tensors.items()}
    assert not set_peft_model_state_dict(model, state).unexpected_keys
    for module in model.modules():
        if isinstance(module, LoraLayer):
            module.scale_layer(SCALE)
    return model.merge_and_unload()


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
