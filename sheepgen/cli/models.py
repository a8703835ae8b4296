"""``sheepgen models`` and ``sheepgen schedulers``: list names for the options of these names."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import typer  # noqa: TC002 - Typer reads the annotation

from sheepgen.cli.console import cli_errors, error_console, note, write_data, write_rich
from sheepgen.cli.options import JsonOpt
from sheepgen.errors import UsageError
from sheepgen.model_names import aliases_of
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import byte_size, plural

if TYPE_CHECKING:
    from sheepgen.models.hub.inventory import CachedModel

__all__ = ["list_models", "models", "schedulers"]


def schedulers(*, json: JsonOpt = False) -> None:
    """List the schedulers (samplers)."""
    with cli_errors():
        from rich.table import Table

        from sheepgen.schedulers import SCHEDULERS

        if json:
            for name, spec in SCHEDULERS.items():
                row = {"name": name, "sampler": spec.sampler, "schedule_type": spec.schedule_type}
                write_data(json_format.dumps({**row, "aliases": spec.aliases}))
            return
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
        for heading in ("Name", "Sampler", "Schedule type", "Also"):
            table.add_column(heading)
        for name, spec in SCHEDULERS.items():
            table.add_row(name, spec.sampler, spec.schedule_type, ", ".join(spec.aliases))
        write_rich(table)


def models(context: typer.Context, *, json: JsonOpt = False) -> None:
    """List known models and those in the Hub's cache, and manage that cache.

    Other models of the supported families work too.
    """
    if context.invoked_subcommand is None:
        list_models(json=json)
    elif json:
        with cli_errors():
            raise UsageError(f'Put --json after "{context.invoked_subcommand}".')


def list_models(*, json: JsonOpt = False) -> None:
    """List well-known models and those in the Hub's cache, as `sheepgen models` does."""
    with cli_errors():
        from sheepgen.models.family import guidance_words
        from sheepgen.models.hub.inventory import list_cached_models
        from sheepgen.models.registry import KNOWN_MODELS, KnownModel

        cached = {model.name: model for model in list_cached_models()}
        for model in KNOWN_MODELS.values():
            found = cached.pop(model.name, None)
            if json:
                write_data(json_format.dumps(asdict(model) | _state(model.name, found)))
                continue
            _print_name(model.name, found)
            write_data(f"    {model.about}")
            steps = plural(model.num_inference_steps, "step")
            guidance = guidance_words(model.guidance_scale, model.guidance_scale)
            write_data(f"    {steps}, guidance {guidance}, licence {model.licence}")
            range_ = model.made_for
            write_data(f"    made for {range_.guidance}, {range_.steps}, {range_.sides}")
        others = [model for model in cached.values() if model.family is not None]
        for other in others:
            if json:
                nothing = dict.fromkeys(field.name for field in fields(KnownModel))
                write_data(json_format.dumps(nothing | _state(other.name, other)))
                continue
            _print_name(other.name, other)
            write_data(f"    {other.family}")
        if rest := len(cached) - len(others):
            hidden = plural(rest, "cached repo")
            note(error_console(), f"Not listed: {hidden} without a supported model.")


def _state(name: str, cached: CachedModel | None) -> dict[str, Any]:
    """Return what is known of a model beside its row in the registry."""
    return {
        "name": name,
        "aliases": aliases_of(name),
        "family": cached and cached.family,
        "installed": name == EMBEDDED_MODEL,
        "cached": cached is not None,
        "complete": name == EMBEDDED_MODEL or (cached is not None and cached.is_complete),
        "bytes": cached and cached.size,
        "revisions": cached.commits if cached else (),
    }


def _print_name(name: str, cached: CachedModel | None) -> None:
    state = "installed" if name == EMBEDDED_MODEL else "not downloaded"
    if cached is not None:
        state = byte_size(cached.size) + ("" if cached.is_complete else ", incomplete")
    write_data(f"{name:<44} {', '.join(aliases_of(name)):<17} {state}")
