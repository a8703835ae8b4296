"""No step reads what the device computes, and NaN is found all the same.

PyTorch's ``meta`` device has shapes and no numbers: whatever a step would have to wait for on a
graphics card, to read a number or to copy it, is an error there. Copies the other way, which wait
too, are counted.
"""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass, replace
from itertools import count, pairwise, repeat
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sheepgen.errors import NonFiniteError
from sheepgen.pipeline.denoise import DenoiseStep, Start, StepSettings, take_steps
from sheepgen.pipeline.finite import finite_steps
from sheepgen.pipeline.guidance import Guidance
from sheepgen.pipeline.loading import load_model
from sheepgen.pipeline.offload import components_of
from sheepgen.pipeline.scheduler import arguments_for
from sheepgen.request import GenerationRequest
from sheepgen.schedulers import FLOW_SCHEDULERS, SCHEDULERS
from tests.models.test_memory import TINY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

META = torch.device("meta")
REQUEST = GenerationRequest(
    prompt="a sheep", seed=1, num_inference_steps=4, guidance_scale=3.0, width=48, height=32
)


class CopiesToDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts tensors that are copied from the CPU to the device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.device == META:
            given = [each for each in tree_leaves(args) if isinstance(each, Tensor)]
            read = given[1:] if func is torch.ops.aten.copy_.default else given
            self.count += bool(read) and all(each.device != META for each in read)
        return made


def on_meta(value: Any) -> Any:
    """Return a value with all tensors in it on the device that has no numbers."""
    if isinstance(value, Tensor):
        return value.to(META)
    if is_dataclass(value) and not isinstance(value, type):
        names = (each.name for each in fields(value) if each.init)
        return replace(value, **{name: on_meta(getattr(value, name)) for name in names})
    if isinstance(value, dict):
        return {key: on_meta(each) for key, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(on_meta, value))
    return type(value)(map(on_meta, value)) if isinstance(value, list | tuple) else value


def moved(folder: Path) -> tuple[Any, Any]:
    """Return a model where nothing can be read, and what it makes of the prompt."""
    model: Any = load_model(str(folder), device="cpu")
    conditioning = on_meta(model.encode([model.spec.resolve(REQUEST)]))
    for network in components_of(model).values():
        network.to(META)
    return replace(model, device=META), conditioning


def copies_of_steps(model: Any, conditioning: Any, name: str | None = None) -> list[int]:
    """Take all steps of a scheduler; return how many tensors are copied at each but the first."""
    request = model.spec.resolve(replace(REQUEST, scheduler=name))
    generators = [torch.Generator().manual_seed(1)]
    noise = model.draw_noise(request.width, request.height, generators[0]).to(META)
    scheduler = model.build_scheduler(request)
    settings = StepSettings(
        conditioning=conditioning,
        guidance=Guidance(scale=request.guidance_scale, rescale=0.5),
        arguments=arguments_for(request, generators),
    )
    start = Start(latents=model.process.initial_latents(scheduler, noise))
    counts = []
    with CopiesToDevice() as copies:
        for step in take_steps(model, scheduler, start, repeat(settings)):
            assert step.latents.device == META
            counts.append(copies.count)
    return [after - before for before, after in pairwise(counts)]


@pytest.mark.parametrize("family", sorted(TINY.keys() - {"lumina 2"}))
def test_no_step_of_a_family_waits(family: str, tmp_path: Path) -> None:
    # Lumina 2's transformer reads how long each prompt is, in diffusers' own code.
    copies = copies_of_steps(*moved(TINY[family](tmp_path)))
    # Chroma's makes a number on the CPU, likewise, and it runs twice a step.
    assert copies == [2 if family == "chroma" else 0] * 3


@pytest.mark.parametrize(
    ("family", "names"),
    [("stable diffusion", SCHEDULERS), ("stable diffusion 3", FLOW_SCHEDULERS)],
)
def test_no_step_of_a_scheduler_waits(family: str, names: Iterable[str], tmp_path: Path) -> None:
    model, conditioning = moved(TINY[family](tmp_path))
    for name in names:
        copies = copies_of_steps(model, conditioning, name)
        # Noise is drawn on the CPU, and there UniPC computes what it weighs its steps with.
        if not (SCHEDULERS[name].takes_generator or name == "unipc"):
            assert not any(copies), name


def queued(values: Sequence[float], log: list[str]) -> Iterator[DenoiseStep]:
    """Yield steps whose latents are these numbers, and say when each is queued."""
    for number, value in enumerate(values, 1):
        log.append(f"queue {number}")
        latents = torch.full((1, 1, 1, 1), value)
        yield DenoiseStep(
            index=number - 1,
            timestep=0.0,
            model_input=latents,
            alpha=1.0,
            sigma=0.0,
            pred_original_sample=latents,
            latents=latents,
        )


def late(log: list[str]) -> Callable[[Tensor], tuple[int, Callable[[], bool]]]:
    """Return a card of which the answer for each step is read a step later."""
    asked = count(1)

    def check(latents: Tensor) -> tuple[int, Callable[[], bool]]:
        number = next(asked)

        def read() -> bool:
            log.append(f"read {number}")
            return bool(latents.isfinite().all())

        return 1, read

    return check


def passed_on(values: Sequence[float], log: list[str]) -> None:
    """Let steps through that a card computes, and say when each is."""
    steps = finite_steps(queued(values, log), len(values), check=late(log))
    log.extend(f"step {step.index + 1}" for step in steps)


def test_a_card_has_the_next_step_before_the_last_is_looked_at() -> None:
    log: list[str] = []
    passed_on([1, 2, 3], log)
    assert log == [
        *("queue 1", "queue 2", "read 1", "step 1"),
        *("queue 3", "read 2", "step 2"),
        *("read 3", "step 3"),
    ]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_an_answer_that_comes_late_names_its_own_step(at: int) -> None:
    log: list[str] = []
    with pytest.raises(NonFiniteError, match=f"after step {at} of 3"):
        passed_on([math.nan if number == at else 1.0 for number in (1, 2, 3)], log)
    assert log[-1] == f"read {at}"
    assert [line for line in log if "step" in line] == [f"step {each}" for each in range(1, at)]


def test_the_cpu_answers_at_once() -> None:
    log: list[str] = []
    with pytest.raises(NonFiniteError, match="after step 2 of 3"):
        list(finite_steps(queued([1, math.inf, 1], log), 3))
    assert log == ["queue 1", "queue 2"]
