"""``sheepgen evaluate``: score how often a model generates what it is asked for."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from sheepgen.cli import options
from sheepgen.cli import training_options as own
from sheepgen.cli.console import error_console, note, write_data, write_rich
from sheepgen.cli.request_options import RequestOptions, spread
from sheepgen.output.atomic import output_errors
from sheepgen.request import GenerationRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from sheepgen.training.evaluation.metrics import Score

__all__ = ["evaluate", "score_table"]

_FIELDS = ("model", "num_inference_steps", "guidance_scale", "guidance_interval", "scheduler")


@spread
def evaluate(
    *,
    fields: Annotated[dict[str, Any], RequestOptions("one", _FIELDS)],
    seeds: own.SeedsAPromptOpt = 2,
    group: own.GroupsOpt = None,
    workspace: own.WorkspaceOpt = Path(".training"),
    output: own.SheetsOpt = None,
    overwrite: own.ReplaceSheetsOpt = False,
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
    from sheepgen.training.evaluation.prompts import known_concepts, known_prompts, prompt_groups

    groups = prompt_groups(group or ())  # refuses unknown ones before torch is imported
    console = error_console(quiet=printed.quiet)
    if offline:
        go_offline()
    spec = resolve_model(settings.model, offline=offline)
    if isinstance(spec, DownloadPlan):
        show_download(console, spec)
        spec = find_model(settings.model, offline=offline)
    concepts = known_concepts(spec)
    if concepts is not None:
        total = sum(map(len, groups.values()))
        groups = known_prompts(groups, concepts)
        skipped = total - sum(map(len, groups.values()))
        if skipped:
            note(console, f"Skipping {skipped} of {total} prompts: unknown to the model.")
    from sheepgen.pipeline.loading import load_model
    from sheepgen.pipeline.quiet import quiet_libraries

    with quiet_libraries():
        from sheepgen.training.config import TrainingConfig, Workspace
        from sheepgen.training.evaluation.evaluate import (
            build_evaluator,
            evaluate_model,
            save_sheet,
            sheet_paths,
        )

        sheets = {} if output is None else sheet_paths(output, groups, overwrite=overwrite)
        for notice in prepare_folders([output] if output is not None else []):
            note(console, notice.message)
        evaluator = build_evaluator(TrainingConfig(), Workspace(workspace))
        model = load_model(spec, device=device, dtype=dtype or "auto")
        settings = spec.resolve(settings)
        results = []
        for result in evaluate_model(model, settings, evaluator, groups, seeds):
            results.append(result)
            score = result.score
            note(console, f"{score.group}: {score.exact_match:.1f}% of {score.images} images")
            if output is not None:
                with output_errors(output):
                    save_sheet(result.images, sheets[score.group])
        distance = evaluator.distance(results)
    scores = [result.score for result in results]
    if json:
        evaluation = {
            "model": settings.model,
            "sha256": spec.sha256,
            "num_inference_steps": settings.num_inference_steps,
            "guidance_scale": settings.guidance_scale,
            "guidance_interval": settings.guidance_interval,
            "scheduler": settings.scheduler,
            "seeds": seeds,
            "scores": [score.to_dict() for score in scores],
            "frechet_distance": distance,
        }
        write_data(json_format.dumps(evaluation))
        return
    write_rich(score_table(scores))
    if distance is not None:
        write_data(f"Fréchet distance from held-out scenes: {distance:.2f}")


def score_table(scores: Iterable[Score]) -> Table:
    """Return scores as a table."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for heading in (
        "Prompts",
        "Images",
        "Exact match",
        "95% interval",
        "Recall",
        "False positives",
        "Upper bound",
    ):
        table.add_column(heading, justify="left" if heading == "Prompts" else "right")
    for score in scores:
        low, high = score.exact_match_interval
        table.add_row(
            score.group,
            str(score.images),
            f"{score.exact_match:.1f}%",
            f"{low:.0f} to {high:.0f}",
            f"{score.recall:.1f}%",
            f"{score.false_positive_rate:.1f}%",
            f"{score.upper_bound:.1f}%",
        )
    return table
