"""Makes checkpoints out of an exported model, so that training goes on where only the folder is.

Weights and step counts are taken over; optimizers begin anew. The text encoder and the VAE have
all their steps already.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderTiny, UNet2DConditionModel
from transformers import CLIPTextModel

from sheepgen.errors import OutputError, UsageError
from sheepgen.text import excerpt
from sheepgen.training.history import History, Note
from sheepgen.training.recipe import claim_workspace, differing_setting

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.training.config import TrainingConfig, Workspace

__all__ = ["adopt_model"]


def adopt_model(folder: Path, workspace: Workspace, config: TrainingConfig) -> None:
    """Write the checkpoints of all networks that an exported folder holds.

    Args:
        folder: The model.
        workspace: Where training goes on.
        config: The recipe that it goes on with.

    Raises:
        OutputError: If there are checkpoints already.
        UsageError: If the model was not trained here, or by another recipe.
    """
    if workspace.checkpoints.exists() and any(workspace.checkpoints.iterdir()):
        raise OutputError(
            f"{excerpt(workspace.checkpoints, 200)} holds checkpoints already.",
            "Leave out --from to go on with them, or choose another --workspace.",
        )
    if not (folder / "training.json").is_file():
        raise UsageError(
            f"{excerpt(folder, 200)} has no training.json: sheepgen has not trained it.",
            "Give a folder that sheepgen train has written.",
        )
    record: dict[str, Any] = json.loads((folder / "training.json").read_text("utf-8"))
    if differing := differing_setting(record["config"], config):
        raise UsageError(
            f"{excerpt(folder, 200)} was made by another recipe: {differing} differs.",
            "Give its --preset, or train it with the release of sheepgen that made it.",
        )
    claim_workspace(workspace, config)
    workspace.checkpoints.mkdir(parents=True, exist_ok=True)
    text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    vae = AutoencoderTiny.from_pretrained(folder / "vae", low_cpu_mem_usage=False)
    unet = UNet2DConditionModel.from_pretrained(
        folder / "unet", dtype=torch.float32, low_cpu_mem_usage=False
    )
    average = {"n_averaged": torch.tensor(record["steps"]["unet"])}
    average |= {f"module.{name}": value for name, value in unet.state_dict().items()}
    shutil.copytree(folder / "tokenizer", workspace.tokenizer)
    _write(workspace, record, "text", encoder=text_encoder.state_dict())
    _write(workspace, record, "vae", vae=vae.state_dict())
    _write(workspace, record, "decoder", decoder=vae.decoder.state_dict())
    _write(workspace, record, "unet", unet=unet.state_dict(), average=average)
    torch.save(vae.state_dict(), workspace.checkpoints / "vae-normalised.pt")
    history = History(workspace.history)
    for phase, steps in record["steps"].items():
        loss, seconds = record["losses"][phase], record["seconds"][phase]
        history.add(Note(phase=phase, step=steps, loss=loss, seconds=seconds))


def _write(workspace: Workspace, record: dict[str, Any], phase: str, **parts: Any) -> None:  # noqa: ANN401
    state = {"step": record["steps"][phase], "parts": parts}
    torch.save(state, workspace.checkpoints / f"{phase}.pt")
