"""Components of a model that are off its device while others work.

A model that is larger than a device's memory still runs there: its text encoders, which stay
together, its denoisers and its VAE work one after the other. Nothing that is computed changes.
Hooks see to it before a component runs, so that neither the loop nor a family knows of it;
diffusers' own loops have diffusers' own hooks.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from torch import Tensor, nn

from sheepgen.errors import UsageError
from sheepgen.pipeline.placement import CPU, Placement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import torch
    from diffusers import DiffusionPipeline

    from sheepgen.options import Offload
    from sheepgen.pipeline.family import LoadedModel

__all__ = ["components_of", "has_group_offload", "move_model", "offload_model"]

_M = TypeVar("_M")

_AUTOENCODERS = ("vae", "vqvae")
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
    from diffusers import DiffusionPipeline
    from transformers import PreTrainedModel

    placement = Placement(device, offload)
    pipeline = getattr(model, "pipeline", None)
    if isinstance(pipeline, DiffusionPipeline):
        _offload_pipeline(pipeline, offload, device)
        return _on_device(model, device, placement=placement)
    stages: dict[str, list[nn.Module]] = {}
    for name, network in components_of(model).items():
        is_text_encoder = isinstance(network, PreTrainedModel)
        stages.setdefault("text" if is_text_encoder else name, []).append(network)
    for stage, networks in stages.items():
        in_layers = offload == "group" and stage not in _AUTOENCODERS
        enter = _entering(placement, [] if in_layers else networks)
        for network in networks:
            if in_layers:
                _split(network, device)
            # A VAE is never called itself, but its encoder and its decoder are.
            for part in (network, *network.children()):
                part.register_forward_pre_hook(enter, with_kwargs=True)
    return _on_device(model, device, placement=placement)


def move_model(model: LoadedModel, device: torch.device) -> LoadedModel:
    """Return a model with all its components on a device.

    Args:
        model: On the CPU; it is not to be used any more.
        device: Where it goes.
    """
    for network in components_of(model).values():
        network.to(device)
    return _on_device(model, device)


def components_of(model: LoadedModel) -> Mapping[str, nn.Module]:
    """Return the networks of a model, each once, by the names of their components.

    Those of its parts have the part's name in front. In diffusers' loop they are the pipeline's.
    """
    pipeline = getattr(model, "pipeline", None)
    if pipeline is None:
        return _networks(model)
    components = pipeline.components
    return {name: each for name, each in components.items() if isinstance(each, nn.Module)}


def _networks(model: object) -> dict[str, nn.Module]:
    found: dict[str, nn.Module] = {}
    for name, part in _parts(model).items():
        inner = {"": part} if isinstance(part, nn.Module) else {}
        if is_dataclass(part):
            inner = {"" if key == "model" else key: each for key, each in _networks(part).items()}
        for key, network in inner.items():
            if not any(network is each for each in found.values()):
                found["_".join(filter(None, (name, key)))] = network
    return found


def _parts(model: object) -> dict[str, Any]:
    if not is_dataclass(model):
        return vars(model)
    return {each.name: getattr(model, each.name) for each in fields(model)}


def _on_device(model: _M, device: torch.device, **changes: object) -> _M:
    """Return a model that knows of its device, with its parts that do."""
    for name, part in _parts(model).items():
        if is_dataclass(part) and hasattr(part, "device"):
            changes[name] = _on_device(part, device)
    return replace(model, device=device, **changes)  # type: ignore[type-var]


def has_group_offload() -> bool:
    """Return whether what diffusers moves layers with is installed."""
    return find_spec("accelerate") is not None


def _offload_pipeline(pipeline: DiffusionPipeline, offload: Offload, device: torch.device) -> None:
    """Let a pipeline of diffusers keep its components off a device in diffusers' own way."""
    if offload == "model":
        _require_accelerate(offload)
        pipeline.enable_model_cpu_offload(device=device)
        return
    for component in pipeline.components.values():
        if isinstance(component, nn.Module):
            _split(component, device)


def _require_accelerate(offload: Offload) -> None:
    if not has_group_offload():
        raise UsageError(
            f"--offload {offload} needs accelerate, which is not installed.",
            "Install `sheepgen[offload]`, or choose another --offload.",
        )


def _split(network: nn.Module, device: torch.device) -> None:
    """Let each layer of a network be on the device only while it works, and be fetched ahead."""
    _require_accelerate("group")
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
