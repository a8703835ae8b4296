"""LoRAs change the weights that they are for by scale * alpha / rank * up @ down, bit for bit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from safetensors.torch import save_file

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.lora import check_loras
from sheepgen.pipeline.original_unet import original_name
from tests.lora import (
    ATTENTION,
    CONVOLUTION,
    LAYERS,
    OUT,
    RANK,
    TEXT,
    Style,
    names,
    networks,
    save_lora,
)
from tests.original import original_unet, save_original_model, save_single_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

UNET_LAYERS = tuple(pair for pair in LAYERS if pair[0] == "unet")

Differences = dict[tuple[str, str], tuple["Tensor", "Tensor"]]


def loaded(model: Path, text: str, dtype: str = "fp32") -> Any:
    return load_model(str(model), device="cpu", dtype=dtype, adapters=Adapters(lora=text))


def assert_changed(
    model: Any, before: Mapping[str, Any], found: Differences, factor: float
) -> None:
    """Check that the layers of a LoRA are changed as the paper says, and no others."""
    for component, network in before.items():
        changed = getattr(model, component).state_dict()
        for name, weight in network.state_dict().items():
            layer = component, name.removesuffix(".weight")
            expected = weight
            if layer in found:
                up, down = (each.float().flatten(1) for each in found[layer])
                expected = weight + (up @ down * factor).reshape(weight.shape)
            assert torch.equal(changed[name], expected), name


@pytest.mark.parametrize("style", ["kohya", "diffusers", "peft", "old diffusers"])
def test_each_style_is_added_bit_for_bit(style: Style, tiny_folder: Path, tmp_path: Path) -> None:
    layers = UNET_LAYERS if style == "peft" else LAYERS
    alpha = None if style == "old diffusers" else 4.0  # it had none
    found = save_lora(
        tiny_folder, tmp_path / "a.safetensors", style=style, layers=layers, alpha=alpha
    )

    model = loaded(tiny_folder, f"{tmp_path}/a.safetensors:0.5")

    assert_changed(model, networks(tiny_folder), found, (alpha or RANK) / RANK * 0.5)


def test_without_an_alpha_it_is_the_rank(tiny_folder: Path, tmp_path: Path) -> None:
    found = save_lora(tiny_folder, tmp_path / "a.safetensors", style="diffusers", alpha=None)

    assert_changed(
        loaded(tiny_folder, f"{tmp_path}/a.safetensors"), networks(tiny_folder), found, 1
    )


def test_alphas_are_read_where_diffusers_and_peft_write_them(
    tiny_folder: Path, tmp_path: Path
) -> None:
    settings = {f"{name}.lora_alpha": 6 for name in ("unet", "text_encoder")}
    found = save_lora(
        tiny_folder,
        tmp_path / "a.safetensors",
        style="diffusers",
        alpha=None,
        metadata={"lora_adapter_metadata": json.dumps(settings)},
    )
    assert_changed(
        loaded(tiny_folder, f"{tmp_path}/a.safetensors"), networks(tiny_folder), found, 6 / RANK
    )

    folder = tmp_path / "peft"
    found = save_lora(
        tiny_folder,
        folder / "adapter_model.safetensors",
        style="peft",
        layers=UNET_LAYERS,
        alpha=None,
    )
    (folder / "adapter_config.json").write_text('{"r": 2, "lora_alpha": 8}', encoding="utf-8")
    assert_changed(loaded(tiny_folder, str(folder)), networks(tiny_folder), found, 8 / RANK)


def test_several_are_added_in_their_order(tiny_folder: Path, tmp_path: Path) -> None:
    first = save_lora(tiny_folder, tmp_path / "a", layers=LAYERS[:1], seed=1)
    second = save_lora(tiny_folder, tmp_path / "b", layers=LAYERS[:1], seed=2)

    model = loaded(tiny_folder, f"{tmp_path}/a:0.5,{tmp_path}/b:-1")

    weight = networks(tiny_folder)["unet"].state_dict()[f"{ATTENTION}.weight"]
    for found, scale in ((first, 0.5), (second, -1)):
        up, down = found["unet", ATTENTION]
        weight = weight + up @ down * (4 / RANK * scale)
    assert torch.equal(model.unet.state_dict()[f"{ATTENTION}.weight"], weight)


def test_sums_are_rounded_once(tiny_folder: Path, tmp_path: Path) -> None:
    found = save_lora(tiny_folder, tmp_path / "a", layers=LAYERS[:1], dtype=torch.bfloat16)

    model = loaded(tiny_folder, f"{tmp_path}/a", dtype="bf16")

    weight = networks(tiny_folder)["unet"].state_dict()[f"{ATTENTION}.weight"].bfloat16()
    up, down = (each.float() for each in found["unet", ATTENTION])
    expected = (weight.float() + up @ down * (4 / RANK)).bfloat16()
    assert torch.equal(model.unet.state_dict()[f"{ATTENTION}.weight"], expected)


def test_a_single_file_takes_the_same_loras(tmp_path: Path) -> None:
    folder = save_original_model(tmp_path / "folder")
    file = save_single_file(folder, tmp_path / "model.safetensors")
    found = save_lora(folder, tmp_path / "a", layers=(("unet", ATTENTION), ("text_encoder", TEXT)))

    check_loras(find_model(str(file)), Adapters(lora=f"{tmp_path}/a").loras)
    assert_changed(loaded(file, f"{tmp_path}/a"), networks(folder), found, 4 / RANK)


def test_names_of_the_first_code_are_those_that_diffusers_converts() -> None:
    unet = original_unet()
    layers = {
        name: layer
        for name, layer in unet.named_modules()
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)
    }
    # Its up block without attention has its upsampler one place further on.
    moved = {name: original_name(name, 2) for name in layers}
    moved = {name: each.replace(".2.conv", ".1.conv") for name, each in moved.items()}
    tensors = {
        f"model.diffusion_model.{moved[name]}.{kind}": weight
        for name, layer in layers.items()
        for kind, weight in layer.named_parameters()
    }

    converted = convert_ldm_unet_checkpoint(tensors, dict(unet.config))

    assert converted.keys() == {
        f"{name}.{kind}" for name, layer in layers.items() for kind, _ in layer.named_parameters()
    }
    for name, layer in layers.items():
        assert converted[f"{name}.weight"] is layer.weight


def test_kohyas_names_of_the_first_code_are_known(tiny_folder: Path, tmp_path: Path) -> None:
    up, down = torch.zeros(16, RANK), torch.zeros(RANK, 16)
    start = "lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q"
    save_file({f"{start}.lora_up.weight": up, f"{start}.lora_down.weight": down}, tmp_path / "a")

    check_loras(find_model(str(tiny_folder)), Adapters(lora=f"{tmp_path}/a").loras)


def _renamed(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {f"{name}.{each.partition('.')[2]}": tensor for each, tensor in tensors.items()}


def _pair(out: int, into: int, name: str = "lora_unet_x") -> dict[str, Tensor]:
    return {
        f"{name}.lora_up.weight": torch.zeros(out, RANK),
        f"{name}.lora_down.weight": torch.zeros(RANK, into),
    }


KNOWN = names("kohya", "unet", ATTENTION)[0].partition(".")[0]
WIDTH = 16

MISFITS: dict[str, tuple[dict[str, Tensor], str, str]] = {
    "nothing": ({"a": torch.zeros(1)}, "0 of 1 layer do", "another model"),
    "of another model": (
        _pair(640, 2048, "lora_unet_up_blocks_9_attentions_0_attn2_to_k"),
        "0 of 1 layer do",
        "Stable Diffusion XL",
    ),
    "for two text encoders": (_pair(8, 8, "lora_te2_x"), "0 of 1 layer do", "Diffusion XL"),
    "of Flux": (_pair(8, 8, "lora_unet_double_blocks_0_x"), "0 of 1 layer do", "FLUX"),
    "in part": (
        _pair(WIDTH, WIDTH, KNOWN) | _pair(8, 8),
        "1 of 2 layers does, and .* does not",
        "another",
    ),
    "too wide": (_pair(WIDTH, WIDTH + 1, KNOWN), "0 of 1 layer do", ""),
    "too high": (_pair(WIDTH + 1, WIDTH, KNOWN), "0 of 1 layer do", ""),
    "of two ranks": (
        _pair(WIDTH, WIDTH, KNOWN) | {f"{KNOWN}.lora_up.weight": torch.zeros(WIDTH, RANK + 1)},
        "0 of 1 layer do",
        "",
    ),
    "of no rank": (
        {
            f"{KNOWN}.lora_up.weight": torch.zeros(WIDTH, 0),
            f"{KNOWN}.lora_down.weight": torch.zeros(0, WIDTH),
        },
        "0 of 1 layer do",
        "",
    ),
    "half of a pair": ({f"{KNOWN}.lora_up.weight": torch.zeros(16, RANK)}, "0 of 1 layer do", ""),
    "with a wide alpha": (
        _pair(WIDTH, WIDTH, KNOWN) | {f"{KNOWN}.alpha": torch.zeros(2)},
        "0 of 1 layer do",
        "",
    ),
    "DoRA": (_pair(16, 16, KNOWN) | {f"{KNOWN}.dora_scale": torch.zeros(16)}, "a DoRA", ""),
    "LoHa": ({f"{KNOWN}.hada_w1_a": torch.zeros(16)}, "a LoHa", ""),
    "LoKr": ({f"{KNOWN}.lokr_w1": torch.zeros(16)}, "a LoKr", ""),
    "quantised": (
        {name: each.to(torch.int8) for name, each in _pair(16, 16, KNOWN).items()},
        "weights of type I8",
        "",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_what_does_not_fit_whole_is_an_error(name: str, tiny_folder: Path, tmp_path: Path) -> None:
    tensors, message, family = MISFITS[name]
    save_file(tensors, tmp_path / "a.safetensors")

    for check in (
        lambda: check_loras(
            find_model(str(tiny_folder)), Adapters(lora=f"{tmp_path}/a.safetensors").loras
        ),
        lambda: loaded(tiny_folder, f"{tmp_path}/a.safetensors"),
    ):
        with pytest.raises(ModelError, match=message) as error:
            check()
        assert family in error.value.hint


def test_a_file_says_what_it_is_made_for(tiny_folder: Path, tmp_path: Path) -> None:
    metadata = {"ss_base_model_version": "sdxl_base_v1-0"}
    save_file(_pair(8, 8), tmp_path / "a", metadata)

    with pytest.raises(ModelError, match="0 of 1 layer do") as error:
        loaded(tiny_folder, f"{tmp_path}/a")
    assert "sdxl_base_v1-0" in error.value.hint
    assert "Stable Diffusion 1.x and 2.x" in error.value.hint


def test_all_layers_of_the_list_are_there(tiny_folder: Path) -> None:
    unet = dict(networks(tiny_folder)["unet"].named_modules())
    assert {ATTENTION, OUT, CONVOLUTION} <= unet.keys()
