"""Which components of a model are on its device, and which wait on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from sheepgen.options import Offload

__all__ = ["CPU", "Placement"]

CPU = torch.device("cpu")


class Placement:
    """Keeps what works on a device, and all else on the CPU.

    Args:
        device: Where components work.
        offload: How they are kept off it.
    """

    def __init__(self, device: torch.device, offload: Offload) -> None:
        self.device = device
        self.offload = offload
        self._there: Sequence[nn.Module] = ()

    def bring(self, networks: Sequence[nn.Module]) -> None:
        """Move components to the device, after those that are there were moved back.

        Args:
            networks: Those that work together; none, to have the device empty.
        """
        if networks is self._there:
            return
        for network in self._there:
            network.to(CPU)
        _release(self.device)
        self._there = networks
        for network in networks:
            network.to(self.device)


def _release(device: torch.device) -> None:
    """Give memory back that is free: what comes next is cut into other pieces."""
    backend: Any = getattr(torch, device.type, None)
    if hasattr(backend, "empty_cache"):
        backend.empty_cache()
