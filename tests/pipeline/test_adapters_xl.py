"""LoRAs and embeddings of Stable Diffusion XL, which has two text encoders and older names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import save_file

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.lora import check_loras
from sheepgen.request import GenerationRequest
from tests.lora import RANK, random_matrices
from tests.tiny import TEXT_WIDTH
from tests.tiny_xl import SECOND_WIDTH, save_tiny_xl

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

ATTENTION = "transformer_blocks.1.attn2.to_k"

LAYERS = {
    "lora_unet_input_blocks_3_1_transformer_blocks_1_attn2_to_k": (
        "unet",
        f"down_blocks.1.attentions.0.{ATTENTION}",
    ),
    "lora_unet_middle_block_1_transformer_blocks_1_attn2_to_k": (
        "unet",
        f"mid_block.attentions.0.{ATTENTION}",
    ),
    "lora_unet_output_blocks_1_1_transformer_blocks_1_attn2_to_k": (
        "unet",
        f"up_blocks.0.attentions.1.{ATTENTION}",
    ),
    "lora_unet_output_blocks_1_2_conv": ("unet", "up_blocks.0.upsamplers.0.conv"),
    "lora_unet_input_blocks_2_0_op": ("unet", "down_blocks.0.downsamplers.0.conv"),
    "lora_unet_input_blocks_1_0_in_layers_2": ("unet", "down_blocks.0.resnets.0.conv1"),
    "lora_te1_text_model_encoder_layers_1_mlp_fc1": ("text_encoder", "encoder.layers.1.mlp.fc1"),
    "lora_te2_text_model_encoder_layers_1_mlp_fc1": ("text_encoder_2", "encoder.layers.1.mlp.fc1"),
}
"""kohya's names of the layers, and where they are."""


@pytest.fixture(scope="module")
def xl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_xl(tmp_path_factory.mktemp("models") / "xl")


def loaded(folder: Path, **adapters: str) -> Any:
    return load_model(str(folder), device="cpu", dtype="fp32", adapters=Adapters(**adapters))


def weight_of(model: Any, component: str, layer: str) -> Tensor:
    """Return the weight of a layer, whatever transformers puts in front of its name."""
    names = {
        name.removeprefix("text_model."): name for name in getattr(model, component).state_dict()
    }
    found = getattr(model, component).state_dict()[names[f"{layer}.weight"]]
    assert isinstance(found, torch.Tensor)
    return found


def test_kohyas_names_are_added_bit_for_bit(xl_folder: Path, tmp_path: Path) -> None:
    before = loaded(xl_folder)
    torch.manual_seed(7)
    tensors: dict[str, Tensor] = {}
    expected: dict[tuple[str, str], Tensor] = {}
    for name, place in LAYERS.items():
        weight = weight_of(before, *place)
        up, down = random_matrices(weight)
        tensors |= {f"{name}.lora_up.weight": up, f"{name}.lora_down.weight": down}
        tensors[f"{name}.alpha"] = torch.tensor(1.0)
        change = (up.flatten(1) @ down.flatten(1) * (1 / RANK * 0.5)).reshape(weight.shape)
        expected[place] = weight + change
    save_file(tensors, tmp_path / "a.safetensors")

    check_loras(find_model(str(xl_folder)), Adapters(lora=f"{tmp_path}/a.safetensors").loras)
    model = loaded(xl_folder, lora=f"{tmp_path}/a.safetensors:0.5")

    for place, weight in expected.items():
        assert torch.equal(weight_of(model, *place), weight), place


def test_one_of_stable_diffusion_1_does_not_fit(xl_folder: Path, tmp_path: Path) -> None:
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    tensors = {
        f"{name}.lora_up.weight": torch.zeros(320, RANK),
        f"{name}.lora_down.weight": torch.zeros(RANK, 768),
    }
    save_file(tensors, tmp_path / "a.safetensors")

    with pytest.raises(ModelError, match="0 of 1 layer do") as error:
        loaded(xl_folder, lora=f"{tmp_path}/a.safetensors")
    assert "made for Stable Diffusion 1.x; the model is of the family Stable Diffusion XL" in (
        error.value.hint
    )


def test_an_embedding_has_vectors_for_both_text_encoders(xl_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "fuzzy.safetensors"
    generator = torch.Generator().manual_seed(9)
    vectors = {
        "clip_l": torch.randn(2, TEXT_WIDTH, generator=generator),
        "clip_g": torch.randn(2, SECOND_WIDTH, generator=generator),
    }
    save_file(vectors, path)
    pipeline = StableDiffusionXLPipeline.from_pretrained(xl_folder, local_files_only=True)
    for key, ending in (("clip_l", ""), ("clip_g", "_2")):
        pipeline.load_textual_inversion(
            vectors[key],
            token="fuzzy",
            text_encoder=getattr(pipeline, f"text_encoder{ending}"),
            tokenizer=getattr(pipeline, f"tokenizer{ending}"),
        )
    prompt = "a fuzzy and"
    model = loaded(xl_folder, embedding=str(path))

    request = GenerationRequest(prompt=prompt, seed=1, guidance_scale=1)
    encoded = model.encode([model.spec.resolve(request)])

    # The end of a text is where the largest token is, says the config; a new one is larger.
    pipeline.text_encoder_2.config.eos_token_id = pipeline.tokenizer_2.eos_token_id
    for module in pipeline.text_encoder_2.modules():
        if hasattr(module, "eos_token_id"):
            module.eos_token_id = pipeline.tokenizer_2.eos_token_id
    states, _, pooled, _ = pipeline.encode_prompt(prompt, do_classifier_free_guidance=False)
    assert torch.equal(encoded.hidden_states, states)
    assert torch.equal(encoded.added["text_embeds"], pooled)


def test_an_embedding_of_stable_diffusion_1_is_refused(xl_folder: Path, tmp_path: Path) -> None:
    save_file({"emb_params": torch.zeros(1, TEXT_WIDTH)}, tmp_path / "fuzzy.safetensors")

    with pytest.raises(ModelError, match="for 1 text encoders, and this model has 2"):
        loaded(xl_folder, embedding=f"{tmp_path}/fuzzy.safetensors")
