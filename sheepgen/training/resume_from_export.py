"""Makes checkpoints out of an exported model, so that training resumes where only the folder is.

Weights and step counts of the VAE and the U-Net are taken over; optimizers begin anew. The prompt
parser is trained anew: the U-Net does not depend on it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from diffusers.training_utils import EMAModel

from sheepgen.errors import OutputError, UsageError
from sheepgen.models.training_record import RECORD_FILE
from sheepgen.sanitize import excerpt
from sheepgen.training.atomic_write import atomic_write
from sheepgen.training.config import check_workspace, incompatible_setting
from sheepgen.training.history import HistoryEntry, append_history

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.training.config import TrainingConfig, Workspace

__all__ = ["resume_from_export"]

RESUMED = ("vae", "unet")
"""The stages whose weights and steps are taken over."""


def resume_from_export(folder: Path, workspace: Workspace, config: TrainingConfig) -> None:
    """Write the checkpoints of all networks that an exported folder holds.

    Args:
        folder: The model.
        workspace: Where training resumes.
        config: The recipe that it resumes with.

    Raises:
        OutputError: If there are checkpoints already.
        UsageError: If the model was not trained here, or by another recipe.
    """
    if workspace.checkpoints.exists() and any(workspace.checkpoints.iterdir()):
        raise OutputError(
            f"{excerpt(workspace.checkpoints, 200)} holds checkpoints already.",
            "Leave out --from to resume from them, or choose another --workspace.",
        )
    if not (folder / RECORD_FILE).is_file():
        raise UsageError(
            f"{excerpt(folder, 200)} has no training.json, so sheepgen did not train it.",
            "Give a folder that `sheepgen train` wrote.",
        )
    record: dict[str, Any] = json.loads((folder / RECORD_FILE).read_text("utf-8"))
    if differing := incompatible_setting(record["config"], config):
        raise UsageError(
            f"{excerpt(folder, 200)} was made by another recipe: {differing} differs.",
            "Give its --preset, or train it with the release of sheepgen that made it.",
        )
    check_workspace(workspace, config)
    with atomic_write(workspace.checkpoints) as checkpoints:
        checkpoints.mkdir()
        _write_checkpoints(folder, record["steps"], checkpoints)
    for stage in RESUMED:
        entry = HistoryEntry(
            stage=stage,
            step=record["steps"][stage],
            loss=record["losses"][stage],
            seconds=record["seconds"][stage],
        )
        append_history(workspace.history, entry)


def _write_checkpoints(folder: Path, steps: dict[str, int], checkpoints: Path) -> None:
    vae = AutoencoderTiny.from_pretrained(folder / "vae", low_cpu_mem_usage=False)
    unet = UNet2DConditionModel.from_pretrained(
        folder / "unet", dtype=torch.float32, low_cpu_mem_usage=False
    )
    weights = unet.state_dict()
    average = EMAModel([weights[name] for name, _ in unet.named_parameters()])
    average.optimization_step = steps["unet"]
    states = {
        "vae": {"network": vae.decoder.state_dict()},
        "unet": {"network": weights, "average": average.state_dict()},
    }
    for stage, state in states.items():
        torch.save({"step": steps[stage], **state}, checkpoints / f"{stage}.pt")
    torch.save(vae.encoder.state_dict(), checkpoints / "encoder.pt")
