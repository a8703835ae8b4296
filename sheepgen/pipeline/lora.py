"""LoRAs (https://arxiv.org/abs/2106.09685), added to a model's weights when it is loaded.

    W + scale * alpha / rank * up @ down

Nothing stays of the LoRA but the changed weights, so that generating takes no longer. A LoRA that
does not fit whole is an error: what is left out of it would be missing in the image, unsaid.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open

from sheepgen.errors import ModelError
from sheepgen.models.added.lora import find_lora
from sheepgen.pipeline.lora_file import match_lora
from sheepgen.pipeline.lora_names import known_layers
from sheepgen.pipeline.lora_networks import empty_networks
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor, nn

    from sheepgen.adapters import LoraReference
    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.lora_file import LoraLayer

__all__ = ["Originals", "add_loras", "check_loras", "restore"]

Originals = dict[tuple[str, str], "Tensor"]
"""Weights as they were before LoRAs changed them, on the CPU: by component and layer."""


def check_loras(spec: ModelSpec, references: Iterable[LoraReference]) -> None:
    """Check that all layers of LoRAs are layers of the model, without its weights.

    Raises:
        ModelError: If one is not, or a LoRA is of another kind.
    """
    references = tuple(references)
    if references:
        known = known_layers(empty_networks(spec))
        for reference in references:
            match_lora(reference.path, known, spec)


def add_loras(
    spec: ModelSpec,
    networks: Mapping[str, nn.Module],
    references: Iterable[LoraReference],
    *,
    keep: bool = False,
) -> Originals:
    """Change the weights of a loaded model.

    Sums are made at float32 and rounded once to the precision of the weights.

    Args:
        spec: The model.
        networks: Its components.
        references: LoRAs, in their order.
        keep: Whether the weights are kept as they are.

    Returns:
        What `restore` takes them from; empty if they are not kept.

    Raises:
        ModelError: As `check_loras`, or if a weight becomes infinite or no number.
    """
    references = tuple(references)
    known = known_layers(networks)
    changes: dict[tuple[str, str], list[tuple[Any, LoraLayer, float]]] = {}
    originals: Originals = {}
    with ExitStack() as opened:
        for reference in references:
            layers = match_lora(reference.path, known, spec)
            file = opened.enter_context(safe_open(find_lora(reference.path), framework="pt"))
            for layer in layers:
                change = file, layer, reference.scale
                changes.setdefault((layer.rows.component, layer.rows.layer), []).append(change)
        for (component, name), parts in changes.items():
            weight = _weight(networks, component, name)
            if keep:
                originals[component, name] = weight.detach().to("cpu", copy=True)
            with torch.no_grad():
                changed = weight.float()
                for file, layer, scale in parts:
                    first, size = layer.rows.first, layer.rows.size
                    changed[first : first + size] += _difference(file, layer, scale, weight)
                weight.copy_(changed)
            if not weight.isfinite().all():
                names = ", ".join(excerpt(reference.path, 200) for reference in references)
                raise ModelError(
                    f"Weights of the {component} are not finite with the LoRA {names}.",
                    "The file is damaged, or its scale too large for this --dtype.",
                )
    return originals


@torch.no_grad()
def restore(networks: Mapping[str, nn.Module], originals: Originals) -> None:
    """Give a model the weights again that it had before it was changed, bit for bit."""
    for (component, name), original in originals.items():
        _weight(networks, component, name).copy_(original)


def _weight(networks: Mapping[str, nn.Module], component: str, layer: str) -> nn.Parameter:
    weight = networks[component].get_submodule(layer).weight
    assert isinstance(weight, torch.nn.Parameter)
    return weight


def _difference(file: Any, layer: LoraLayer, scale: float, weight: Tensor) -> Tensor:  # noqa: ANN401
    """Return what is added to rows of a weight, float32 and of their shape."""
    up, down = (
        file.get_tensor(name).to(weight.device, torch.float32).flatten(1)
        for name in (layer.up, layer.down)
    )  # (out, rank), (rank, in * height * width)
    up = up[layer.first : layer.first + layer.rows.size]
    alpha = layer.default_alpha
    if layer.alpha is not None:
        alpha = float(file.get_tensor(layer.alpha))
    difference: Tensor = up @ down * (alpha / layer.rank * scale)
    return difference.reshape(layer.rows.size, *layer.rows.columns)
