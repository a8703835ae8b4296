"""``sheepgen evaluate``: score how often a model generates what it is asked for."""

from __future__ import annotations

import json as json_format
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sheepgen.cli import options
from sheepgen.cli import training_options as own
from sheepgen.cli.console import error_console, note, write_data, write_table
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.errors import UsageError
from sheepgen.output.atomic import output_errors, staging_folder
from sheepgen.request import GenerationRequest
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from PIL.Image import Image
    from rich.table import Table

__all__ = ["evaluate", "score_table"]

_FIELDS = ("model", "num_inference_steps", "guidance_scale", "scheduler")


@spread
def evaluate(
    *,
    fields: Annotated[dict[str, Any], RequestOptions("one", _FIELDS)],
    seeds: own.SeedsAPromptOpt = 2,
    group: own.GroupsOpt = None,
    workspace: own.WorkspaceOpt = Path(".training"),
    output: own.SheetsOpt = None,
    device: options.DeviceOpt = "auto",
    dtype: options.DtypeOpt = "auto",
    offline: options.OfflineOpt = False,
    json: options.JsonOpt = False,
    printed: options.PrintOptions,
) -> None:
    """Score a model on a fixed set of prompts."""
    settings = GenerationRequest(prompt="any", seed=0, **fields)
    own.check_training_packages()
    from sheepgen.cli.download import show_download
    from sheepgen.execution.run import prepare_folders
    from sheepgen.models.hub import DownloadPlan, go_offline
    from sheepgen.models.resolve import find_model, resolve_model
    from sheepgen.training.evaluation.prompts import prompt_groups

    groups = tuple(group or ())
    named = prompt_groups(groups)  # refuses unknown ones before anything is loaded
    console = error_console(quiet=printed.quiet)
    sheets = {} if output is None else _sheets(output, named)
    if offline:
        go_offline()
    spec = resolve_model(settings.model, offline=offline)
    if isinstance(spec, DownloadPlan):
        show_download(console, spec)
        spec = find_model(settings.model, offline=offline)
    if output is not None:
        for notice in prepare_folders([output]):
            note(console, notice.message)
    settings = spec.resolve(settings)
    from sheepgen.pipeline.quiet import quiet_libraries

    with quiet_libraries():
        import torch

        from sheepgen.pipeline.loading import load_model
        from sheepgen.training.config import TrainingConfig, Workspace
        from sheepgen.training.evaluation.evaluate import Judge, score_model
        from sheepgen.training.project import Project
        from sheepgen.training.samples import tile

        judge = Judge.of(Project(TrainingConfig(), Workspace(workspace), torch.device("cpu")))
        loaded = load_model(spec, device=device, dtype=dtype or "auto")
        scores: list[dict[str, Any]] = []
        images: list[Image] = []
        for score, pictures in score_model(loaded, settings, judge, seeds, groups):
            note(console, f"{score.group}: {score.right:.1f}% of {score.pictures} pictures")
            scores.append(score.to_dict())
            images += pictures
            if sheets:
                _save(tile(pictures), sheets[score.group])
        distance = judge.distance(images)
    if json:
        evaluation = {
            "model": settings.model,
            "sha256": spec.sha256,
            "num_inference_steps": settings.num_inference_steps,
            "guidance_scale": settings.guidance_scale,
            "scheduler": settings.scheduler,
            "seeds": seeds,
            "scores": scores,
            "frechet_distance": distance,
        }
        write_data(json_format.dumps(evaluation))
        return
    write_table(score_table(scores))
    write_data(f"Fréchet distance from held-out scenes: {distance:.2f}")


def _sheets(folder: Path, groups: Iterable[str]) -> dict[str, Path]:
    """Return the path of each group's sheet.

    Raises:
        UsageError: If one of them exists already.
    """
    sheets = {group: folder / f"{group.replace(' ', '-')}.png" for group in groups}
    for path in sheets.values():
        if os.path.lexists(path):
            raise UsageError(
                f"{excerpt(path, 200)} already exists.",
                "Move it, or choose another --output.",
            )
    return sheets


def _save(sheet: Image, path: Path) -> None:
    with output_errors(path.parent), staging_folder(path.parent) as staging:
        sheet.save(staging / path.name)
        (staging / path.name).rename(path)


def score_table(scores: Iterable[Mapping[str, Any]]) -> Table:
    """Return `sheepgen.training.evaluation.score.Score` dictionaries as a table."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in ("Prompts", "Pictures", "Right", "95%", "Found", "By chance", "Ceiling"):
        table.add_column(heading, justify="left" if heading == "Prompts" else "right")
    for score in scores:
        low, high = score["interval"]
        table.add_row(
            score["group"],
            str(score["pictures"]),
            f"{score['right']:.1f}%",
            f"{low:.0f} to {high:.0f}",
            f"{score['found']:.1f}%",
            f"{score['by_chance']:.1f}%",
            f"{score['ceiling']:.1f}%",
        )
    return table
