"""The phases of training in their order, each going on from where it was stopped.

    data -> text -> vae -> latents -> unet      (decoder, preview and classifier need no U-Net)
                     └-> decoder -> preview
    classifier, then export, then evaluate

A phase that trains is a generator of `TrainStep`; what it leaves behind is its checkpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sheepgen.training.autoencoder import (
    build_autoencoder,
    train_autoencoder,
    train_decoder,
    train_preview_decoder,
)
from sheepgen.training.classifier import train_classifier
from sheepgen.training.dataset import build_scenes
from sheepgen.training.diffusion import train_unet
from sheepgen.training.samples import SAMPLE_PROMPTS, draw_sheet
from sheepgen.training.text_encoder import (
    build_text_encoder,
    train_text_encoder,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.training.loop import TrainStep
    from sheepgen.training.project import Project


__all__ = ["PHASES"]

SHEET_EVERY = 500


def text(project: Project) -> Iterator[TrainStep]:
    """Distil the text encoder."""
    settings = project.config.text
    encoder = build_text_encoder(project.tokenizer, settings)
    yield from train_text_encoder(
        encoder,
        project.tokenizer,
        project.scenes.captions,
        project.words,
        settings,
        project.checkpoint("text"),
        project.device,
    )


def vae(project: Project) -> Iterator[TrainStep]:
    """Train encoder and decoder."""
    settings = project.config.autoencoder
    yield from train_autoencoder(
        build_autoencoder(settings),
        project.scenes.pictures,
        settings,
        project.checkpoint("vae"),
        project.device,
    )


def decoder(project: Project) -> Iterator[TrainStep]:
    """Go on with the decoder alone."""
    yield from train_decoder(
        project.normalised_autoencoder(),
        project.scenes.pictures,
        project.config.autoencoder,
        project.checkpoint("decoder"),
        project.device,
    )


def preview(project: Project) -> Iterator[TrainStep]:
    """Train the frames' decoder; short enough to begin anew each time."""
    network = project.preview_decoder()
    settings = project.config.autoencoder
    yield from train_preview_decoder(network, project.latents(), project.scenes.pictures, settings)
    torch.save(network.state_dict(), project.checkpoint("preview"))


def unet(project: Project) -> Iterator[TrainStep]:
    """Train the U-Net, drawing a sample sheet every so often."""
    captions = sorted({"", *project.scenes.captions})
    row = {caption: index for index, caption in enumerate(captions)}
    states = project.encode(captions)
    empty_state = states[row[""]]
    sample_states = project.encode(list(SAMPLE_PROMPTS))
    autoencoder = project.normalised_autoencoder()
    settings = project.config.diffusion
    weights = [
        settings.favourite_weight if settings.favourite in (scene.subject, scene.other) else 1.0
        for scene in project.scenes.scenes
    ]
    sheets = project.workspace.samples
    sheets.mkdir(parents=True, exist_ok=True)
    for report, averaged in train_unet(
        project.unet(),
        project.latents(),
        torch.tensor([row[caption] for caption in project.scenes.captions]),
        states,
        empty_state,
        torch.tensor(weights),
        settings,
        project.checkpoint("unet"),
        project.device,
    ):
        if report.step % SHEET_EVERY == 0 or report.step == report.total_steps:
            sheet = draw_sheet(averaged, autoencoder, sample_states, empty_state)
            sheet.save(sheets / f"unet_{report.step:06d}.png")
        yield report


def classifier(project: Project) -> Iterator[TrainStep]:
    """Train the judge on scenes of its own."""
    settings = project.config.classifier
    scenes = build_scenes(
        project.config.data,
        project.workspace,
        "judge",
        settings.train_scenes,
        seed=settings.seed,
        allow_held_out=True,
    )
    yield from train_classifier(
        project.classifier(),
        scenes.pictures,
        scenes.scenes,
        settings,
        project.checkpoint("classifier"),
    )


PHASES = {
    "text": text,
    "vae": vae,
    "decoder": decoder,
    "preview": preview,
    "unet": unet,
    "classifier": classifier,
}
"""The phases that train, by name, in an order that works from nothing."""
