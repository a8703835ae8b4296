"""Loaded models, kept to be used again, and turned into the next one at the least cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from sheepgen.execution.device_memory import DeviceMemory
from sheepgen.options import OFFLOADS, split_dtype
from sheepgen.pipeline.loading import load_model

if TYPE_CHECKING:
    from sheepgen.adapters import Adapters
    from sheepgen.execution.memory import RunMemory
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions, Offload
    from sheepgen.pipeline.family import LoadedModel
    from sheepgen.pipeline.lora import Originals

__all__ = ["ModelSlot", "Models"]


class Models(Protocol):
    """What loads models for an executor, and keeps some of them."""

    def memory(self, options: DeviceOptions) -> DeviceMemory:
        """Return the memory of a device as it would be without the models that are kept."""

    def load(
        self, spec: ModelSpec, adapters: Adapters, options: DeviceOptions, needed: RunMemory
    ) -> LoadedModel:
        """Return a loaded model with what is added to it; others may be unloaded for it.

        Args:
            spec: The model.
            adapters: What is added to it.
            options: How it is computed.
            needed: What it will take, and what of it is off the device while it does not work.

        Raises:
            UsageError: If this machine has no such device, or it does not go with the dtype.
            ModelError: If the model is damaged, or what is added to it does not fit.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class _Loaded:
    """The model that is loaded.

    Args:
        spec: As it was asked for.
        model: With what is added to it.
        originals: What its LoRAs have changed, as it was; None if that was not kept. It takes as
            much memory as what they change, so it is kept once they are known to vary.
        offload: What of it is off the device while it does not work.
    """

    spec: ModelSpec
    model: LoadedModel
    originals: Originals | None
    offload: Offload

    def is_but_for_loras(self, spec: ModelSpec, adapters: Adapters) -> bool:
        """Return whether it is this model with this added to it, apart from the LoRAs."""
        own = self.model.spec.adapters
        return self.spec == spec and replace(own, lora=adapters.lora) == adapters

    def has_room(self, offload: Offload) -> bool:
        """Return whether it leaves as much memory on the device as it would if loaded like this."""
        return OFFLOADS.index(self.offload) >= OFFLOADS.index(offload)


class ModelSlot:
    """Room for one model, which stays loaded until another one is asked for.

    Where only LoRAs differ, a model is loaded twice at most, and then only what they change is
    changed. All models of a slot are computed alike.
    """

    def __init__(self) -> None:
        self._loaded: _Loaded | None = None

    def memory(self, options: DeviceOptions) -> DeviceMemory:
        """See `Models`; nothing is loaded yet when this is called."""
        return DeviceMemory(options)

    def load(
        self, spec: ModelSpec, adapters: Adapters, options: DeviceOptions, needed: RunMemory
    ) -> LoadedModel:
        """See `Models`."""
        loaded, self._loaded = self._loaded, None  # one that is half changed is not used again
        offload = needed.offload
        if loaded is not None and loaded.has_room(offload):
            offload = loaded.offload
        else:
            loaded = None
        if loaded is None or not loaded.is_but_for_loras(spec, adapters):
            loaded = None  # before the next one comes: there may not be room for two
            loaded = _load(spec, adapters, options, offload)
        elif loaded.model.spec.adapters != adapters and split_dtype(options.dtype)[0]:
            loaded = None  # of 8 bits nothing is left to add to
            loaded = _load(spec, adapters, options, offload)
        elif loaded.model.spec.adapters != adapters:
            if loaded.originals is None:
                loaded = None
                loaded = _load(spec, replace(adapters, lora=""), options, offload)
            assert loaded.originals is not None
            from sheepgen.pipeline.adapters import change_loras

            changed = change_loras(loaded.model, loaded.originals, adapters.lora)
            loaded = replace(loaded, model=changed[0], originals=changed[1])
        self._loaded = loaded
        return loaded.model


def _load(spec: ModelSpec, adapters: Adapters, options: DeviceOptions, offload: Offload) -> _Loaded:
    model = load_model(
        spec,
        device=options.device,
        dtype=options.dtype,
        adapters=adapters,
        offload=offload,
        attention_backend=options.attention_backend,
        cache=options.cache,
        compiled=options.compiled,
    )
    originals: Originals | None = None if adapters.lora else {}
    return _Loaded(spec=spec, model=model, originals=originals, offload=offload)
