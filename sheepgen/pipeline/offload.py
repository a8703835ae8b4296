"""Components of a model that are off its device while others work.

A model that is larger than a device's memory still runs there: its text encoders, which stay
together, its denoiser and its VAE work one after the other. Nothing that is computed changes. Hooks
see to it before a component runs, so that neither the loop nor a family knows of it.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from sheepgen.errors import UsageError
from sheepgen.pipeline.placement import CPU, Placement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch

    from sheepgen.options import Offload
    from sheepgen.pipeline.family import LoadedModel

__all__ = ["components_of", "has_group_offload", "offload_model"]

_WHOLE = ("vae", "vqvae")
"""Components that are not worth splitting into layers."""


def offload_model(model: LoadedModel, offload: Offload, device: torch.device) -> LoadedModel:
    """Return a model that works on a device, with its components on the CPU meanwhile.

    Args:
        model: On the CPU; it is not to be used any more.
        offload: ``model`` or ``group``.
        device: Where it works.

    Raises:
        UsageError: If a package is missing.
    """
    placement = Placement(device, offload)
    stages: dict[str, list[nn.Module]] = {}
    for name, network in components_of(model).items():
        stages.setdefault("text" if name.startswith("text_encoder") else name, []).append(network)
    for stage, networks in stages.items():
        in_layers = offload == "group" and stage not in _WHOLE
        enter = _entering(placement, [] if in_layers else networks)
        for network in networks:
            if in_layers:
                _split(network, device)
            # A VAE is never called itself, but its encoder and its decoder are.
            for part in (network, *network.children()):
                part.register_forward_pre_hook(enter, with_kwargs=True)
    return replace(model, device=device, placement=placement)  # type: ignore[type-var]


def components_of(model: LoadedModel) -> Mapping[str, nn.Module]:
    """Return the networks of a model by the names of their components."""
    found: dict[str, nn.Module] = {}
    for name, part in vars(model).items():
        network = part if isinstance(part, nn.Module) else getattr(part, "model", None)
        if isinstance(network, nn.Module):
            found[name] = network
    return found


def has_group_offload() -> bool:
    """Return whether what diffusers moves layers with is installed."""
    return find_spec("accelerate") is not None


def _split(network: nn.Module, device: torch.device) -> None:
    """Let each layer of a network be on the device only while it works, and be fetched ahead."""
    if not has_group_offload():
        raise UsageError(
            "--offload group needs accelerate, which is not installed.",
            "Install `sheepgen[offload]`, or use --offload model.",
        )
    from diffusers.hooks import apply_group_offloading

    apply_group_offloading(
        network,
        onload_device=device,
        offload_device=CPU,
        offload_type="leaf_level",
        use_stream=device.type == "cuda",
    )


def _entering(
    placement: Placement, networks: Sequence[nn.Module]
) -> Callable[[nn.Module, Any, Any], tuple[Any, Any]]:
    # A function and no method: copies of a network, as its VAE may need, share it.
    def enter(_: nn.Module, arguments: Any, named: Any) -> tuple[Any, Any]:  # noqa: ANN401
        placement.bring(networks)
        return _moved(arguments, placement.device), _moved(named, placement.device)

    return enter


def _moved(value: Any, device: torch.device) -> Any:  # noqa: ANN401 - whatever a network takes
    """Return a value with all tensors in it on a device; the same object if they are there."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, list | tuple):
        items = [_moved(item, device) for item in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        named = {key: _moved(item, device) for key, item in value.items()}
        return value if all(named[key] is value[key] for key in value) else named
    return value
