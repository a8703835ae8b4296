"""Writes the trained parts as a model folder in the layout of diffusers.

The folder's scheduler is that of Latent Consistency, on the noise schedule of the training. It goes
to the clean estimate at every step and noises it anew, which suits a U-Net that predicts clean
latents, distilled or not: what is wrong in an estimate is washed out. Its pictures at 8 steps are
cleaner than those of DPM-Solver++ at 12, with added noise or without.

The U-Net is stored in float16 to keep the package small; it is loaded as float32. Beside the parts
lie ``training.json``, which says how they were made, and ``MODEL_CARD.md`` for people.
"""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from diffusers import AutoencoderTiny, LCMScheduler, UNet2DConditionModel

from sheepgen.embedded.vocabulary_file import write_vocabulary
from sheepgen.models.families import EMBEDDED_CLASS, PREVIEW_COMPONENT, VOCABULARY_FILE
from sheepgen.models.training_record import RECORD_FILE
from sheepgen.training.unet.build import build_scheduler

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.embedded.preview_decoder import PreviewDecoder
    from sheepgen.embedded.scene_text_encoder import SceneTextEncoder
    from sheepgen.embedded.vocabulary import Vocabulary
    from sheepgen.training.config import TrainingConfig

__all__ = ["ModelParts", "export_model", "write_training_record"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelParts:
    """Everything that goes into the folder."""

    vocabulary: Vocabulary
    text_encoder: SceneTextEncoder
    unet: UNet2DConditionModel
    vae: AutoencoderTiny
    preview_decoder: PreviewDecoder


def export_model(parts: ModelParts, folder: Path) -> None:
    """Write the parts into a folder that is not there yet; they stay as they are."""
    text_encoder = deepcopy(parts.text_encoder).to("cpu")
    text_encoder.parser.to(torch.float16)
    components = {
        "scheduler": LCMScheduler.from_config(build_scheduler().config),
        "text_encoder": text_encoder,
        "unet": deepcopy(parts.unet).to("cpu", torch.float16),
        "vae": parts.vae.to("cpu", torch.float32),
    }
    for name, part in components.items():
        part.save_pretrained(folder / name)
    write_vocabulary(parts.vocabulary, folder / "text_encoder" / VOCABULARY_FILE)
    parts.preview_decoder.to("cpu", torch.float32).save_pretrained(folder / PREVIEW_COMPONENT)
    index = {
        "_class_name": EMBEDDED_CLASS,
        "_diffusers_version": version("diffusers"),
        **{
            name: [type(part).__module__.partition(".")[0], type(part).__name__]
            for name, part in components.items()
        },
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", "utf-8")


def write_training_record(
    folder: Path, config: TrainingConfig, facts: dict[str, Any]
) -> dict[str, Any]:
    """Write and return ``training.json``: the recipe, what came of it, and each weight file's hash.

    Args:
        folder: The exported model.
        config: The recipe.
        facts: Data counts and hashes, steps and losses, seconds, scores.
    """
    weights = sorted(folder.rglob("*.safetensors"))
    record = {
        "config": asdict(config),
        **facts,
        "versions": {name: version(name) for name in ("torch", "diffusers", "transformers")},
        "sha256": {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in weights
        },
    }
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (folder / RECORD_FILE).write_text(text, encoding="utf-8")
    return record
