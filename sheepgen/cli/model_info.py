"""``sheepgen models info``: details of a model, and the concepts that it can generate.

With ``--json`` it is one object; with ``--things`` it is one per line, each with the ``name`` of a
concept, its ``group``, and the ``names`` that a prompt may use for it.
"""

from __future__ import annotations

import json as json_format
import shutil
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sheepgen.cli.console import cli_errors, error_console, note, write_data
from sheepgen.cli.options import JsonOpt, ModelArg, OfflineOpt, VariantOpt
from sheepgen.cli.user_settings import model_of_preset
from sheepgen.errors import UsageError
from sheepgen.model_names import aliases_of
from sheepgen.models.registry import KNOWN_MODELS
from sheepgen.sanitize import byte_size, excerpt, plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sheepgen.embedded.vocabulary import Vocabulary
    from sheepgen.models.components import ComponentWeights
    from sheepgen.models.spec import ModelSpec

__all__ = ["info"]

_MAX_NAMES = 12
"""Further names of a concept in one line."""

WordsArg = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WORD", help="With --things: the word to search for.", show_default=False
    ),
]
ThingsOpt = Annotated[
    bool,
    typer.Option(
        "--things",
        metavar="",
        help="List everything that the model can show, by group, or search for WORD.",
    ),
]


def info(
    model: ModelArg,
    words: WordsArg = None,
    *,
    variant: VariantOpt = "",
    things: ThingsOpt = False,
    offline: OfflineOpt = False,
    json: JsonOpt = False,
) -> None:
    """Show details of a model, or list what it can show. Downloads no weights."""
    with cli_errors():
        from sheepgen.cli.dry_run import print_download
        from sheepgen.models.hub import DownloadPlan
        from sheepgen.models.resolve import resolve_model

        if words and not things:
            raise UsageError("WORD needs --things.", "Add --things, or leave out WORD.")
        model = model_of_preset(model)
        found = resolve_model(model, variant=variant, offline=offline)
        if isinstance(found, DownloadPlan):
            if things:
                raise _no_things(model)
            print_download(found, json=json)
        elif things:
            _print_things(found, " ".join(words or ()), json=json)
        else:
            _print_info(found, json=json)


def _print_info(spec: ModelSpec, *, json: bool) -> None:
    from sheepgen.models.component_memory import component_memory, total_bytes
    from sheepgen.models.components import component_weights
    from sheepgen.models.files import complete_variants, list_files

    is_file = bool(spec.checkpoint.prefixes)
    names = () if is_file else list_files(spec.folder)
    variants = complete_variants(spec.family.components, names)
    components = component_weights(spec.checkpoint)
    loaded = {
        dtype: total_bytes(component_memory(spec.checkpoint, dtype)) for dtype in ("bf16", "fp32")
    }
    prediction = _prediction_type(spec)
    repo = spec.name.partition("@")[0]
    known = KNOWN_MODELS.get(repo)
    vocabulary = _vocabulary(spec)
    things = None if vocabulary is None else len(vocabulary.concepts)
    if json:
        data: dict[str, Any] = {
            "name": spec.name,
            "aliases": aliases_of(repo),
            "about": known and known.about,
            "family": spec.family.name,
            "licence": known and known.licence,
            "folder": str(spec.folder),
            "revision": spec.revision,
            "sha256": spec.sha256,
            "weight_bytes": spec.weight_bytes,
            "loaded_bytes": loaded,
            "variants": variants,
            "components": [asdict(component) for component in components],
            "parameters": sum(component.parameters for component in components),
            "prediction_type": prediction,
            "needs_mask": spec.needs_mask,
            "size_multiple": spec.size_multiple,
            "max_tokens": spec.max_tokens,
            "defaults": asdict(spec.defaults),
            "made_for": spec.made_for and asdict(spec.made_for),
            "caches": spec.family.caches,
            "things": things,
        }
        write_data(json_format.dumps(data))
        return
    defaults, range_ = spec.defaults, spec.made_for
    rows = {
        "name": excerpt(spec.name),
        "alias": ", ".join(aliases_of(repo)),
        "about": known.about if known else "",
        "family": spec.family.name,
        "licence": known.licence if known else "not known",
        "folder": "" if is_file else excerpt(spec.folder, 300),
        "file": excerpt(spec.checkpoint.path, 300) if is_file else "",
        "revision": spec.revision or "",
        "weights": f"{byte_size(spec.weight_bytes)}, sha256 {spec.sha256}",
        "in memory": " or ".join(f"{byte_size(loaded[each])} at {each}" for each in loaded),
        "variants": ", ".join(variants),
        "needs": "--image and --mask" if spec.needs_mask else "",
        "predicts": excerpt(prediction) if spec.family.own_loop else "",
        "size": f"{defaults.width}x{defaults.height}, in multiples of {spec.size_multiple}",
        "steps": str(defaults.num_inference_steps),
        "guidance": f"{defaults.guidance_scale:g}",
        "prior": _prior(spec),
        "scheduler": _scheduler(spec),
        "loop": "" if spec.family.own_loop else "diffusers' own",
        "made for": f"{range_.guidance}, {range_.steps}, {range_.sides}" if range_ else "",
        "caches": ", ".join(spec.family.caches),
        "prompts": f"up to {plural(spec.max_tokens, 'token')}" if spec.max_tokens else "not read",
        "things": "" if things is None else f"{things:,}; --things lists them",
    }
    for label, text in rows.items():
        if text:
            write_data(f"{label:<12} {text}")
    width = max((len(component.name) for component in components), default=0)
    for index, component in enumerate(components):
        write_data(f"{'' if index else 'components':<12} {_component(component, width)}".rstrip())


def _prior(spec: ModelSpec) -> str:
    steps, guidance = spec.defaults.prior_steps, spec.defaults.prior_guidance
    return "" if steps is None else f"{plural(steps, 'step')}, guidance {guidance:g}"


def _scheduler(spec: ModelSpec) -> str:
    if not spec.family.own_loop:
        return "its own"
    return spec.defaults.scheduler or "none that sheepgen knows"


def _component(component: ComponentWeights, width: int) -> str:
    text = f"{component.name:<{max(width, 16)}} {excerpt(component.class_name, 34):<35}"
    if not component.files:
        return text
    dtypes = " ".join(component.dtypes)
    number = _count(component.parameters)
    return f"{text} {number:>10} {byte_size(component.size):>9}  {dtypes}"


def _count(parameters: int) -> str:
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if parameters >= unit:
            return f"{parameters / unit:.1f} {name}"
    return str(parameters)


def _prediction_type(spec: ModelSpec) -> str:
    """Return what the network predicts, in diffusers' words."""
    if spec.family.is_flow:
        return "flow_prediction"
    return str(spec.checkpoint.configs["scheduler"].get("prediction_type", "epsilon"))


def _print_things(spec: ModelSpec, word: str, *, json: bool) -> None:
    from sheepgen.embedded.vocabulary import normalise

    vocabulary = _vocabulary(spec)
    if vocabulary is None:
        raise _no_things(spec.name)
    names = vocabulary.search(word) if word else tuple(vocabulary.concepts)
    if not names:
        is_word = normalise(word) in vocabulary.known | vocabulary.real
        nearest = "" if is_word else vocabulary.closest(word)
        meant = f' Did you mean "{excerpt(nearest)}"?' if nearest else ""
        note(
            error_console(), f'{excerpt(spec.name)} knows nothing called "{excerpt(word)}".{meant}'
        )
        raise typer.Exit(1)
    if json:
        forms = _forms(vocabulary)
        for name in names:
            row = {"name": name, "group": vocabulary.concepts[name].group, "names": forms[name]}
            write_data(json_format.dumps(row))
    elif word:
        _print_found(vocabulary, names)
    else:
        _print_groups(vocabulary)


def _print_found(vocabulary: Vocabulary, names: Iterable[str]) -> None:
    """Print concepts, each with its group and the other names that it has."""
    forms = _forms(vocabulary)
    for name in names:
        others = _other_names(vocabulary, name, forms[name])
        more = len(others) - _MAX_NAMES
        shown = [*others[:_MAX_NAMES], *([f"and {more} more"] if more > 0 else [])]
        also = f", also: {', '.join(shown)}" if shown else ""
        write_data(f"{name} ({vocabulary.concepts[name].group}){also}")


def _print_groups(vocabulary: Vocabulary) -> None:
    """Print all concepts under the names of their groups."""
    groups: dict[str, list[str]] = {}
    for name, concept in vocabulary.concepts.items():
        groups.setdefault(concept.group, []).append(name)
    width = min(shutil.get_terminal_size().columns, 100)
    for group, members in sorted(groups.items()):
        write_data(f"{group} ({len(members)})")
        for line in textwrap.wrap(", ".join(sorted(members)), width - 4, break_on_hyphens=False):
            write_data(f"    {line}")


def _forms(vocabulary: Vocabulary) -> dict[str, list[str]]:
    """Return by concept what a prompt may call it."""
    forms: dict[str, list[str]] = {name: [] for name in vocabulary.concepts}
    for form, name in vocabulary.forms.items():
        forms[name].append(form)
    return forms


def _other_names(vocabulary: Vocabulary, name: str, forms: Iterable[str]) -> list[str]:
    """Return the names of a concept but its own, plurals, and those that are written as one."""
    singular = [form for form in forms if form not in vocabulary.plurals]
    run_together = {form.replace(" ", "") for form in (name, *singular) if " " in form}
    return [form for form in singular if form != name and form not in run_together]


def _vocabulary(spec: ModelSpec) -> Vocabulary | None:
    """Return the vocabulary of a model, or None if it does not parse prompts."""
    from sheepgen.embedded.vocabulary_file import read_vocabulary

    file = spec.family.vocabulary
    return None if file is None else read_vocabulary(spec.folder / file)


def _no_things(name: str) -> UsageError:
    return UsageError(
        f"{excerpt(name)} has no list of what it can show: it takes any words.",
        "`sheepgen models info sheepgen --things` lists what the installed model can show.",
    )
