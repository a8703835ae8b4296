"""The phases of training in their order, each going on from where it was stopped.

    text ──────────┐
    latents ───────┴─> unet ──> export, then evaluate
    vae ─> preview ───────────────┘       │
    classifier ───────────────────────────┘

A phase that trains is a generator of `TrainStep`; what it leaves behind is its checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sheepgen.training.data.segmentation import class_maps
from sheepgen.training.data.word_meanings import WordMeanings
from sheepgen.training.evaluation.classifier import save_classifier, train_classifier
from sheepgen.training.samples import SAMPLE_PROMPTS, draw_sheet
from sheepgen.training.text_encoder.prompt_dataset import Lessons
from sheepgen.training.text_encoder.train_parser import train_trunk
from sheepgen.training.trainer import load_weights
from sheepgen.training.unet.latents import encode_split
from sheepgen.training.unet.train_unet import train_unet
from sheepgen.training.vae import (
    encode_pictures,
    train_decoder,
    train_preview_decoder,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.training.project import Project
    from sheepgen.training.trainer import TrainStep


__all__ = ["PHASES"]

SHEET_EVERY = 500
PREVIEW_PICTURES = 2_000


def text(project: Project) -> Iterator[TrainStep]:
    """Teach the text encoder's trunk."""
    material, settings, data = project.material, project.config.text, project.config.data
    vocabulary = {word for name in material.vocabulary for word in name.split()}
    meanings = WordMeanings.of(
        {*material.said, *vocabulary, *material.lexicon, *material.evoked},
        material.sentence_encoder,
        settings.width,
    )
    lessons = Lessons(
        seed=settings.seed,
        lexicon=material.lexicon,
        evoked=material.evoked,
        fillers=material.fillers,
        mix=data.mix,
        cast=data.cast,
    )
    yield from train_trunk(
        project.trunk(meanings),
        project.tokenizer,
        lessons,
        meanings,
        settings,
        project.checkpoint("text"),
        project.device,
    )


def vae(project: Project) -> Iterator[TrainStep]:
    """Fit the encoder, and train the decoder."""
    yield from train_decoder(
        project.autoencoder(),
        project.material.pictures.pictures,
        project.config.autoencoder,
        project.checkpoint("vae"),
        project.device,
    )


def preview(project: Project) -> Iterator[TrainStep]:
    """Train the decoder of step frames."""
    network = project.preview_decoder()
    pictures = project.material.pictures.pictures[:PREVIEW_PICTURES]
    latents = encode_pictures(project.autoencoder(), pictures, project.device)
    settings = project.config.autoencoder
    yield from train_preview_decoder(
        network, torch.cat([*latents]), pictures, settings, project.checkpoint("preview")
    )


def latents(project: Project) -> Iterator[TrainStep]:
    """Paint the U-Net's scenes and encode them."""
    material, autoencoder = project.material, project.autoencoder()
    yield from encode_split(
        material.scenes, material.album, autoencoder, project.latents, project.device
    )


def unet(project: Project) -> Iterator[TrainStep]:
    """Train the U-Net, drawing a sample sheet every so often."""
    # Of what the text encoder tells, the U-Net is taught to look at this alone.
    looked_at = slice(0, project.states.layout.width)
    states = project.encode(["", *SAMPLE_PROMPTS])[..., looked_at]
    autoencoder = project.autoencoder()
    sheets = project.workspace.samples
    sheets.mkdir(parents=True, exist_ok=True)
    for report in train_unet(
        project.unet(),
        project.examples(),
        project.config.diffusion,
        project.checkpoint("unet"),
        project.device,
    ):
        if report.step % SHEET_EVERY == 0 or report.step == report.total_steps:
            averaged = project.unet().to(project.device)
            load_weights(averaged, project.checkpoint("unet"), averaged=True)
            sheet = draw_sheet(averaged, autoencoder, states[1:], states[0])
            sheet.save(sheets / f"unet_{report.step:06d}.png")
        yield report


def classifier(project: Project) -> Iterator[TrainStep]:
    """Train the classifier on scenes of its own, and write it in its installed form."""
    scenes = project.material.classifier_scenes
    yield from train_classifier(
        project.classifier(),
        scenes.pictures,
        scenes.scenes,
        class_maps(scenes.scenes, project.material.album),
        project.config.classifier,
        project.checkpoint("classifier"),
        project.device,
    )
    save_classifier(project.trained_classifier(), project.workspace.classifier)


PHASES = {
    "text": text,
    "vae": vae,
    "latents": latents,
    "unet": unet,
    "preview": preview,
    "classifier": classifier,
}
"""The phases that train, by name, in an order that works from nothing."""
