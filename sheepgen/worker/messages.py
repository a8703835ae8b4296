"""What a command and its worker say to each other once they have shaken hands.

A message is a pickle. A command sends one of `Call`, `Load`, `BatchSize` and `Generate`, and reads
until `Returned` or `Raised`; what comes before that are events of `sheepgen.events`, and `Alive`
while there is nothing else to say.

Model files are described by a `sheepgen.models.checkpoint.Checkpoint`, which is equal only to
itself. It is sent with the state of the files, so that the worker has the same object for as long
as they do not change, and with it all that it has loaded from them.
"""

from __future__ import annotations

import copyreg
import io
import os
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sheepgen.models.checkpoint import Checkpoint
from sheepgen.models.families import family_of
from sheepgen.models.family import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from io import BufferedReader

    from sheepgen.adapters import Adapters
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions, FrameOptions
    from sheepgen.request import ModelReference
    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.shell_command import TypedCommand

__all__ = [
    "Alive",
    "BatchSize",
    "Call",
    "Checkpoints",
    "Generate",
    "Load",
    "Message",
    "Raised",
    "Returned",
    "read_answer",
    "read_message",
    "to_bytes",
]

_MAX_CHECKPOINTS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """Call a function that needs PyTorch, and answer with what it returns."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """Load a model; see `sheepgen.execution.engine.Engine.load_executor`."""

    specs: Mapping[ModelReference, ModelSpec]
    options: DeviceOptions
    frames: FrameOptions | None
    command: TypedCommand | None
    first: ModelReference
    adapters: Adapters
    images: Sequence[ResolvedRequest]


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchSize:
    """Answer how many images like this are generated together, after `Load`.

    Args:
        request: The image.
        specs: Its model.
    """

    request: ResolvedRequest
    specs: Mapping[ModelReference, ModelSpec]


@dataclass(frozen=True, kw_only=True, slots=True)
class Generate:
    """Generate these images together, after `Load`; events come before the answer.

    Args:
        batch: The images.
        specs: Their model.
    """

    batch: Sequence[ResolvedRequest]
    specs: Mapping[ModelReference, ModelSpec]


Message = Call | Load | BatchSize | Generate


@dataclass(frozen=True, kw_only=True, slots=True)
class Returned:
    """The answer."""

    value: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Raised:
    """What was raised instead."""

    error: Exception


@dataclass(frozen=True, kw_only=True, slots=True)
class Alive:
    """The worker is at work on it, or on what others asked for before."""


def to_bytes(message: object) -> bytes:
    """Return a message as it is sent."""
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(message)
    return buffer.getvalue()


def read_message(stream: BufferedReader, checkpoints: Checkpoints) -> Any:  # noqa: ANN401 - as it comes
    """Read what a command sends.

    Args:
        stream: From a process of the same user.
        checkpoints: Those that are known.

    Raises:
        OSError: If the other end is gone.
    """
    return _load(_Unpickler(stream, checkpoints))


def read_answer(stream: BufferedReader) -> Any:  # noqa: ANN401 - as it comes
    """Read what a worker sends, which has no checkpoints.

    Raises:
        OSError: If the other end is gone, or takes too long.
    """
    return _load(pickle.Unpickler(stream))  # noqa: S301 - from the same user's process


def _load(unpickler: pickle.Unpickler) -> Any:  # noqa: ANN401 - as it comes
    try:
        return unpickler.load()
    except (EOFError, pickle.UnpicklingError) as error:
        raise ConnectionResetError("the other end is gone") from error


class Checkpoints:
    """Checkpoints that were sent, by what they are and the state of their files."""

    def __init__(self) -> None:
        self._known: OrderedDict[object, Checkpoint] = OrderedDict()

    def get(self, state: object, pickled: bytes) -> Checkpoint:
        """Return the checkpoint that was sent with these before, or else this one."""
        key = state, pickled
        found = self._known.pop(key, None) or pickle.loads(pickled)  # noqa: S301 - as above
        self._known[key] = found
        if len(self._known) > _MAX_CHECKPOINTS:
            self._known.popitem(last=False)
        assert isinstance(found, Checkpoint)
        return found


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> object:
        if not isinstance(obj, Checkpoint):
            return None
        return tuple(sorted(_states(obj))), pickle.dumps(obj)


class _Unpickler(pickle.Unpickler):
    def __init__(self, stream: BufferedReader, checkpoints: Checkpoints) -> None:
        super().__init__(stream)
        self._checkpoints = checkpoints

    def persistent_load(self, pid: Any) -> Checkpoint:  # noqa: ANN401 - what was sent
        return self._checkpoints.get(*pid)


def _states(checkpoint: Checkpoint) -> Iterator[tuple[str | int, ...]]:
    """Yield the state of each file of a model, its links followed, as `Checkpoint` names it."""
    if checkpoint.prefixes:
        files = [checkpoint.path]
    else:
        folder = checkpoint.folder
        inside = (folder, *(folder / name for name in checkpoint.configs))
        files = [file for each in inside if each.is_dir() for file in each.iterdir()]
    if checkpoint.transformer is not None:
        files.append(checkpoint.transformer.path)
    for file in files:
        try:
            found = file.stat()
        except OSError:
            continue  # loading it says what is wrong
        path = os.path.abspath(file)  # noqa: PTH100 - links stay links
        yield path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _read_only(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(values)


def _family_named(class_name: str) -> Family:
    return family_of({"_class_name": class_name}, class_name)


copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))
copyreg.pickle(Family, lambda family: (_family_named, (family.class_names[0],)))
