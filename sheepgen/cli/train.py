"""``sheepgen train``: makes the embedded model again, or one like it, phase by phase."""

from __future__ import annotations

from pathlib import Path

from sheepgen.cli import options
from sheepgen.cli import training_options as own
from sheepgen.cli.console import cli_errors, error_console, note, write_data
from sheepgen.errors import UsageError
from sheepgen.text import excerpt

__all__ = ["train"]


def train(
    phases: own.PhasesArg = None,
    *,
    start: own.StartOpt = None,
    unet_steps: own.UnetStepsOpt = None,
    workspace: own.WorkspaceOpt = Path(".training"),
    output: own.ModelOutputOpt = None,
    overwrite: own.ReplaceModelOpt = False,
    device: own.TrainDeviceOpt = "auto",
    quiet: options.QuietOpt = False,
    verbose: options.VerboseOpt = False,
) -> None:
    """Train a model of your own; stop it at any time, and it goes on where it was."""
    with cli_errors(verbose=verbose):
        if output is not None and output.exists() and not overwrite:
            raise UsageError(
                f"There is something in {excerpt(output, 200)} already.",
                "Choose another --output, or give --overwrite.",
            )
        own.check_training_packages()
        from dataclasses import replace

        from sheepgen.cli.evaluate import score_table
        from sheepgen.pipeline.device import resolve_device
        from sheepgen.training.adopt import adopt_model
        from sheepgen.training.config import TrainingConfig, Workspace
        from sheepgen.training.phases import PHASES
        from sheepgen.training.project import Project
        from sheepgen.training.release import release_model
        from sheepgen.training.runner import run_phases

        names = phases or list(PHASES)
        if unknown := [name for name in names if name not in PHASES]:
            raise UsageError(
                f"There is no phase {excerpt(unknown[0])}.", f"Known: {', '.join(PHASES)}."
            )
        config = TrainingConfig()
        if unet_steps is not None:
            config = replace(config, diffusion=replace(config.diffusion, steps=unet_steps))
        project = Project(config, Workspace(workspace), resolve_device(device))
        if start is not None:
            adopt_model(start, project.workspace)
        console = error_console(quiet=quiet)
        note(console, f"Sample sheets and the losses' plot: {project.workspace.samples}")
        run_phases(project, names, console)
        if output is not None:
            note(console, "Measuring the model; that takes its time, too.")
            record = release_model(project, output)
            console.print(score_table(record["scores"]))
            write_data(str(output))
