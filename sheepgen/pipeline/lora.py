"""LoRAs (https://arxiv.org/abs/2106.09685), added to a model's weights when it is loaded.

    W + scale * alpha / rank * up @ down

Nothing stays of the LoRA but the changed weights, so that generating takes no longer. A LoRA that
does not fit whole is an error: what is left out of it would be missing in the image, unsaid.
"""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from diffusers import UNet2DConditionModel
from safetensors import safe_open
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from sheepgen.errors import ModelError
from sheepgen.models.added_files import find_lora
from sheepgen.models.configs import read_object
from sheepgen.models.safetensors import FLOATS, StoredTensors, read_tensors
from sheepgen.pipeline.building import building
from sheepgen.pipeline.lora_names import layer_aliases
from sheepgen.sanitize import excerpt, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from torch import Tensor, nn

    from sheepgen.adapters import LoraReference
    from sheepgen.models.spec import ModelSpec

__all__ = ["LoraLayer", "add_loras", "check_loras", "match_lora"]

_SUFFIXES = (
    (".lora_down.weight", "down"),
    (".lora_up.weight", "up"),
    (".lora_A.weight", "down"),
    (".lora_B.weight", "up"),
    (".lora_A.default.weight", "down"),
    (".lora_B.default.weight", "up"),
    (".lora.down.weight", "down"),
    (".lora.up.weight", "up"),
    (".lora_linear_layer.down.weight", "down"),
    (".lora_linear_layer.up.weight", "up"),
    ("_lora.down.weight", "down"),
    ("_lora.up.weight", "up"),
    (".alpha", "alpha"),
)
"""How the names of weights end, and what they are: in kohya's files, in PEFT's and diffusers'."""

_OTHER_KINDS = (
    ("dora_scale", "DoRA"),
    ("lora_magnitude_vector", "DoRA"),
    ("hada_w", "LoHa"),
    ("lokr_w", "LoKr"),
    ("lora_mid", "LoCon with a middle layer"),
    ("oft_", "OFT"),
    ("on_input", "IA3"),
    (".diff", "difference of whole weights"),
)

_MADE_FOR = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"}
"""By the width of the text that the U-Net attends to."""

_OTHER_MODELS = (
    ("double_blocks", "Flux"),
    ("single_transformer_blocks", "Flux"),
    ("joint_blocks", "Stable Diffusion 3"),
    ("transformer.", "a model with a transformer"),
    ("lora_te2_", "Stable Diffusion XL"),
    ("text_encoder_2.", "Stable Diffusion XL"),
)

_NETWORKS = {
    "UNet2DConditionModel": UNet2DConditionModel,
    "CLIPTextModel": CLIPTextModel,
    "CLIPTextModelWithProjection": CLIPTextModelWithProjection,
}

_TEXT_SETTINGS = (
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "projection_dim",
    "vocab_size",
)
"""What the shapes of a text encoder's weights depend on."""

_Layers = dict[str, tuple[str, str, tuple[int, ...]]]
"""By each of its names: a layer's component, its name there and the shape of its weight."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraLayer:
    """What a LoRA has for one layer.

    Args:
        component: Of the model.
        layer: Name of the layer there.
        down: Name of the tensor, (rank, in) or (rank, in, height, width).
        up: Likewise, (out, rank) or (out, rank, 1, 1).
        alpha: Likewise, of one number; None if the file has none.
        rank: Of the change.
        default_alpha: Stands for ``alpha``, if the file has none.
    """

    component: str
    layer: str
    down: str
    up: str
    alpha: str | None
    rank: int
    default_alpha: float


def check_loras(spec: ModelSpec, references: Iterable[LoraReference]) -> None:
    """Check that all layers of LoRAs are layers of the model, without its weights.

    Raises:
        ModelError: If one is not, or a LoRA is of another kind.
    """
    references = tuple(references)
    if references:
        known = _layers({name: _shape_of(spec, name) for name in _adapted(spec)}, spec)
        for reference in references:
            match_lora(reference.path, known, spec)


def add_loras(
    spec: ModelSpec, networks: Mapping[str, nn.Module], references: Iterable[LoraReference]
) -> None:
    """Change the weights of a loaded model.

    Sums are made at float32 and rounded once to the precision of the weights.

    Args:
        spec: The model.
        networks: Its components.
        references: LoRAs, in their order.

    Raises:
        ModelError: As `check_loras`.
    """
    references = tuple(references)
    known = _layers(networks, spec)
    changes: dict[tuple[str, str], list[tuple[Any, LoraLayer, float]]] = {}
    with ExitStack() as opened:
        for reference in references:
            layers = match_lora(reference.path, known, spec)
            file = opened.enter_context(safe_open(find_lora(reference.path), framework="pt"))
            for layer in layers:
                change = file, layer, reference.scale
                changes.setdefault((layer.component, layer.layer), []).append(change)
        for (component, name), parts in changes.items():
            weight = networks[component].get_submodule(name).weight
            assert isinstance(weight, torch.nn.Parameter)
            with torch.no_grad():
                changed = weight.float()
                for file, layer, scale in parts:
                    changed = changed + _difference(file, layer, scale, weight)
                weight.copy_(changed)


def _difference(file: Any, layer: LoraLayer, scale: float, weight: Tensor) -> Tensor:  # noqa: ANN401
    """Return what is added to a weight, float32 and of its shape."""
    up, down = (
        file.get_tensor(name).to(weight.device, torch.float32).flatten(1)
        for name in (layer.up, layer.down)
    )  # (out, rank), (rank, in * height * width)
    alpha = layer.default_alpha
    if layer.alpha is not None:
        alpha = float(file.get_tensor(layer.alpha))
    difference: Tensor = up @ down * (alpha / layer.rank * scale)
    return difference.reshape(weight.shape)


def match_lora(path: str, known: _Layers, spec: ModelSpec) -> tuple[LoraLayer, ...]:
    """Return what a LoRA has for each layer of a model.

    Args:
        path: As it was typed.
        known: The model's layers by all their names.
        spec: The model, for the message.

    Raises:
        ModelError: If not all of it fits, or it is of another kind than a LoRA.
    """
    file = find_lora(path)
    stored = read_tensors(file)
    groups = _grouped(stored, excerpt(path, 200))
    alphas = _alphas(file, stored)
    fitting = []
    for name, parts in groups.items():
        layer = _fit(name, parts, known, stored, alphas)
        if layer is not None:
            fitting.append(layer)
    if len(fitting) < len(groups) or not fitting:
        raise ModelError(
            f"The LoRA {excerpt(path, 200)} does not fit {excerpt(spec.name)}: {len(fitting)} of "
            f"{plural(len(groups), 'layer')} {'does' if len(fitting) == 1 else 'do'}.",
            f"It seems to be made for {_made_for(groups, stored)}; the model is of the family "
            f"{spec.family.name}.",
        )
    return tuple(fitting)


def _grouped(stored: StoredTensors, owner: str) -> dict[str, dict[str, str]]:
    """Return the names of tensors by the name of their layer and by what they are."""
    groups: dict[str, dict[str, str]] = {}
    for name, tensor in stored.tensors.items():
        for part, kind in _OTHER_KINDS:
            if part in name:
                raise ModelError(
                    f"{owner} is not a plain LoRA but a {kind}, which is not supported.",
                    "Merge it into a model where it comes from.",
                )
        for suffix, part in _SUFFIXES:
            if name.endswith(suffix):
                layer = re.sub(r"\.processor(?=\.)", "", name.removesuffix(suffix))
                groups.setdefault(layer, {})[part] = name
                break
        else:
            groups.setdefault(name, {})["other"] = name
        if tensor.dtype not in FLOATS and not name.endswith(".alpha"):
            raise ModelError(
                f"{owner} has weights of type {tensor.dtype}, which are not supported.",
                "Get one that is not quantised.",
            )
    return groups


def _fit(
    name: str,
    parts: Mapping[str, str],
    known: _Layers,
    stored: StoredTensors,
    alphas: Mapping[str, float],
) -> LoraLayer | None:
    """Return what is for one layer, or None if the model has no such layer of that shape."""
    found = known.get(name) or known.get(f"{name}.0")  # its attention's "to_out" is a list
    if found is None or not {"down", "up"} <= parts.keys() <= {"down", "up", "alpha"}:
        return None
    component, layer, weight = found
    down, up = (stored.tensors[parts[part]].shape for part in ("down", "up"))
    if not (2 <= len(down) <= 4 and len(up) in (2, 4) and up[2:] in ((), (1, 1))):
        return None
    if weight[0] != up[0] or not up[1] == down[0] >= 1:
        return None
    if _sides(down[1:]) != _sides(weight[1:]):
        return None
    alpha = parts.get("alpha")
    if alpha is not None and _sides(stored.tensors[alpha].shape) != ():
        return None
    return LoraLayer(
        component=component,
        layer=layer,
        down=parts["down"],
        up=parts["up"],
        alpha=alpha,
        rank=down[0],
        default_alpha=alphas.get(f"{component}.{layer}", alphas.get(component, float(down[0]))),
    )


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without ones at its end: a convolution of 1x1 is a matrix."""
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _alphas(file: Path, stored: StoredTensors) -> dict[str, float]:
    """Return the alphas that PEFT writes beside the tensors, by component and by layer."""
    beside = file.parent / "adapter_config.json"
    if file.name == "adapter_model.safetensors" and beside.is_file():
        return dict(_alphas_in(read_object(beside), "unet", file))
    try:
        settings = json.loads(stored.metadata.get("lora_adapter_metadata", "{}"))
    except (ValueError, RecursionError):
        return {}
    found: dict[str, float] = {}
    for component in ("unet", "text_encoder", "text_encoder_2"):
        own = {
            key.removeprefix(f"{component}."): value
            for key, value in (settings.items() if isinstance(settings, dict) else ())
            if key.startswith(f"{component}.")
        }
        found |= _alphas_in(own, component, file)
    return found


def _alphas_in(
    settings: Mapping[str, Any], component: str, file: Path
) -> Iterator[tuple[str, float]]:
    for setting in ("use_dora", "use_rslora"):
        if settings.get(setting):
            raise ModelError(
                f"{excerpt(file.name)} is not a plain LoRA ({setting}), which is not supported.",
                "Merge it into a model where it comes from.",
            )
    if isinstance(alpha := settings.get("lora_alpha"), int | float):
        yield component, float(alpha)
    pattern = settings.get("alpha_pattern")
    for layer, alpha in pattern.items() if isinstance(pattern, dict) else ():
        if isinstance(alpha, int | float):
            yield f"{component}.{layer}", float(alpha)


def _layers(networks: Mapping[str, nn.Module], spec: ModelSpec) -> _Layers:
    per_block = spec.checkpoint.configs["unet"].get("layers_per_block", 2)
    return {
        alias: (component, name, tuple(layer.weight.shape))
        for component, network in networks.items()
        for name, layer in network.named_modules()
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)
        for alias in layer_aliases(component, name, per_block if isinstance(per_block, int) else 2)
    }


def _adapted(spec: ModelSpec) -> tuple[str, ...]:
    """Return the components that LoRAs change."""
    return tuple(
        name for name, class_name in spec.checkpoint.classes.items() if class_name in _NETWORKS
    )


def _shape_of(spec: ModelSpec, component: str) -> nn.Module:
    """Return a network without weights."""
    checkpoint = spec.checkpoint
    config = checkpoint.configs[component]
    network: Any = _NETWORKS[checkpoint.classes[component]]
    with building(component, checkpoint.stored[component]), torch.device("meta"):
        if component == "unet":
            built = network.from_config(dict(config))
        else:
            settings = {name: config[name] for name in _TEXT_SETTINGS if name in config}
            built = network(network.config_class(**settings))
    assert isinstance(built, torch.nn.Module)
    return built


def _made_for(groups: Mapping[str, object], stored: StoredTensors) -> str:
    """Return the family that a LoRA seems to be made for."""
    written = stored.metadata.get("ss_base_model_version") or stored.metadata.get(
        "modelspec.architecture"
    )
    if written:
        return excerpt(written)
    for part, family in _OTHER_MODELS:
        if any(part in name for name in groups):
            return family
    for name, tensor in stored.tensors.items():
        if "attn2" in name and "to_k" in name and tensor.shape and tensor.shape[-1] in _MADE_FOR:
            return _MADE_FOR[tensor.shape[-1]]
    return "another model"
