"""``sheepgen models pull``: download a model into the Hub's cache, and print its folder.

With ``--json`` it prints one object: ``name``, ``revision``, ``variant``, ``folder``, and of what
was missing the ``bytes`` and the ``files`` with theirs; ``downloaded`` is false where nothing was,
and with ``--dry-run``.
"""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sheepgen.cli.console import cli_errors, error_console, note, write_data
from sheepgen.cli.options import JsonOpt, ModelArg, VariantOpt
from sheepgen.cli.user_settings import model_of_preset
from sheepgen.errors import UsageError
from sheepgen.model_names import canonical_model_name
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import byte_size, excerpt

if TYPE_CHECKING:
    from sheepgen.models.hub import DownloadPlan
    from sheepgen.models.spec import ModelSpec

__all__ = ["pull"]

DryRunOpt = Annotated[
    bool,
    typer.Option("--dry-run", metavar="", help="List the files that would be downloaded."),
]


def pull(
    model: ModelArg, *, variant: VariantOpt = "", dry_run: DryRunOpt = False, json: JsonOpt = False
) -> None:
    """Download a model if it is not in the cache, and print its folder."""
    with cli_errors():
        from sheepgen.cli.download import show_download
        from sheepgen.models.hub import DownloadPlan
        from sheepgen.models.resolve import find_model, locate_model, resolve_model

        console, name = error_console(), canonical_model_name(model_of_preset(model))
        if isinstance(locate_model(name), Path) and name != EMBEDDED_MODEL:
            raise UsageError(
                f"{excerpt(name, 200)} is a local model, not one on the Hub.",
                "Nothing to download.",
            )
        found = resolve_model(name, variant=variant)
        if not isinstance(found, DownloadPlan):
            place = "installed with the program" if name == EMBEDDED_MODEL else "in the cache"
            note(console, f"{name} is already here, {place}{_only_weights(found, variant)}.")
            _print_model(found, variant, None, json=json)
        elif dry_run:
            _print_plan(found, variant, json=json)
        else:
            show_download(console, found)
            _print_model(find_model(name, variant=variant), variant, found, json=json)


def _only_weights(spec: ModelSpec, variant: str) -> str:
    """Return a remark if only the weights of a variant are here, which was not asked for."""
    from sheepgen.models.files import variant_of

    found = {variant_of(file) for file in spec.checkpoint.weights}
    if variant or len(found) != 1 or found == {None}:
        return ""
    return f" with {found.pop()} weights only"


def _print_model(spec: ModelSpec, variant: str, plan: DownloadPlan | None, *, json: bool) -> None:
    if not json:
        write_data(str(spec.folder))
        return
    name = spec.name.partition("@")[0]
    row = {"name": name, "revision": spec.revision, "variant": variant, "folder": str(spec.folder)}
    write_data(json_format.dumps({**row, **_files(plan), "downloaded": plan is not None}))


def _print_plan(plan: DownloadPlan, variant: str, *, json: bool) -> None:
    from sheepgen.cli.dry_run import print_download

    if json:
        row = {"name": plan.repo, "revision": plan.commit, "variant": variant}
        row |= {"folder": str(plan.folder)}
        write_data(json_format.dumps({**row, **_files(plan), "downloaded": False}))
        return
    print_download(plan, json=False)
    for file in plan.files:
        write_data(f"{byte_size(file.size):>16} {excerpt(file.name, 200)}")


def _files(plan: DownloadPlan | None) -> dict[str, object]:
    files = plan.files if plan is not None else ()
    return {
        "bytes": sum(file.size for file in files),
        "files": [{"name": file.name, "bytes": file.size} for file in files],
    }
