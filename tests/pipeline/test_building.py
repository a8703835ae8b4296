"""Configs that ask for more than their weights hold, and for what no library can build."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from sheepgen.errors import ModelError
from sheepgen.models.families import EMBEDDED
from sheepgen.models.resolve import find_model
from sheepgen.models.safetensors import StoredWeights
from sheepgen.pipeline.building import building, component_errors
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.run import generate
from sheepgen.request import GenerationRequest
from tests.tiny import edit_json

if TYPE_CHECKING:
    from pathlib import Path

STORED = StoredWeights(tensors=4, data_bytes=4000)


def refusal(folder: Path, component: str, **changes: Any) -> ModelError:
    """Return the error that changed settings lead to when the model is loaded."""
    edit_json(folder / component / EMBEDDED.components[component].config, **changes)
    with pytest.raises(ModelError, match=f"model's {component} cannot be loaded: ") as error:
        load_model(find_model(str(folder)), device="cpu")
    return error.value


@pytest.mark.parametrize(
    ("component", "changes"),
    [
        ("text_encoder", {"num_hidden_layers": 64}),
        ("text_encoder", {"hidden_size": 8, "intermediate_size": 32_000}),
        ("text_encoder", {"vocab_size": 300_000}),
        ("unet", {"layers_per_block": 16, "transformer_layers_per_block": 16}),
        ("unet", {"layers_per_block": 1, "transformer_layers_per_block": [16, 16]}),
        ("unet", {"reverse_transformer_layers_per_block": [[16, 16], [16, 16]]}),
        ("unet", {"block_out_channels": [8192, 8192]}),
        ("unet", {"conv_in_kernel": 15, "conv_out_kernel": 15, "time_embedding_dim": 32_000}),
        ("vae", {"layers_per_block": 16}),
        ("vae", {"block_out_channels": [8192, 8192]}),
    ],
)
def test_no_more_is_built_than_the_weights_hold(
    model_copy: Path, component: str, changes: dict[str, Any]
) -> None:
    error = refusal(model_copy, component, **changes)

    assert "asks for more than its weights hold" in error.message


@pytest.mark.parametrize(
    ("component", "changes"),
    [
        ("text_encoder", {"hidden_act": "no such function"}),
        ("text_encoder", {"num_attention_heads": 3}),
        ("text_encoder", {"layer_norm_eps": "small"}),
        ("unet", {"act_fn": "no such function"}),
        ("unet", {"act_fn": 3}),
        ("unet", {"attention_head_dim": [1]}),
        ("unet", {"down_block_types": None}),
        ("unet", {"norm_num_groups": 7}),
        ("vae", {"act_fn": None}),
        ("vae", {"up_block_types": ["UpDecoderBlock2D", 1]}),
    ],
)
def test_a_config_that_no_library_can_build_is_the_models_fault(
    model_copy: Path, component: str, changes: dict[str, Any]
) -> None:
    assert "do not match" in refusal(model_copy, component, **changes).hint


@pytest.mark.parametrize(
    ("component", "changes"),
    [
        ("text_encoder", {"layer_norm_eps": None}),
        ("text_encoder", {"eos_token_id": []}),
        ("unet", {"freq_shift": "abc"}),
        ("unet", {"mid_block_scale_factor": None}),
        ("vae", {"scaling_factor": "abc"}),
    ],
)
def test_a_config_that_cannot_be_run_is_the_models_fault(
    model_copy: Path, component: str, changes: dict[str, Any]
) -> None:
    edit_json(model_copy / component / EMBEDDED.components[component].config, **changes)
    parts = load_model(find_model(str(model_copy)), device="cpu")
    request = GenerationRequest(prompt="x", seed=1, num_inference_steps=1, model=parts.spec.name)
    with pytest.raises(ModelError, match=f"model's {component} cannot be run: ") as error:
        generate(parts, request)

    assert "damaged" in error.value.hint


def test_as_much_as_is_stored_may_be_built() -> None:
    with building("unet", STORED):
        layers = [nn.Linear(2, 2) for _ in range(2)]

    assert all(layer.weight.requires_grad for layer in layers)


def test_building_stops_where_the_weights_end() -> None:
    built: list[nn.Module] = []
    with pytest.raises(ModelError, match="unet cannot be loaded"), building("unet", STORED):
        built.extend(nn.Linear(2, 2) for _ in range(10**9))

    assert len(built) == 4
    assert nn.Linear(2, 2).weight.shape == (2, 2)


def test_loading_into_what_is_built_counts_for_nothing() -> None:
    layer = nn.Linear(2, 2)
    with building("unet", STORED):
        for _ in range(100):
            layer.weight = nn.Parameter(torch.zeros(2, 2))

    assert not layer.weight.any()


def test_what_other_threads_build_counts_for_nothing() -> None:
    built: list[nn.Module] = []

    def build() -> None:
        built.extend(nn.Linear(2, 2) for _ in range(100))

    with building("unet", STORED):
        thread = threading.Thread(target=build)
        thread.start()
        thread.join()

    assert len(built) == 100


class PanicException(BaseException):
    """Named like what the tokenizers' library raises."""


@pytest.mark.parametrize("error", [KeyError("x"), ZeroDivisionError(), PanicException("x")])
def test_the_libraries_errors_name_the_component(error: BaseException) -> None:
    with pytest.raises(ModelError, match="model's vae cannot be loaded"), component_errors("vae"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        ModelError("mine"),
    ],
)
def test_what_is_not_about_the_component_is_left_as_it_is(error: BaseException) -> None:
    with pytest.raises(type(error)) as raised, component_errors("vae"):
        raise error

    assert raised.value is error
