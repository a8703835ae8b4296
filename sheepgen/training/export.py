"""Writes the trained parts as a diffusers folder in Stable Diffusion layout.

The folder's scheduler is that of Latent Consistency, on the noise schedule of the training. It goes
to the clean estimate at every step and noises it anew, which suits a U-Net that predicts clean
latents, distilled or not: what is wrong in an estimate is washed out. Its pictures at 8 steps are
cleaner than those of DPM-Solver++ at 12, with added noise or without.

The U-Net and the text encoder are stored in float16 to keep the package small; they are loaded as
float32. Beside the parts lie ``training.json``, which says how they were made, and
``MODEL_CARD.md`` for people.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from diffusers import (
    AutoencoderTiny,
    LCMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)

from sheepgen.models.families import EMBEDDED_CLASS, PREVIEW_COMPONENT
from sheepgen.models.registry import RECORD_FILE
from sheepgen.training.unet.build import build_scheduler

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import CLIPTextModel, CLIPTokenizer

    from sheepgen.embedded.preview_decoder import PreviewDecoder
    from sheepgen.embedded.scene_text_encoder import SceneTextEncoder
    from sheepgen.training.config import TrainingConfig

__all__ = [
    "ModelParts",
    "SceneModelParts",
    "export_model",
    "export_scene_model",
    "write_training_record",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelParts:
    """Everything that goes into the folder."""

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    vae: AutoencoderTiny
    preview_decoder: PreviewDecoder


def export_model(parts: ModelParts, folder: Path) -> None:
    """Write the parts into a folder that is not there yet."""
    StableDiffusionPipeline(
        vae=parts.vae.to("cpu", torch.float32),
        text_encoder=parts.text_encoder.to("cpu", torch.float16),
        tokenizer=parts.tokenizer,
        unet=parts.unet.to("cpu", torch.float16),
        scheduler=LCMScheduler.from_config(build_scheduler().config),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)
    # What loads it takes its states as float32, as the U-Net does.
    config = folder / "text_encoder" / "config.json"
    settings = json.loads(config.read_text("utf-8")) | {"dtype": "float32"}
    config.write_text(json.dumps(settings, indent=2) + "\n", "utf-8")
    parts.preview_decoder.to("cpu", torch.float32).save_pretrained(folder / "preview_decoder")


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneModelParts:
    """Everything that goes into the folder of a model whose text encoder reads scenes."""

    text_encoder: SceneTextEncoder
    unet: UNet2DConditionModel
    vae: AutoencoderTiny
    preview_decoder: PreviewDecoder


def export_scene_model(parts: SceneModelParts, folder: Path) -> None:
    """Write the parts into a folder that is not there yet."""
    components = {
        "scheduler": LCMScheduler.from_config(build_scheduler().config),
        "text_encoder": parts.text_encoder.to("cpu"),
        "unet": parts.unet.to("cpu", torch.float16),
        "vae": parts.vae.to("cpu", torch.float32),
    }
    parts.text_encoder.parser.to(torch.float16)
    for name, part in components.items():
        part.save_pretrained(folder / name)
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
