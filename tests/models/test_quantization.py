"""What a config may say of quantised weights: known methods, known settings, nothing by name."""

from __future__ import annotations

from typing import Any

import pytest

from sheepgen.errors import ModelError
from sheepgen.models.quantization import check_quantization, method_of

NF4: dict[str, Any] = {
    "_load_in_4bit": True,
    "_load_in_8bit": False,
    "bnb_4bit_compute_dtype": "bfloat16",
    "bnb_4bit_quant_storage": "uint8",
    "bnb_4bit_quant_type": "nf4",
    "bnb_4bit_use_double_quant": True,
    "llm_int8_enable_fp32_cpu_offload": False,
    "llm_int8_has_fp16_weight": False,
    "llm_int8_skip_modules": ["proj_out", "transformer_blocks.0.norm"],
    "llm_int8_threshold": 6.0,
    "load_in_4bit": True,
    "load_in_8bit": False,
    "quant_method": "bitsandbytes",
}
"""As diffusers and transformers write it."""

PER_ROW = {"_type": "PerRow", "_data": {"dim": -1}, "_version": 1}
INT8 = {
    "_type": "Int8WeightOnlyConfig",
    "_data": {"granularity": PER_ROW, "group_size": None, "set_inductor_config": True},
    "_version": 2,
}


def torchao(default: object) -> dict[str, Any]:
    return {
        "modules_to_not_convert": None,
        "quant_method": "torchao",
        "quant_type": {"default": default},
    }


def check(settings: object, library: str = "diffusers") -> None:
    check_quantization({"quantization_config": settings}, library, "a/config.json", "model")


@pytest.mark.parametrize("settings", [NF4, torchao(INT8), {"quant_method": "bitsandbytes"}])
def test_what_the_libraries_write_is_taken(settings: dict[str, Any]) -> None:
    check(settings)
    assert method_of({"quantization_config": settings}) == settings["quant_method"]


@pytest.mark.parametrize("settings", [None, {}])
def test_what_is_not_quantised_is_taken(settings: object) -> None:
    check(settings)
    assert method_of({"quantization_config": settings}) is None


@pytest.mark.parametrize("name", ["quanto", "gptq", "awq", "sdnq", "org/code", 7, None, ["nf4"]])
def test_other_methods_are_refused_by_name(name: object) -> None:
    with pytest.raises(ModelError, match="model has weights quantised by") as error:
        check({"quant_method": name})
    assert "Supported: bitsandbytes, torchao; and transformers as .gguf" in error.value.hint


def test_torchao_is_for_networks_of_diffusers() -> None:
    with pytest.raises(ModelError, match="quantised by torchao") as error:
        check(torchao(INT8), "transformers")
    assert "Supported: bitsandbytes; and" in error.value.hint


@pytest.mark.parametrize(
    "changes",
    [
        {"bnb_4bit_compute_dtype": "load"},
        {"bnb_4bit_quant_type": "nf5"},
        {"bnb_4bit_use_double_quant": "yes"},
        {"llm_int8_skip_modules": ["a b"]},
        {"llm_int8_skip_modules": ["a"] * 3000},
        {"llm_int8_skip_modules": "proj_out"},
        {"llm_int8_threshold": True},
        {"modules": "os"},
    ],
)
def test_other_settings_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=f"for {next(iter(changes))} of its quantization_config"):
        check({**NF4, **changes})


@pytest.mark.parametrize(
    "default",
    [
        "int8wo",
        {"_type": "FqnToConfig", "_data": {}},
        {"_type": "os.system", "_data": {"command": "true"}},
        {"_type": "Int8WeightOnlyConfig", "_data": "true"},
        {"_type": "Int8WeightOnlyConfig", "_data": {"a": {"_type": "AWQConfig", "_data": {}}}},
        {"_type": "Int8WeightOnlyConfig", "_data": {"a": {"_type": "torch.dtype", "_data": "hub"}}},
        {"_type": "Int8WeightOnlyConfig", "_data": {"a": [INT8]}},
        {"_type": "Int8WeightOnlyConfig", "_data": {}, "_version": "1"},
        {"_type": "Int8WeightOnlyConfig", "_data": {}, "more": 1},
    ],
)
def test_no_class_is_taken_that_is_not_in_the_table(default: object) -> None:
    with pytest.raises(ModelError, match="for quant_type of its quantization_config"):
        check(torchao(default))


def test_a_nested_class_is_not_followed_for_ever() -> None:
    nested: dict[str, Any] = INT8
    for _ in range(50):
        nested = {"_type": "PerRow", "_data": {"a": nested}}
    with pytest.raises(ModelError, match="quant_type"):
        check(torchao(nested))
