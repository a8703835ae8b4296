"""Read prompt, seed, steps and size from ComfyUI's graph.

The graph is an object of nodes; a node has inputs, and an input is a value or a link to another
node, ``["12", 0]``. The sampler node has the seed and the steps; from there the links are followed
upstream. Custom nodes use any names they like, so what is not found is left out. The graph is
untrusted: it may have any shape, cycles included.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from sheepgen.metadata.parsed_parameters import Keys, read_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sheepgen.metadata.parsed_parameters import ParsedParameters

__all__ = ["read_graph"]

_MAX_VISITS = 2_000
"""Most nodes visited for one setting; graphs have about a hundred."""

_KEYS = Keys(program="ComfyUI", guidance="cfg", sampler="sampler_name")
_SEEDS = ("seed", "noise_seed")
_TEXTS = ("text", "text_g", "text_l", "t5xxl", "clip_l", "prompt", "string", "value")


def read_graph(graph: Mapping[str, Any], *, source: str) -> ParsedParameters:
    """Read the settings of the first sampler node.

    Args:
        graph: ComfyUI's ``prompt``.
        source: The text it was read from.

    Raises:
        OutputError: If its prompt is too long or cannot be one.
    """
    start = _sampling_node(graph)
    found: dict[str, Any] = {}
    if start is not None:
        inputs = _inputs(graph, start)
        found["seed"] = _first(graph, start, *_SEEDS)
        for name in ("steps", "cfg", "sampler_name", "width", "height"):
            found[name] = _first(graph, start, name)
        for name, link in (
            ("prompt", inputs.get("positive") or inputs.get("guider")),
            ("negative_prompt", inputs.get("negative")),
        ):
            found[name] = _text(graph, link)
        model = _first(graph, start, "ckpt_name", "unet_name")
        found["model"] = model
        found["loras"] = [
            [inputs["lora_name"], inputs.get("strength_model", 1)]
            for inputs in _upstream(graph, start)
            if isinstance(inputs.get("lora_name"), str)
        ]
    settings = {name: value for name, value in found.items() if value is not None}
    return read_keys(_KEYS, settings, source=source)


def _sampling_node(graph: Mapping[str, Any]) -> str | None:
    """Return the first node with a seed and steps, or else one linked to noise."""
    for wanted in (("steps", *_SEEDS), ("noise", "sigmas")):
        for node in graph:
            inputs = _inputs(graph, node)
            if wanted[0] in inputs and any(name in inputs for name in wanted[1:]):
                return node
    return None


def _first(graph: Mapping[str, Any], start: str, *names: str) -> object:
    """Return the nearest value of one of these names, here or upstream."""
    for inputs in _upstream(graph, start):
        for name in names:
            value = inputs.get(name)
            if isinstance(value, (int, float, str)) and value != "":
                return value
    return None


def _text(graph: Mapping[str, Any], link: object) -> str | None:
    """Return the nearest text upstream."""
    node = _linked(link)
    for inputs in _upstream(graph, node) if node is not None else ():
        texts = [inputs[name] for name in _TEXTS if isinstance(inputs.get(name), str)]
        if texts:
            return ", ".join(dict.fromkeys(text for text in texts if text.strip()))
    return None


def _upstream(graph: Mapping[str, Any], start: str) -> Iterator[Mapping[str, Any]]:
    """Yield the inputs of a node and of all nodes it depends on, nearest first."""
    waiting, seen = deque([start]), {start}
    for _ in range(_MAX_VISITS):
        if not waiting:
            return
        inputs = _inputs(graph, waiting.popleft())
        yield inputs
        for value in inputs.values():
            node = _linked(value)
            if node is not None and node not in seen:
                seen.add(node)
                waiting.append(node)


def _inputs(graph: Mapping[str, Any], node: str) -> Mapping[str, Any]:
    match graph.get(node):
        case {"inputs": dict(inputs)}:
            return inputs
        case _:
            return {}


def _linked(value: object) -> str | None:
    match value:
        case [str(node) | int(node), int()]:
            return str(node)
        case _:
            return None
