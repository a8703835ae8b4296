"""The models that a worker keeps, as far as there is memory for them: `KeptModels`."""

from __future__ import annotations

import gc
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from sheepgen.execution.device_memory import DeviceMemory
from sheepgen.execution.model_slot import ModelSlot
from sheepgen.models.added.hashes import added_hashes
from sheepgen.models.component_memory import total_bytes
from sheepgen.pipeline.device import free_memory, resolve_device

if TYPE_CHECKING:
    import torch

    from sheepgen.adapters import Adapters
    from sheepgen.execution.memory import RunMemory
    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions, Offload
    from sheepgen.pipeline.family import LoadedModel

__all__ = ["KeptModels"]


class _Key(NamedTuple):
    """What a model must have in common with one that is loaded, so that only LoRAs differ."""

    checkpoint: Checkpoint
    options: DeviceOptions
    offload: Offload
    device: torch.device


class _Kept(NamedTuple):
    slot: ModelSlot
    name: str
    weight_bytes: int
    adapters: Adapters
    hashes: dict[str, str | None]


class KeptModels:
    """Several models, each loaded once; if the next would not fit, the one used longest ago goes.

    A model is the same if its files are, which the checkpoint stands for, and so are the hashes of
    what is added to it. It is loaded as for a process of its own: as if all memory that the others
    take were free.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the models, the one that was used last at the end."""
        return tuple(kept.name for kept in tuple(self._kept.values()))

    def memory(self, options: DeviceOptions) -> DeviceMemory:
        """See `sheepgen.execution.model_slot.Models`."""
        device = resolve_device(options.device)
        kept = (each.weight_bytes for key, each in self._kept.items() if key.device == device)
        return DeviceMemory(options, kept_bytes=sum(kept))

    def load(
        self, spec: ModelSpec, adapters: Adapters, options: DeviceOptions, needed: RunMemory
    ) -> LoadedModel:
        """See `sheepgen.execution.model_slot.Models`."""
        device = resolve_device(options.device)
        alike = replace(options, device=str(device), batch_size=1, offload=None)
        key = _Key(spec.checkpoint, alike, needed.offload, device)
        hashes = added_hashes(adapters, spec.checkpoint, {})
        known = self._kept.pop(key, None)
        if known and known.adapters == adapters and known.hashes != hashes:
            known = None  # a file with the same name is another one now
        taken = known.weight_bytes if known else 0
        self._make_room(device, needed.needed_bytes - taken)
        kept = _Kept(
            known.slot if known else ModelSlot(),
            spec.name,
            total_bytes(needed.plan.components),
            adapters,
            hashes,
        )
        loaded = kept.slot.load(spec, adapters, options, needed)
        self._kept[key] = kept
        return loaded

    def unload_others(self) -> bool:
        """Unload all models but the one used last; return whether there were others."""
        found = len(self._kept) > 1
        while len(self._kept) > 1:
            self._kept.popitem(last=False)
        gc.collect()
        return found

    def _make_room(self, device: torch.device, needed: int) -> None:
        while (oldest := next((key for key in self._kept if key.device == device), None)) and (
            (free := free_memory(device)) is None or free < needed
        ):
            del self._kept[oldest]
            gc.collect()
