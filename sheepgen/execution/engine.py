"""Where images are computed, and what is asked of PyTorch before that: here, or in a worker.

Plans and executors know engines by this protocol alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sheepgen.adapters import Adapters
    from sheepgen.execution.executor import Executor
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions, FrameOptions
    from sheepgen.request import ModelReference
    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.shell_command import TypedCommand

__all__ = ["Engine", "LocalEngine"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Engine(Protocol):
    """Anything that has PyTorch."""

    def for_embedded_model(self) -> Engine:
        """Return one for a process that has no other work than the embedded model's images.

        To be asked before anything else; it may import less.
        """

    def call(self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what a function that needs PyTorch returns, and raise what it raises.

        Args:
            function: Of a module of sheepgen.
            args: Plain data, as what it returns.
            kwargs: Likewise.
        """

    def load_executor(
        self,
        specs: Mapping[ModelReference, ModelSpec],
        options: DeviceOptions,
        frames: FrameOptions | None,
        command: TypedCommand | None,
        *,
        first: ModelReference,
        adapters: Adapters,
        images: Sequence[ResolvedRequest],
    ) -> Executor:
        """Load a model, and return an executor for all of them.

        Args:
            specs: As requests name them.
            options: How they are computed.
            frames: Which frames are decoded; None for none.
            command: That was typed, for errors.
            first: The model that is loaded.
            adapters: What is added to it.
            images: For which it leaves room; without any, one of the model's own size.

        Raises:
            UsageError: If this machine has no such device, or it does not go with the dtype.
            ModelError: If the model is damaged, or what is added to it does not fit.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalEngine:
    """This process, which imports PyTorch when it is first needed.

    Args:
        embedded_only: Whether it never has other work than the embedded model's images, for which
            `sheepgen.pipeline.lean_import.import_diffusers_alone` is enough.
    """

    embedded_only: bool = False

    def for_embedded_model(self) -> LocalEngine:
        """See `Engine`."""
        return LocalEngine(embedded_only=True)

    def call(self, function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """See `Engine`."""
        if self.embedded_only:
            from sheepgen.pipeline.lean_import import import_diffusers_alone

            import_diffusers_alone()
        return function(*args, **kwargs)

    def load_executor(
        self,
        specs: Mapping[ModelReference, ModelSpec],
        options: DeviceOptions,
        frames: FrameOptions | None,
        command: TypedCommand | None,
        *,
        first: ModelReference,
        adapters: Adapters,
        images: Sequence[ResolvedRequest],
    ) -> Executor:
        """See `Engine`."""
        from sheepgen.execution.local import LocalExecutor

        executor = LocalExecutor(specs, options, frames, command)
        executor.load(first, adapters, images)
        return executor
