"""Configs as the libraries' classes have them by default are within all limits."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any

import diffusers
import pytest
import transformers
from diffusers.pipelines.deprecated import wuerstchen
from transformers import T5GemmaConfig

from sheepgen.errors import ModelError
from sheepgen.models.checkpoint import check_configs
from sheepgen.models.diffusers_pipelines import DIFFUSERS_FAMILIES
from sheepgen.models.families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.family import Component, Family

_PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "AuraFlowTransformer2DModel": {"pos_embed_max_size": 9216},
    "AutoencoderKL": {"block_out_channels": [128, 256, 512, 512]},
    "HiDreamImageTransformer2DModel": {"llama_layers": [*range(32), *[31] * 16]},
    "StableCascadeUNet": {"effnet_in_channels": 16},
}
"""What the makers' configs set, and the classes leave open or have smaller."""

_ROWS = (*DIFFUSERS_FAMILIES, *(family for family in FAMILIES if family.part == "prior"))


def _classes(component: Component) -> list[Any]:
    modules = {"diffusers": (diffusers, wuerstchen), "transformers": (transformers,)}
    names = [
        (module, name) for module in modules[component.library] for name in sorted(dir(module))
    ]
    return [
        getattr(module, name) for module, name in names if re.fullmatch(component.classes, name)
    ]


def _default_config(component: Component) -> dict[str, Any]:
    if component.classes == "T5GemmaEncoder":
        return dict(T5GemmaConfig().encoder.to_dict())
    if component.library == "transformers" and component.weights is None:
        return {}  # a tokenizer
    (first, *_) = _classes(component)
    if component.library == "transformers":
        return dict(first.config_class().to_dict())
    parameters = inspect.signature(first.__init__).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.default is not each.empty}
    name = str(first.__name__)
    return {"_class_name": name, **defaults, **_PUBLISHED.get(name, {})}


@pytest.mark.parametrize("family", _ROWS, ids=lambda family: family.name)
def test_default_configs_of_every_pipeline_are_within_the_limits(family: Family) -> None:
    configs = {
        name: json.loads(json.dumps(_default_config(component), default=str))
        for name, component in family.components.items()
    }
    check_configs(family, configs, family.name)
    if not family.part and "text_config" not in configs.get("text_encoder", {}):
        traits = family.read_traits(configs, {})
        assert max(traits.width, traits.height) <= traits.longest_side


def test_a_table_of_positions_has_a_limit_of_its_own_in_each_class() -> None:
    by_name = {family.name: family for family in DIFFUSERS_FAMILIES}
    for name, most in (("AuraFlow", 65_536), ("CogView3 Plus", 512)):
        configs = {
            part: json.loads(json.dumps(_default_config(component), default=str))
            for part, component in by_name[name].components.items()
        }
        configs["transformer"]["pos_embed_max_size"] = most
        check_configs(by_name[name], configs, name)
        configs["transformer"]["pos_embed_max_size"] = most + 1
        with pytest.raises(ModelError, match="impossible value"):
            check_configs(by_name[name], configs, name)
