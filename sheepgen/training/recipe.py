"""Whether two recipes are about the same model, so that one may go on where the other stopped."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sheepgen.errors import UsageError
from sheepgen.sanitize import excerpt
from sheepgen.training.atomic_write import atomic_write

if TYPE_CHECKING:
    from sheepgen.training.config import TrainingConfig, Workspace

__all__ = ["claim_workspace", "differing_setting"]

IDENTITY = {
    "data": ("image_size", "mix", "cast", "seed"),
    "text": (
        "vocab_size",
        "words",
        "width",
        "layers",
        "heads",
        "code_width",
        "block_width",
    ),
    "autoencoder": ("width", "decoder_blocks", "latent_channels"),
    "diffusion": (
        "channels",
        "attention_level",
        "text_width",
        "layers_per_block",
        "head_dim",
        "norm_groups",
        "embedding_size",
    ),
}
"""The settings that make networks and data what they are; all others may change on the way."""


def differing_setting(recorded: dict[str, Any], config: TrainingConfig) -> str:
    """Return the first setting of `IDENTITY` that is not as it was, or an empty string.

    Args:
        recorded: A recipe as JSON has it; a setting that it lacks counts as another.
        config: The recipe that it is held against.
    """
    wanted = _as_json(config)
    for section, names in IDENTITY.items():
        for name in names:
            if recorded.get(section, {}).get(name) != wanted[section][name]:
                return f"{section}.{name}"
    return ""


def claim_workspace(workspace: Workspace, config: TrainingConfig) -> None:
    """Write the recipe down in a new workspace, or check it in one that is there.

    Raises:
        UsageError: If another recipe has been worked with here.
    """
    path = workspace.root / "recipe.json"
    if path.exists():
        recorded = json.loads(path.read_text("utf-8"))
    elif workspace.checkpoints.exists():
        recorded = {}
    else:
        recorded = _as_json(config)
        workspace.root.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as partial:
            partial.write_text(json.dumps(recorded, indent=2) + "\n", "utf-8")
    if differing := differing_setting(recorded, config):
        raise UsageError(
            f"{excerpt(workspace.root, 200)} belongs to another recipe: {differing} differs.",
            "Give its --preset, or another --workspace.",
        )


def _as_json(config: TrainingConfig) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return plain
