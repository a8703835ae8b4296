"""``sheepgen models`` and ``sheepgen schedulers``: list names for the options of these names."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict

import typer  # noqa: TC002 - Typer reads the annotation

from sheepgen.cli.console import cli_errors, write_data, write_table
from sheepgen.cli.options import JsonOpt
from sheepgen.errors import UsageError
from sheepgen.sanitize import plural

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
        write_table(table)


def models(context: typer.Context, *, json: JsonOpt = False) -> None:
    """List well-known models, or show what is known of one.

    Other Stable Diffusion 1.x, 2.x and XL models work too.
    """
    if context.invoked_subcommand is None:
        list_models(json=json)
    elif json:
        with cli_errors():
            raise UsageError(f'Put --json after "{context.invoked_subcommand}".')


def list_models(*, json: JsonOpt = False) -> None:
    """List well-known models, as `sheepgen models` does."""
    with cli_errors():
        from sheepgen.models.registry import KNOWN_MODELS

        for model in KNOWN_MODELS.values():
            if json:
                write_data(json_format.dumps(asdict(model)))
                continue
            write_data(model.name)
            write_data(f"    {model.about}")
            steps = plural(model.num_inference_steps, "step")
            write_data(f"    {steps}, guidance {model.guidance_scale:g}, licence {model.licence}")
            range_ = model.made_for
            write_data(f"    made for {range_.guidance}, {range_.steps}, {range_.sides}")
