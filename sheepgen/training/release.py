"""Makes a release of what is trained: export, evaluation, record, card."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch

from sheepgen.embedded.clip_family import ClipEmbeddedModel
from sheepgen.models.registry import KNOWN_MODELS
from sheepgen.models.resolve import find_model
from sheepgen.pipeline.environment import processor_name
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest
from sheepgen.training.atomic_write import replace_folder
from sheepgen.training.contact_sheet import make_contact_sheet
from sheepgen.training.evaluation.evaluate import (
    Evaluator,
    build_evaluator,
    evaluate_model,
    save_sheet,
    sheet_paths,
)
from sheepgen.training.evaluation.prompts import prompt_groups
from sheepgen.training.export import export_model, write_training_record
from sheepgen.training.history import History, summarise
from sheepgen.training.model_card import write_model_card
from sheepgen.training.vae import reconstruction_psnr

if TYPE_CHECKING:
    from typing import Any

    from sheepgen.pipeline.family import Model
    from sheepgen.training.project import Project

__all__ = ["release_model"]

CONTACT_SHEET = "contact_sheet.webp"


def release_model(project: Project, folder: Path) -> dict[str, Any]:
    """Write the model's folder with its record and its card; return the record.

    A model that is evaluated has a contact sheet beside its card, and one sheet of the images of
    each group is saved in the workspace's samples. What is in the folder's place stays there
    until the new model has been measured and described.

    Raises:
        ModelError: If a phase that it needs has not run.
        OSError: If the folder cannot be written or replaced.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        record = _write_model(project, new)
        replace_folder(folder, new, old=old)
    return record


def _write_model(project: Project, folder: Path) -> dict[str, Any]:
    evaluator = build_evaluator(project) if project.config.evaluated else None
    export_model(project.model_parts(), folder)
    model = ClipEmbeddedModel.load(find_model(str(folder)), torch.device("cpu"), torch.float32)
    sampling = KNOWN_MODELS[EMBEDDED_MODEL]
    settings = GenerationRequest(
        prompt="any",
        seed=0,
        num_inference_steps=sampling.num_inference_steps,
        guidance_scale=sampling.guidance_scale,
    )
    measured: dict[str, Any] = {"scores": [], "frechet_distance": None}
    if evaluator is not None:
        measured = _evaluate(model, settings, evaluator, project.workspace.samples)
        make_contact_sheet(model, settings).save(folder / CONTACT_SHEET, quality=80, method=6)
    phases = summarise(History(project.workspace.history).read())
    record = write_training_record(
        folder,
        project.config,
        {
            "data_sha256": project.material.scenes.sha256(),
            "lexicon": len(project.material.lexicon),
            "evoked": len(project.material.evoked),
            "steps": {name: phase.steps for name, phase in phases.items()},
            "scenes_seen": phases["unet"].steps * project.config.diffusion.batch_size,
            "losses": {name: phase.loss for name, phase in phases.items()},
            "seconds": {name: phase.seconds for name, phase in phases.items()},
            "hardware": _hardware(project.device),
            "parameters": {
                "text_encoder": model.text_encoder.num_parameters(),
                "unet": model.unet.num_parameters(),
                "vae": model.vae.num_parameters(),
            },
            "psnr_db": {
                name: round(reconstruction_psnr(model.vae, pictures, torch.device("cpu")), 2)
                for name, pictures in project.material.unseen_pictures()
            },
            "sampling": {
                "num_inference_steps": sampling.num_inference_steps,
                "guidance_scale": sampling.guidance_scale,
                "scheduler": model.spec.defaults.scheduler,
                "made_for": asdict(sampling.made_for),
            },
            **measured,
        },
    )
    write_model_card(folder, record)
    return record


def _evaluate(
    model: Model, settings: GenerationRequest, evaluator: Evaluator, folder: Path
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    groups = prompt_groups()
    sheets = sheet_paths(folder, groups, overwrite=True)
    results = []
    for result in evaluate_model(model, settings, evaluator, groups, seeds_per_prompt=1):
        save_sheet(result.images, sheets[result.score.group])
        results.append(result)
    return {
        "scores": [result.score.to_dict() for result in results],
        "frechet_distance": evaluator.distance(results),
    }


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.get_num_threads()} cores of {processor_name()}"
