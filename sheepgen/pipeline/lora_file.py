"""What is in the file of a LoRA, and which layers of a model it is for.

Files differ in the names of layers (see `sheepgen.pipeline.lora_names`), in those of their two
matrices, and in where their alpha is written.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.added.lora import find_lora
from sheepgen.models.json_file import read_object
from sheepgen.models.safetensors import FLOATS, StoredTensors, read_tensors
from sheepgen.pipeline.lora_origin import made_for
from sheepgen.sanitize import excerpt, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from sheepgen.models.spec import ModelSpec
    from sheepgen.pipeline.lora_names import Layers, Rows

__all__ = ["LoraLayer", "match_lora"]

_SUFFIXES = (
    (".lora_down.weight", "down"),
    (".lora_up.weight", "up"),
    (".lora_A.weight", "down"),
    (".lora_B.weight", "up"),
    (".lora_A.default.weight", "down"),
    (".lora_B.default.weight", "up"),
    (".lora.down.weight", "down"),
    (".lora.up.weight", "up"),
    (".lora_linear_layer.down.weight", "down"),
    (".lora_linear_layer.up.weight", "up"),
    ("_lora.down.weight", "down"),
    ("_lora.up.weight", "up"),
    (".down.weight", "down"),
    (".up.weight", "up"),
    (".alpha", "alpha"),
)
"""How the names of weights end, and what they are: in kohya's files, in PEFT's and diffusers', and
the last in XLabs'."""

_MAX_ALPHA = 1e6
"""Far beyond any that is used: at most some hundreds."""

_OTHER_KINDS = (
    ("dora_scale", "DoRA"),
    ("lora_magnitude_vector", "DoRA"),
    ("hada_w", "LoHa"),
    ("lokr_w", "LoKr"),
    ("lora_mid", "LoCon with a middle layer"),
    ("oft_", "OFT"),
    ("on_input", "IA3"),
    (".diff.", "difference of whole weights"),
    (".diff_b.", "difference of whole biases"),
    ("query_norm.scale", "control LoRA, which takes a second picture"),
)

_CONTROLLED = ("x_embedder", "img_in")
"""The layers that see the latents, which a control LoRA makes wider for a second picture."""

_Alphas = dict[tuple[str, str], tuple[int, float]]
"""Alphas by component and by the end of a layer's name, empty for all; a name that is meant whole
begins with ^. Of several ends of a name, the one that comes first counts, so each has its place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraLayer:
    """What a LoRA has for a layer, or for some of its rows.

    Args:
        rows: Of the model.
        down: Name of the tensor, (rank, in) or (rank, in, height, width).
        up: Likewise, (out, rank) or (out, rank, 1, 1).
        first: The row of ``up`` that is for the first of ``rows``.
        alpha: Name of the tensor of one number; None if the file has none.
        rank: Of the change.
        default_alpha: Stands for ``alpha``, if the file has none.
    """

    rows: Rows
    down: str
    up: str
    first: int
    alpha: str | None
    rank: int
    default_alpha: float


def match_lora(path: str, known: Layers, spec: ModelSpec) -> tuple[LoraLayer, ...]:
    """Return what a LoRA has for each layer of a model.

    Args:
        path: As it was typed.
        known: The model's layers by all their names.
        spec: The model, for the message.

    Raises:
        ModelError: If not all of it fits, or it is of another kind than a LoRA.
    """
    file = find_lora(path)
    stored = read_tensors(file)
    owner = excerpt(path, 200)
    groups = _grouped(stored, owner)
    alphas = _alphas(file, stored, {rows.component for each in known.values() for rows in each})
    fitting = {
        name: layers
        for name, parts in groups.items()
        if (layers := _fit(name, parts, known, stored, alphas))
    }
    misfits = [name for name in groups if name not in fitting]
    if any(_is_control(name, groups[name], known, stored) for name in misfits):
        raise _other_kind(owner, "control LoRA, which takes a second picture")
    if misfits or not fitting:
        first = f", and {excerpt(misfits[0], 100)} does not" if fitting else ""
        raise ModelError(
            f"The LoRA {owner} does not fit {excerpt(spec.name)}: {len(fitting)} of "
            f"{plural(len(groups), 'layer')} {'does' if len(fitting) == 1 else 'do'}{first}.",
            f"{'Only part of it fits. ' if fitting else ''}It seems to be made for "
            f"{made_for(groups, stored)}{', perhaps a variant' if fitting else ''}; the model is "
            f"of the family {spec.family.name}.",
        )
    _check_once(fitting, owner)
    return tuple(layer for layers in fitting.values() for layer in layers)


def _is_control(name: str, parts: Mapping[str, str], known: Layers, stored: StoredTensors) -> bool:
    """Return whether a layer that does not fit is for the latents and those of a second picture."""
    found = known.get(name)
    if found is None or "down" not in parts or not found[0].layer.endswith(_CONTROLLED):
        return False
    _, *columns = stored.tensors[parts["down"]].shape or (0,)
    return tuple(columns) == (2 * found[0].columns[0],)


def _check_once(fitting: Mapping[str, Sequence[LoraLayer]], owner: str) -> None:
    """Check that no row is changed twice: by both of two names that a layer has."""
    changed: dict[tuple[str, str, int], str] = {}
    for name, layers in fitting.items():
        for layer in layers:
            other = changed.setdefault(layer.rows[:3], name)
            if other != name:
                raise ModelError(
                    f"The LoRA {owner} has the layer {excerpt(layer.rows.layer, 100)} twice: as "
                    f"{excerpt(other, 100)} and as {excerpt(name, 100)}.",
                    "It is not clear which one to use. Get another version of the file.",
                )


def _grouped(stored: StoredTensors, owner: str) -> dict[str, dict[str, str]]:
    """Return the names of tensors by the name of their layer and by what they are."""
    groups: dict[str, dict[str, str]] = {}
    for name, tensor in stored.tensors.items():
        for part, kind in _OTHER_KINDS:
            if part in f"{name}.":
                raise _other_kind(owner, kind)
        for suffix, part in _SUFFIXES:
            if name.endswith(suffix):
                layer = re.sub(r"\.processor(?=\.)", "", name.removesuffix(suffix))
                groups.setdefault(layer, {})[part] = name
                break
        else:
            groups.setdefault(name, {})["other"] = name
        if tensor.dtype not in FLOATS and not name.endswith(".alpha"):
            raise ModelError(
                f"{owner} has weights of type {tensor.dtype}, which are not supported.",
                "Get one that is not quantised.",
            )
    return groups


def _other_kind(owner: str, kind: str) -> ModelError:
    return ModelError(
        f"{owner} is not a plain LoRA but a {kind}, which is not supported.",
        "Merge it into a model where it comes from.",
    )


def _fit(
    name: str,
    parts: Mapping[str, str],
    known: Layers,
    stored: StoredTensors,
    alphas: _Alphas,
) -> tuple[LoraLayer, ...]:
    """Return what is for the rows of one name, or nothing if the model has none of that shape."""
    found = known.get(name) or known.get(f"{name}.0")  # its attention's "to_out" is a list
    if found is None or not {"down", "up"} <= parts.keys() <= {"down", "up", "alpha"}:
        return ()
    down, up = (stored.tensors[parts[part]].shape for part in ("down", "up"))
    if not (2 <= len(down) <= 4 and len(up) in (2, 4) and up[2:] in ((), (1, 1))):
        return ()
    if sum(rows.size for rows in found) != up[0] or not up[1] == down[0] >= 1:
        return ()
    if any(_sides(down[1:]) != _sides(rows.columns) for rows in found):
        return ()
    alpha = parts.get("alpha")
    if alpha is not None and _sides(stored.tensors[alpha].shape) != ():
        return ()
    return tuple(
        LoraLayer(
            rows=rows,
            down=parts["down"],
            up=parts["up"],
            first=sum(before.size for before in found[:place]),
            alpha=alpha,
            rank=down[0],
            default_alpha=_default_alpha(name, rows, down[0], alphas),
        )
        for place, rows in enumerate(found)
    )


def _default_alpha(name: str, rows: Rows, rank: int, alphas: _Alphas) -> float:
    """Return the alpha of a layer whose own is not in the file."""
    ends = {""}
    for each in (rows.layer, name.removeprefix("base_model.model.")):
        parts = each.split(".")
        ends |= {f"^{each}", *(".".join(parts[place:]) for place in range(len(parts)))}
    found = [alphas[rows.component, end] for end in ends if (rows.component, end) in alphas]
    return min(found, default=(0, float(rank)))[1]


def _sides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without ones at its end: a convolution of 1x1 is a matrix."""
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _alphas(file: Path, stored: StoredTensors, components: Collection[str]) -> _Alphas:
    """Return the alphas that PEFT writes beside the tensors, or diffusers into the file."""
    beside = file.parent / "adapter_config.json"
    if file.name == "adapter_model.safetensors" and beside.is_file():
        (denoiser,) = (each for each in components if not each.startswith("text_encoder"))
        return dict(_alphas_in(read_object(beside), denoiser, file))
    try:
        settings = json.loads(stored.metadata.get("lora_adapter_metadata", "{}"))
    except (ValueError, RecursionError):
        return {}
    found: _Alphas = {}
    for component in components:
        own = {
            key.removeprefix(f"{component}."): value
            for key, value in (settings.items() if isinstance(settings, dict) else ())
            if key.startswith(f"{component}.")
        }
        found |= _alphas_in(own, component, file)
    return found


def _alphas_in(
    settings: Mapping[str, Any], component: str, file: Path
) -> Iterator[tuple[tuple[str, str], tuple[int, float]]]:
    for setting in ("use_dora", "use_rslora"):
        if settings.get(setting):
            raise ModelError(
                f"{excerpt(file.name)} is not a plain LoRA ({setting}), which is not supported.",
                "Merge it into a model where it comes from.",
            )
    patterns = settings.get("alpha_pattern")
    patterns = patterns if isinstance(patterns, dict) else {}
    for place, (end, alpha) in enumerate(patterns.items()):
        if end:
            yield (component, end), (place, _number(alpha, file))
    if (alpha := settings.get("lora_alpha")) is not None:
        yield (component, ""), (len(patterns), _number(alpha, file))


def _number(alpha: Any, file: Path) -> float:  # noqa: ANN401 - anybody's JSON
    is_number = isinstance(alpha, int | float) and not isinstance(alpha, bool)
    if is_number and abs(alpha) <= _MAX_ALPHA:
        return float(alpha)
    raise ModelError(
        f"{excerpt(file.name)} has an alpha that is not a number: {excerpt(alpha)}.",
        "The file is damaged. Download it again.",
    )
