"""What to do about images that ran out of memory: the command that fits, or what is lacking."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from sheepgen.caches import NO_CACHE
from sheepgen.errors import SheepgenError, UsageError, as_sheepgen_error
from sheepgen.execution.device_memory import plan_at
from sheepgen.models.memory import RESERVE
from sheepgen.options import NATIVE_ATTENTION, split_dtype
from sheepgen.sanitize import byte_size
from sheepgen.shell_command import to_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sheepgen.execution.device_memory import DeviceMemory
    from sheepgen.models.spec import ModelSpec
    from sheepgen.options import DeviceOptions
    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.shell_command import TypedCommand

__all__ = ["explain_out_of_memory"]

_DIVISORS = (1, 4 / 3, 2, 4)
"""By what the sides of an image are divided to look for a size that fits."""


class _Attempt(NamedTuple):
    """Options of the command line that are other than what was tried, and what they would need."""

    options: Mapping[str, str]
    needed: int


def explain_out_of_memory(
    error: Exception,
    memory: DeviceMemory,
    spec: ModelSpec,
    images: Sequence[ResolvedRequest],
    command: TypedCommand | None = None,
) -> SheepgenError:
    """Return the error for images that ran out of memory, with the command that would fit.

    Args:
        error: What was raised.
        memory: Of the device.
        spec: The model.
        images: That were generated together, at least one.
        command: That was typed; else, and where it is for images of several sizes, it is the one
            that generates the first of these images alone.
    """
    said = as_sheepgen_error(error)
    first = images[0]
    spec = replace(spec, adapters=first.adapters)
    tried = memory.plan(spec, images)
    limit = tried.needed_bytes
    if memory.free_bytes is not None:
        limit = min(limit, memory.free_bytes - RESERVE + 1)
    least: _Attempt | None = None
    for attempt in _attempts(memory, spec, images):
        if attempt.needed < limit:
            shown = _command(attempt.options, first, memory.options, command)
            return _explained(error, said.message, f"This should fit:\n{shown}")
        if least is None or attempt.needed < least.needed:
            least = attempt
    hint = "No other options are known to take less."
    if least is not None and memory.free_bytes is not None:
        lacking = byte_size(least.needed + RESERVE - memory.free_bytes)
        options = " ".join(word for option in least.options.items() for word in option)
        hint = f"Nothing fits: even with {options} it would take about {lacking} more than is free."
    return _explained(error, said.message, hint)


def _explained(error: Exception, message: str, hint: str) -> SheepgenError:
    explained = SheepgenError(message, hint)
    explained.__cause__ = error
    return explained


def _attempts(
    memory: DeviceMemory, spec: ModelSpec, images: Sequence[ResolvedRequest]
) -> Iterator[_Attempt]:
    """Yield what else could be tried, the least change of the image first."""
    first, options, tried = images[0], memory.options, memory.plan(spec, images)
    is_tiled = options.tiled_decoding is not False  # at the latest when they turn out too large
    for divisor in _DIVISORS:
        width, height = _nearest((first.width, first.height), divisor, spec.size_multiple)
        larger = first.final_size[0] / first.width if not first.upscaler else 1
        size = round(width * larger), round(height * larger)
        for tiled in dict.fromkeys((is_tiled, True)):
            for dtype in _dtypes(memory):
                with suppress(UsageError):  # fp8 is not for every model
                    needed = plan_at(
                        *(spec, size, dtype, memory.device),
                        images=len(images),
                        guided=first.guidance_scale > 1,
                        tiled=tiled,
                    ).needed
                    for offload in memory.ways(spec):
                        changed = {
                            "--size": f"{width}x{height}" if divisor > 1 else "",
                            "--dtype": dtype if dtype != options.dtype else "",
                            "--vae-tiling": "on" if tiled and not is_tiled else "",
                            "--offload": offload if offload != tried.offload else "",
                        }
                        if found := {name: word for name, word in changed.items() if word}:
                            yield _Attempt(found, needed[offload])


def _dtypes(memory: DeviceMemory) -> tuple[str, ...]:
    """Return the precision that was tried, and those that take less."""
    asked = memory.options.dtype
    if split_dtype(asked)[0]:
        return (asked,)
    is_full = asked == "fp32" or (asked == "auto" and memory.device.type == "cpu")
    halves = ("bf16",) if is_full else ()
    if memory.options.compiled:
        return asked, *halves
    return (
        asked,
        *halves,
        "fp8" if asked == "auto" and not is_full else f"fp8+{[asked, *halves][-1]}",
    )


def _command(
    changed: Mapping[str, str],
    request: ResolvedRequest,
    options: DeviceOptions,
    command: TypedCommand | None,
) -> str:
    """Return the command that was typed with other options, or the one for a single image."""
    if command is not None and command.can_change(changed):
        return command.changed(changed)
    own = {
        "--device": options.device if options.device != "auto" else "",
        "--dtype": options.dtype if options.dtype != "auto" else "",
        "--offload": options.offload or "",
        "--vae-tiling": {None: "", True: "on", False: "off"}[options.tiled_decoding],
        "--attention-backend": (
            options.attention_backend if options.attention_backend != NATIVE_ATTENTION else ""
        ),
        "--cache": options.cache if options.cache != NO_CACHE else "",
    }
    more = {**own, **{name: word for name, word in changed.items() if name != "--size"}}
    if "--size" in changed:
        width, height = map(int, changed["--size"].split("x"))
        request = replace(request, width=width, height=height)
    return to_command(request, options={name: word for name, word in more.items() if word})


def _nearest(size: tuple[int, int], divisor: float, multiple: int) -> tuple[int, int]:
    """Return a size whose sides are shorter, and multiples of what the model takes."""
    width, height = (max(multiple, int(side / divisor) // multiple * multiple) for side in size)
    return width, height
