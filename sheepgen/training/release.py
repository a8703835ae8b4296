"""Makes a release of what is trained: export, evaluation, record, card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from rich.table import Table

from sheepgen.catalog import KNOWN_MODELS, find_model
from sheepgen.pipeline.environment import processor_name
from sheepgen.pipeline.loading import load_pipeline
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.training.autoencoder import reconstruction_psnr
from sheepgen.training.dataset import load_all_drawings
from sheepgen.training.evaluate import Score, real_scores, score_model
from sheepgen.training.export import export_model, write_training_record
from sheepgen.training.history import History
from sheepgen.training.model_card import write_model_card

if TYPE_CHECKING:
    from pathlib import Path

    from sheepgen.training.project import Project

__all__ = ["release_model"]


def release_model(project: Project, folder: Path) -> Table:
    """Write the model's folder and return the evaluation as a table.

    One sheet of all evaluated pictures a group goes to the workspace's samples.
    """
    export_model(project.model_parts(), folder)
    parts = load_pipeline(find_model(str(folder)), device="cpu", dtype="fp32")
    psnr = reconstruction_psnr(parts.vae, project.held_out_scenes.pictures, torch.device("cpu"))
    classifier = project.classifier()
    drawings = load_all_drawings(project.config.data, project.workspace)
    ceilings = real_scores(classifier, drawings, project.config.data.image_size)
    scores: list[Score] = []
    project.workspace.samples.mkdir(parents=True, exist_ok=True)
    sampling = KNOWN_MODELS[EMBEDDED_MODEL]
    for score, sheet in score_model(parts, sampling, classifier, ceilings):
        scores.append(score)
        sheet.save(project.workspace.samples / f"{score.group.replace(' ', '-')}.png")
    notes = History(project.workspace.root / "history.json").read()
    record = write_training_record(
        folder,
        project.config,
        {
            "data_sha256": project.scenes.sha256,
            "captions": len(set(project.scenes.captions)),
            "steps": {phase: int(note["steps"]) for phase, note in notes.items()},
            "scenes_seen": project.config.diffusion.scenes_seen(int(notes["unet"]["steps"])),
            "losses": {phase: note["loss"] for phase, note in notes.items()},
            "seconds": {phase: note["seconds"] for phase, note in notes.items()},
            "hardware": f"{torch.get_num_threads()} cores of {processor_name()}",
            "parameters": {
                "text_encoder": parts.text_encoder.num_parameters(),
                "unet": parts.unet.num_parameters(),
                "vae": parts.vae.num_parameters(),
            },
            "psnr_db": round(psnr, 2),
            "sampling": {
                "num_inference_steps": sampling.num_inference_steps,
                "guidance_scale": sampling.guidance_scale,
                "scheduler": parts.spec.defaults.scheduler,
            },
            "scores": [score.to_dict() for score in scores],
        },
    )
    write_model_card(folder, record)
    return _table(psnr, scores)


def _table(psnr: float, scores: list[Score]) -> Table:
    table = Table(title=f"Autoencoder {psnr:.2f} dB; everything prompted is found:")
    for heading in ("prompts", "pictures", "found", "ceiling"):
        table.add_column(heading, justify="left" if heading == "prompts" else "right")
    for score in scores:
        found, ceiling = f"{score.all_found:.1f}%", f"{score.ceiling:.1f}%"
        table.add_row(score.group, str(score.pictures), found, ceiling)
    return table
