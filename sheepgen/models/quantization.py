"""Quantised weights in a folder: which methods are loaded, and with which settings.

A component's config says how its weights were quantised, and the libraries build its layers by
what is written there, some of it by the names of classes. Here is all that it may say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["METHODS", "QUANTIZATION", "Method", "check_quantization", "method_of"]

QUANTIZATION = "quantization_config"
"""The setting of a component's config that says how its weights were quantised."""

_Check = Callable[[object], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """A way of quantising weights.

    Args:
        packages: What has to be installed, besides what sheepgen needs.
        libraries: The libraries whose components are loaded.
        settings: All settings that a config may have, and what values are allowed.
        needs_gpu: Of the libraries those that load it on a graphics card alone.
    """

    packages: tuple[str, ...]
    libraries: tuple[str, ...]
    settings: Mapping[str, _Check]
    needs_gpu: tuple[str, ...] = ()


def _one_of(*values: object) -> _Check:
    return lambda value: any(type(value) is type(each) and value == each for each in values)


def _is_number(value: object) -> bool:
    return type(value) in (int, float)


def _are_names(value: object) -> bool:
    """Return whether a value is None, or a list of names of layers."""
    return value is None or (
        isinstance(value, list)
        and len(value) <= _MOST_NAMES
        and all(isinstance(each, str) and re.fullmatch(r"[\w.]{1,200}", each) for each in value)
    )


_MOST_NAMES = 2_000

_DTYPES = ("bfloat16", "float16", "float32")

_AO_TYPES = frozenset(
    {
        "Float8DynamicActivationFloat8WeightConfig",
        "Float8WeightOnlyConfig",
        "Int4WeightOnlyConfig",
        "Int8DynamicActivationInt8WeightConfig",
        "Int8WeightOnlyConfig",
        "IntxWeightOnlyConfig",
        "PerAxis",
        "PerGroup",
        "PerRow",
        "PerTensor",
    }
)
"""Classes of torchao that a config may name: they hold settings alone."""

_MOST_NESTED = 4


def _is_ao_type(value: object, depth: int = _MOST_NESTED) -> bool:
    """Return whether a value is plain, or an object of torchao with such values."""
    match value:
        case None | bool() | int() | float():
            return True
        case {"_type": "torch.dtype", "_data": str(name), **others}:
            known = {*_DTYPES, "int1", "int2", "int3", "int4", "int5", "int6", "int7", "int8"}
            return not others and name in {*known, "float8_e4m3fn", "float8_e5m2", "uint8"}
        case {"_type": str(name), "_data": dict(settings), **others}:
            return (
                depth > 0
                and name in _AO_TYPES
                and others.keys() <= {"_version"}
                and type(others.get("_version", 1)) is int
                and all(_is_ao_type(each, depth - 1) for each in settings.values())
            )
        case _:
            return False


def _is_ao_default(value: object) -> bool:
    match value:
        case {"default": dict(each), **others}:
            return not others and _is_ao_type(each)
        case _:
            return False


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "bitsandbytes": Method(
            packages=("bitsandbytes", "accelerate"),
            libraries=("diffusers", "transformers"),
            needs_gpu=("diffusers",),
            settings={
                "_load_in_4bit": _one_of(True, False),
                "_load_in_8bit": _one_of(True, False),
                "bnb_4bit_compute_dtype": _one_of(*_DTYPES),
                "bnb_4bit_quant_storage": _one_of("uint8", *_DTYPES),
                "bnb_4bit_quant_type": _one_of("fp4", "nf4"),
                "bnb_4bit_use_double_quant": _one_of(True, False),
                "llm_int8_enable_fp32_cpu_offload": _one_of(True, False),
                "llm_int8_has_fp16_weight": _one_of(True, False),
                "llm_int8_skip_modules": _are_names,
                "llm_int8_threshold": _is_number,
                "load_in_4bit": _one_of(True, False),
                "load_in_8bit": _one_of(True, False),
            },
        ),
        "torchao": Method(
            packages=("torchao", "accelerate"),
            libraries=("diffusers",),
            settings={"modules_to_not_convert": _are_names, "quant_type": _is_ao_default},
        ),
    }
)
"""The methods that are loaded, by the name that configs have for each."""


def method_of(config: Mapping[str, Any]) -> str | None:
    """Return how the weights of a component are quantised, whose config is checked."""
    settings = config.get(QUANTIZATION)
    return str(settings["quant_method"]) if settings else None


def check_quantization(config: Mapping[str, Any], library: str, file: str, owner: str) -> None:
    """Check what a component's config says of quantised weights, if it says anything.

    Args:
        config: Of the component.
        library: Of its class.
        file: Name of its config, as ``component/file``.
        owner: Whose config this is, for the message.

    Raises:
        ModelError: If the method is not loaded, or a setting of it is not known.
    """
    settings = config.get(QUANTIZATION)
    if settings is None or settings == {}:
        return
    name = settings.get("quant_method") if isinstance(settings, dict) else settings
    method = METHODS.get(name) if isinstance(name, str) else None
    if method is None or library not in method.libraries:
        raise ModelError(
            f"{owner} has weights quantised by {excerpt(name)}, which are not supported.",
            f"The setting is {QUANTIZATION} in {file}. Supported: {_listed(METHODS, library)}; "
            "and transformers as .gguf files, with --transformer.",
        )
    for setting, value in settings.items():
        if setting == "quant_method":
            continue
        check = method.settings.get(setting)
        if check is None or not check(value):
            raise ModelError(
                f"{file} of {owner} has {excerpt(value)} for {excerpt(setting)} of its "
                f"{QUANTIZATION}, which is not supported.",
                "The model is damaged or not trustworthy: get it from another source.",
            )


def _listed(methods: Mapping[str, Method], library: str) -> str:
    names: Iterable[str] = (name for name, each in methods.items() if library in each.libraries)
    return ", ".join(names)
