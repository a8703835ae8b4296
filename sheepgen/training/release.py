"""Makes a release of what is trained: export, evaluation, record, card."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch

from sheepgen.embedded.family import EmbeddedModel
from sheepgen.machine import processor_name
from sheepgen.models.registry import KNOWN_MODELS
from sheepgen.models.resolve import find_model
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest
from sheepgen.training.assets import (
    fetch_icons,
    training_scenes,
    unseen_pictures,
)
from sheepgen.training.atomic_write import replace_folder
from sheepgen.training.contact_sheet import make_contact_sheet
from sheepgen.training.evaluation.evaluate import (
    build_evaluator,
    evaluate_model,
    save_sheet,
    sheet_paths,
)
from sheepgen.training.evaluation.prompts import prompt_groups
from sheepgen.training.export import ModelParts, export_model, write_training_record
from sheepgen.training.history import read_history, summarise
from sheepgen.training.model_card import write_model_card
from sheepgen.training.networks import (
    fit_vae,
    load_preview_decoder,
    load_text_encoder,
    load_unet,
)
from sheepgen.training.vae import reconstruction_psnr

if TYPE_CHECKING:
    from typing import Any

    from sheepgen.pipeline.family import LoadedModel
    from sheepgen.training.config import TrainingConfig, Workspace
    from sheepgen.training.data.icons import NpmIconStore

__all__ = ["load_parts", "release_model"]

CONTACT_SHEET = "contact_sheet.webp"
CPU = torch.device("cpu")


def release_model(
    config: TrainingConfig, workspace: Workspace, device: torch.device, folder: Path
) -> dict[str, Any]:
    """Write the model's folder with its record and its card; return the record.

    A model that is evaluated has a contact sheet beside its card, and one sheet of the images of
    each group is saved in the workspace's samples. What is in the folder's place stays there
    until the new model has been measured and described.

    Args:
        config: The recipe.
        workspace: Where it was trained.
        device: On which.
        folder: Where the model is written.

    Raises:
        ModelError: If a stage that it needs has not run.
        OSError: If the folder cannot be written or replaced.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        icons = fetch_icons(workspace)
        export_model(load_parts(config, workspace, icons), new)
        model = EmbeddedModel.load(find_model(str(new)), CPU, torch.float32)
        evaluation = _evaluate(model, config, workspace, new)
        training = _describe_training(config, workspace, device)
        measured = _measure(model, config, workspace, icons)
        record = write_training_record(new, config, {**training, **measured, **evaluation})
        write_model_card(new, record)
        replace_folder(folder, new, old=old)
    return record


def load_parts(config: TrainingConfig, workspace: Workspace, icons: NpmIconStore) -> ModelParts:
    """Return everything that is exported.

    Raises:
        ModelError: If a stage has not run.
    """
    vae = fit_vae(config, workspace, icons, CPU)
    reader = load_text_encoder(config, workspace, icons, vae)
    return ModelParts(
        vocabulary=reader.vocabulary,
        text_encoder=reader.text_encoder,
        unet=load_unet(config, workspace),
        vae=vae,
        preview_decoder=load_preview_decoder(config, workspace),
    )


def _describe_training(
    config: TrainingConfig, workspace: Workspace, device: torch.device
) -> dict[str, Any]:
    """Return what the record says of data and stages."""
    stages = summarise(read_history(workspace.history))
    return {
        "data_sha256": training_scenes(config).sha256(),
        "steps": {name: stage.steps for name, stage in stages.items()},
        "scenes_seen": stages["unet"].steps * config.diffusion.batch_size,
        "losses": {name: stage.loss for name, stage in stages.items()},
        "seconds": {name: stage.seconds for name, stage in stages.items()},
        "hardware": _hardware(device),
    }


def _measure(
    model: EmbeddedModel, config: TrainingConfig, workspace: Workspace, icons: NpmIconStore
) -> dict[str, Any]:
    """Return what the record says of the exported networks."""
    sampling = KNOWN_MODELS[EMBEDDED_MODEL]
    vocabulary = model.reader.vocabulary
    return {
        "vocabulary": {
            "concepts": len(vocabulary.concepts),
            "drawings": len(vocabulary.drawings),
            "near": len(vocabulary.near),
            "evoked": len(vocabulary.evoked),
        },
        "parameters": {
            "text_encoder": model.reader.text_encoder.num_parameters(),
            "unet": model.unet.num_parameters(),
            "vae": model.vae.num_parameters(),
        },
        "psnr_db": {
            name: round(reconstruction_psnr(model.vae, pictures, CPU), 2)
            for name, pictures in unseen_pictures(config, workspace, icons)
        },
        "sampling": {
            "num_inference_steps": sampling.num_inference_steps,
            "guidance_scale": sampling.guidance_scale,
            "scheduler": model.spec.defaults.scheduler,
            "made_for": asdict(sampling.made_for),
        },
    }


def _evaluate(
    model: LoadedModel, config: TrainingConfig, workspace: Workspace, folder: Path
) -> dict[str, Any]:
    """Score the model, and save sheets of its images beside it and in the workspace."""
    if not config.evaluated:
        return {"scores": [], "frechet_distance": None}
    sampling = KNOWN_MODELS[EMBEDDED_MODEL]
    settings = GenerationRequest(
        prompt="any",
        seed=0,
        num_inference_steps=sampling.num_inference_steps,
        guidance_scale=sampling.guidance_scale,
    )
    evaluator = build_evaluator(config, workspace)
    groups = prompt_groups()
    workspace.samples.mkdir(parents=True, exist_ok=True)
    sheets = sheet_paths(workspace.samples, groups, overwrite=True)
    results = []
    for result in evaluate_model(model, settings, evaluator, groups, seeds_per_prompt=1):
        save_sheet(result.images, sheets[result.score.group])
        results.append(result)
    make_contact_sheet(model, settings).save(folder / CONTACT_SHEET, quality=80, method=6)
    return {
        "scores": [result.score.to_dict() for result in results],
        "frechet_distance": evaluator.distance(results),
    }


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} cores of {processor_name()}"
