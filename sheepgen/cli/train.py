"""``sheepgen train``: train a model like the embedded one from scratch, stage by stage."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.cli import options
from sheepgen.cli import training_options as own
from sheepgen.cli.console import cli_errors, error_console, note, write_data
from sheepgen.cli.interrupt import interrupts_raised
from sheepgen.errors import UsageError
from sheepgen.models.families import EMBEDDED
from sheepgen.models.files import INDEX_FILE
from sheepgen.models.training_record import RECORD_FILE
from sheepgen.output.atomic import prepare_folder
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["train"]

_COMPONENTS = set(EMBEDDED.components)
_RELEASED = {INDEX_FILE, RECORD_FILE, "MODEL_CARD.md", "contact_sheet.webp", *_COMPONENTS}
"""What ``train`` writes into a model's folder, and the only files it replaces there."""


def train(
    stages: own.StagesArg = None,
    *,
    preset: own.PresetOpt = "full",
    start: own.StartOpt = None,
    unet_steps: own.UnetStepsOpt = None,
    workspace: own.WorkspaceOpt = Path(".training"),
    output: own.ModelOutputOpt = None,
    overwrite: own.ReplaceModelOpt = False,
    device: own.TrainDeviceOpt = "auto",
    quiet: options.QuietOpt = False,
    verbose: options.VerboseOpt = False,
) -> None:
    """Train your own model. Interrupt it at any time; it resumes where it stopped."""
    with cli_errors(verbose=verbose):
        if output is not None:
            _check_replaceable(output, overwrite=overwrite)
        own.check_training_packages()
        from sheepgen.training.config import PRESETS, Workspace

        _check_names("preset", [preset], PRESETS)
        from dataclasses import replace

        from sheepgen.cli.evaluate import score_table
        from sheepgen.pipeline.device import resolve_device
        from sheepgen.pipeline.quiet import quiet_libraries
        from sheepgen.training.config import check_workspace
        from sheepgen.training.evaluation.metrics import Score
        from sheepgen.training.progress import show_progress
        from sheepgen.training.release import release_model
        from sheepgen.training.resume_from_export import resume_from_export
        from sheepgen.training.train import STAGES, stages_of
        from sheepgen.training.train import train as train_stages

        with quiet_libraries():
            _check_names("stage", stages or (), STAGES)
            config = PRESETS[preset]
            if unet_steps is not None:
                config = replace(config, diffusion=replace(config.diffusion, steps=unet_steps))
            with interrupts_raised():
                if output is not None:
                    prepare_folder(output.resolve().parent)  # fail now, not after the training
                place, computer = Workspace(workspace), resolve_device(device)
                if start is not None:
                    resume_from_export(start, place, config)
                check_workspace(place, config)
                console = error_console(quiet=quiet)
                note(console, f"Sample sheets and the losses' plot: {place.samples}")
                steps = train_stages(config, place, computer, stages or stages_of(config))
                show_progress(steps, place, console)
                if output is not None:
                    _check_replaceable(output, overwrite=overwrite)  # again: training takes hours
                    if config.evaluated:
                        note(console, "Evaluating the model, which takes a while.")
                    record = release_model(config, place, computer, output)
                    if record["scores"]:
                        console.print(score_table(Score(**score) for score in record["scores"]))
                    write_data(str(output))


def _check_replaceable(output: Path, *, overwrite: bool) -> None:
    if not os.path.lexists(output):
        return
    if not overwrite:
        raise UsageError(
            f"{excerpt(output, 200)} already exists.",
            "Choose another --output, or give --overwrite.",
        )
    if not all((output / name).is_file() for name in (INDEX_FILE, RECORD_FILE)):
        raise UsageError(
            f"{excerpt(output, 200)} was not written by `sheepgen train`, so it is not replaced.",
            "Choose another --output.",
        )
    for path in sorted(output.rglob("*")):
        name = path.relative_to(output)
        released = name.parts[0] in _RELEASED if path.is_file() else str(name) in _COMPONENTS
        if not released:
            raise UsageError(
                f"{excerpt(path, 200)} is not part of a trained model, so it is not replaced.",
                "Move it, or choose another --output.",
            )


def _check_names(kind: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f'Unknown {kind} "{excerpt(name)}".', f"Known: {', '.join(known)}.")
