"""``python -m sheepgen.training``: re-makes the embedded model, phase by phase.

Stop it at any time and start it again: every phase goes on from its last checkpoint.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sheepgen.training.adopt import adopt_model
from sheepgen.training.config import TrainingConfig, Workspace
from sheepgen.training.history import History
from sheepgen.training.phases import PHASES
from sheepgen.training.project import Project
from sheepgen.training.release import release_model

EMBEDDED_FOLDER = Path(__file__).parents[1] / "assets" / "sheepgen"
NOTE_EVERY_S = 10.0

app = typer.Typer(add_completion=False, help=__doc__)

WorkspaceOption = Annotated[
    Path, typer.Option(help="Where downloads, data and checkpoints lie.", file_okay=False)
]
DeviceOption = Annotated[str, typer.Option(help="cpu, cuda, …")]
FolderOption = Annotated[Path, typer.Option(help="The exported diffusers folder.")]
StepsOption = Annotated[int | None, typer.Option(help="U-Net steps in all; the recipe's if unset.")]


def _project(workspace: Path, device: str, unet_steps: int | None = None) -> Project:
    config = TrainingConfig()
    if unet_steps is not None:
        config = replace(config, diffusion=replace(config.diffusion, steps=unet_steps))
    return Project(config, Workspace(workspace), torch.device(device))


def _train(project: Project, name: str) -> None:
    history = History(project.workspace.root / "history.json")
    bar = Progress(
        TextColumn(f"{name:<10}"),
        *Progress.get_default_columns()[1:3],
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.4f}"),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task(name, total=None, loss=float("nan"))
        noted = time.perf_counter()
        loss: float | None = None
        for report in PHASES[name](project):
            loss = report.loss if loss is None else 0.98 * loss + 0.02 * report.loss
            bar.update(task, completed=report.step, total=report.total_steps, loss=loss)
            now = time.perf_counter()
            if now - noted > NOTE_EVERY_S or report.step == report.total_steps:
                history.note(name, report.step, loss, now - noted)
                noted = now


@app.command()
def train(
    phases: Annotated[list[str], typer.Argument(help=f"all, or of: {', '.join(PHASES)}.")],
    workspace: WorkspaceOption = Path(".training"),
    device: DeviceOption = "cpu",
    unet_steps: StepsOption = None,
) -> None:
    """Train phases in the order given."""
    names = list(PHASES) if phases == ["all"] else phases
    if unknown := [name for name in names if name not in PHASES]:
        raise typer.BadParameter(f"There is no phase {unknown[0]}.")
    project = _project(workspace, device, unet_steps)
    for name in names:
        _train(project, name)


@app.command()
def adopt(
    workspace: WorkspaceOption = Path(".training"), folder: FolderOption = EMBEDDED_FOLDER
) -> None:
    """Make checkpoints out of an exported model, to go on training it."""
    adopt_model(folder, Workspace(workspace))


@app.command()
def release(
    workspace: WorkspaceOption = Path(".training"),
    folder: FolderOption = EMBEDDED_FOLDER,
    unet_steps: StepsOption = None,
) -> None:
    """Export what is trained, evaluate it, write its record and its card."""
    project = _project(workspace, "cpu", unet_steps)
    Console().print(release_model(project, folder))


if __name__ == "__main__":
    app()
