"""What is in the file of a LoRA, and which layers of a model it is for.

Files differ in the names of layers (see `sheepgen.pipeline.lora_names`), in those of their two
matrices, and in where their alpha is written.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.added.lora import find_lora
from sheepgen.models.configs import read_object
from sheepgen.models.safetensors import FLOATS, StoredTensors, read_tensors
from sheepgen.sanitize import excerpt, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sheepgen.models.spec import ModelSpec

__all__ = ["Layers", "LoraLayer", "match_lora"]

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

_MAX_ALPHA = 1e6
"""Far beyond any that is used: at most some hundreds."""

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

Layers = dict[str, tuple[str, str, tuple[int, ...]]]
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


def match_lora(path: str, known: Layers, spec: ModelSpec) -> tuple[LoraLayer, ...]:
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
    fitting, misfits = [], []
    for name, parts in groups.items():
        layer = _fit(name, parts, known, stored, alphas)
        if layer is None:
            misfits.append(name)
        else:
            fitting.append(layer)
    if misfits or not fitting:
        first = f", and {excerpt(misfits[0], 100)} does not" if fitting else ""
        raise ModelError(
            f"The LoRA {excerpt(path, 200)} does not fit {excerpt(spec.name)}: {len(fitting)} of "
            f"{plural(len(groups), 'layer')} {'does' if len(fitting) == 1 else 'do'}{first}.",
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
    known: Layers,
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
    if (alpha := settings.get("lora_alpha")) is not None:
        yield component, _number(alpha, file)
    pattern = settings.get("alpha_pattern")
    for layer, alpha in pattern.items() if isinstance(pattern, dict) else ():
        yield f"{component}.{layer}", _number(alpha, file)


def _number(alpha: Any, file: Path) -> float:  # noqa: ANN401 - anybody's JSON
    is_number = isinstance(alpha, int | float) and not isinstance(alpha, bool)
    if is_number and abs(alpha) <= _MAX_ALPHA:
        return float(alpha)
    raise ModelError(
        f"{excerpt(file.name)} has an alpha that is not a number: {excerpt(alpha)}.",
        "The file is damaged. Download it again.",
    )


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
