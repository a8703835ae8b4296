"""The table of all work; `sheepgen bench --list` prints it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sheepgen.bench.work import Beside, Contender, Curve, Work

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sheepgen.bench.work import Metric

__all__ = ["CHEAP", "PROMPT", "SCENES", "WORKS"]

PROMPT = "a sheep riding a motorcycle"

SCENES = 50
"""How many seeds of the prompt scripts get."""

_GB = 1_000_000_000
_PEERS = "sheepgen.bench.peers"
_PICTURE = "{out}/image.png"
_QUIET = ("--frames", "none", "--offline", "--progress-json")
_NOWHERE = ("-m", "sheepgen", PROMPT, "--seed", "1", *_QUIET)
_SHEEPGEN = (*_NOWHERE, "-o", _PICTURE)
_SCRIPT = ("-m", f"{_PEERS}.diffusers_embedded", "{embedded}", "{scenes}", _PICTURE, "1")
_BUSY = Beside(arguments=("-c", "while True: pass"))
_WORKER = Beside(
    arguments=("-m", "sheepgen", "serve"),
    ready=("-m", "sheepgen", "serve", "--status"),
    first=(*_NOWHERE, "-o", "first.png"),  # which has the model loaded
    stop=("-m", "sheepgen", "serve", "--stop"),
)


def _picture(metric: Metric, gigabytes: float, *, openvino: bool) -> tuple[Contender, ...]:
    """Return who draws with a model of real size; memory is that of bfloat16.

    Args:
        metric: What is timed.
        gigabytes: Of the weights at bfloat16, and what a step takes.
        openvino: Whether the networks are converted for OpenVINO, which takes float32.
    """
    drawing = ("{model}", PROMPT, _PICTURE, "{steps}")
    ours = (*_SHEEPGEN[1:], "--model", "{model}", "--steps", "{steps}")
    default = "diffusers, default"

    def row(name: str, memory: float, *arguments: str, packages: tuple[str, ...] = ()) -> Contender:
        return Contender(
            name=name,
            arguments=("-m", *arguments),
            metric=metric,
            against="" if name == default else default,
            packages=packages,
            memory=round(memory * gigabytes * _GB),
        )

    found = [
        row("sheepgen", 1, *ours),
        row("sheepgen, fp32", 2, *ours, "--dtype", "fp32"),
        row(default, 2, f"{_PEERS}.diffusers_default", *drawing),
        row("diffusers, bf16", 1, f"{_PEERS}.diffusers_tuned", *drawing),
    ]
    if openvino:
        script = (f"{_PEERS}.openvino_pipeline", *drawing)
        found += [
            row(f"OpenVINO, {precision}", 2, *script, precision, packages=("openvino",))
            for precision in ("f32", "bf16")
        ]
    return tuple(found)


def _instant(name: str, *words: str, exit_code: int = 0) -> Contender:
    arguments = ("-m", "sheepgen", *words)
    return Contender(name=name, arguments=arguments, against="python -c pass", exit_code=exit_code)


def _growing(
    axis: str, label: str, values: Sequence[int], metric: Metric, *words: str, shared: bool = False
) -> tuple[Curve, tuple[Contender, ...]]:
    """Return a curve and who is on it: sheepgen with each value in place of ``#`` in words."""
    contenders = tuple(
        Contender(
            name=f"{label}, {axis} {value}",
            arguments=(*_NOWHERE, *(word.replace("#", str(value)) for word in words)),
            metric=metric,
        )
        for value in values
    )
    points = tuple(zip(values, (each.name for each in contenders), strict=True))
    return Curve(axis=axis, label=label, points=points, is_shared=shared), contenders


_EACH = ("-o", "{out}/")
_SIZE = ("--size", "#x#", "-o", _PICTURE)
_CURVES = (
    _growing("pixels a side", "installed model, a picture", (256, 512, 768, 1024), "image", *_SIZE),
    _growing(
        "pixels a side",
        "Stable Diffusion 1.5, a step",
        (256, 512, 768, 1024),
        "step",
        *("--model", "{model}", "--steps", "2", *_SIZE),
    ),
    _growing(
        "pictures a batch",
        "installed model, a picture",
        (1, 2, 4, 8),
        "image",
        *("--count", "#", "--batch-size", "#", *_EACH),
        shared=True,
    ),
    _growing(
        "pictures a run",
        "installed model, the run",
        (10, 50, 100, 200),
        "process",
        *("--count", "#", *_EACH),
    ),
)

_WORKS = (
    Work(
        name="cold",
        about="One picture of the installed model, from Enter to the prompt.",
        minutes=2,
        contenders=(
            Contender(name="sheepgen", arguments=_SHEEPGEN, against="diffusers script"),
            Contender(name="diffusers script", arguments=_SCRIPT),
        ),
        reference="diffusers script",
    ),
    Work(
        name="warm",
        about="The same, again, while `sheepgen serve` runs.",
        minutes=2,
        contenders=(
            Contender(
                name="sheepgen, served",
                arguments=_SHEEPGEN,
                against="diffusers script",
                beside=_WORKER,
            ),
            Contender(name="diffusers script", arguments=_SCRIPT),
        ),
        reference="diffusers script",
    ),
    Work(
        name="busy",
        about="One picture, without loading, beside a process that keeps one processor busy.",
        minutes=4,
        contenders=(
            Contender(name="sheepgen, idle", arguments=_SHEEPGEN, metric="image"),
            Contender(
                name="sheepgen, busy",
                arguments=_SHEEPGEN,
                metric="image",
                against="sheepgen, idle",
                beside=_BUSY,
            ),
            Contender(name="diffusers, idle", arguments=_SCRIPT, metric="image"),
            Contender(
                name="diffusers, busy",
                arguments=_SCRIPT,
                metric="image",
                against="diffusers, idle",
                beside=_BUSY,
            ),
        ),
    ),
    Work(
        name="frames",
        about="The steps that are saved by default, against saving none.",
        minutes=2,
        contenders=(
            Contender(
                name="sheepgen, frames",
                arguments=("-m", "sheepgen", PROMPT, "--seed", "1", "--offline", "-o", _PICTURE),
                against="sheepgen, no frames",
            ),
            Contender(name="sheepgen, no frames", arguments=_SHEEPGEN),
        ),
        reference="sheepgen, no frames",
    ),
    Work(
        name="instant",
        about="What answers without a model, against Python itself.",
        minutes=0.3,
        contenders=(
            _instant("sheepgen --help", "--help"),
            _instant("sheepgen models info", "models", "info", "sheepgen"),
            _instant("sheepgen show", "show", "{picture}"),
            _instant("a usage error", PROMPT, "--steps", "0", exit_code=2),
            Contender(name="python -c pass", arguments=("-c", "pass")),
        ),
    ),
    Work(
        name="sweep",
        about="50 seeds of the installed model.",
        minutes=15,
        contenders=(
            Contender(
                name="sheepgen sweep",
                arguments=(
                    *("-m", "sheepgen", "sweep", PROMPT, "--seeds", "1-50"),
                    *("--frames", "none", "--offline", "-o", "{out}/sweep"),
                ),
                against="diffusers, one process",
            ),
            Contender(
                name="diffusers, one process",
                arguments=(*_SCRIPT[:-2], "{out}", *map(str, range(1, SCENES + 1))),
            ),
            Contender(
                name="diffusers script, 50 x one run",
                arguments=_SCRIPT,
                against="diffusers, one process",
                stands_for=50,
            ),
        ),
    ),
    Work(
        name="step-sd15",
        about="One guided step, Stable Diffusion 1.5's geometry at 512x512.",
        minutes=30,
        contenders=_picture("step", 4, openvino=True),
        model="sd15",
        steps=3,
        reference="diffusers, default",
        has_roofline=True,
    ),
    Work(
        name="image-sd15",
        about="Whole processes: loading, 4 steps (--steps) and decoding, the same geometry.",
        minutes=35,
        contenders=_picture("process", 4, openvino=True),
        model="sd15",
        steps=4,
        takes_steps=True,
        reference="diffusers, default",
    ),
    Work(
        name="load-sd15",
        about="Loading that model at float32 until every weight has been read, without imports.",
        minutes=3,
        contenders=(
            Contender(
                name="sheepgen",
                arguments=("-m", f"{_PEERS}.sheepgen_load", "{model}"),
                metric="load",
                against="diffusers from_pretrained",
                memory=6 * _GB,
            ),
            Contender(
                name="diffusers from_pretrained",
                arguments=("-m", f"{_PEERS}.diffusers_load", "{model}"),
                metric="load",
                memory=6 * _GB,
            ),
        ),
        model="sd15",
    ),
    Work(
        name="step-sdxl",
        about="One guided step, Stable Diffusion XL's geometry at 1024x1024.",
        minutes=60,
        contenders=_picture("step", 9, openvino=False),
        model="sdxl",
        steps=3,
        reference="diffusers, default",
        has_roofline=True,
    ),
    Work(
        name="flow-block",
        about="One step of three blocks of a flow transformer, FLUX.1's width at 512x512.",
        minutes=10,
        contenders=_picture("step", 3, openvino=False),
        model="flow",
        steps=3,
        reference="diffusers, default",
        has_roofline=True,
    ),
    Work(
        name="cost",
        about="How time grows with size, batch and count; --plot draws it.",
        minutes=90,
        contenders=tuple(each for _, contenders in _CURVES for each in contenders),
        model="sd15",
        curves=tuple(curve for curve, _ in _CURVES),
    ),
)

WORKS: Mapping[str, Work] = MappingProxyType({work.name: work for work in _WORKS})

CHEAP = ("cold", "frames", "instant")
"""What is measured if nothing is named."""
