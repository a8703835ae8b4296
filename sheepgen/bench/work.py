"""What is measured, as data: pieces of work, and who does each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Beside", "Contender", "Curve", "Metric", "ModelName", "Work"]

ModelName = Literal["sd15", "sdxl", "flow"]
"""Models with random weights, of `sheepgen.bench.geometries`."""

Metric = Literal["process", "step", "image", "load"]
"""What is timed: the whole process; the median step after the first; the picture without loading,
or the mean of them; loading alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Beside:
    """A process that runs beside a contender.

    Args:
        arguments: Of Python.
        ready: Arguments of a process that succeeds once the first one is ready; none if it is at
            once.
        first: Arguments of a process that runs then, before any that is measured.
        stop: Arguments of a process that ends it; none if it is killed.
    """

    arguments: tuple[str, ...]
    ready: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """Who does a piece of work.

    Args:
        name: Unique in the work.
        arguments: Of Python. ``{out}`` is an empty folder, ``{model}`` the work's model,
            ``{embedded}`` the installed one, ``{scenes}`` what is read out of the prompt for it,
            ``{steps}`` the number of steps.
        metric: What is timed.
        against: Whom the ratio refers to; nobody if empty.
        packages: What it needs besides sheepgen's own dependencies.
        memory: Bytes that it needs; it is left out if so much is not free.
        stands_for: How many runs each run stands for; the time is multiplied by it.
        beside: What runs meanwhile.
        exit_code: With which it ends.
    """

    name: str
    arguments: tuple[str, ...]
    metric: Metric = "process"
    against: str = ""
    packages: tuple[str, ...] = ()
    memory: int = 0
    stands_for: int = 1
    beside: Beside | None = None
    exit_code: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """How a time grows: a line in one panel of a plot.

    Args:
        axis: What grows; a panel has all curves of one axis.
        label: Of the line: what is timed.
        points: Each value on the axis, and the contender that has it.
        is_shared: Whether as many pictures as the value says share the time.
    """

    axis: str
    label: str
    points: tuple[tuple[int, str], ...]
    is_shared: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """A piece of work.

    Args:
        name: As it is typed.
        about: What is measured, in a line.
        minutes: How long five runs of all take on two cores, about.
        contenders: Who does it.
        model: What they load, if it is to be made first.
        steps: How many steps a picture takes.
        takes_steps: Whether another number may be asked for.
        reference: Whose picture the others' are compared with; none if empty.
        has_roofline: Whether a step of the model is set against the machine's peak.
        curves: What a plot shows of it.
    """

    name: str
    about: str
    minutes: float
    contenders: tuple[Contender, ...]
    model: ModelName | None = None
    steps: int = 0
    takes_steps: bool = False
    reference: str = ""
    has_roofline: bool = False
    curves: tuple[Curve, ...] = ()
