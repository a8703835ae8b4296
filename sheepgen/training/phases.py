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

from sheepgen.training.autoencoder import (
    encode_pictures,
    train_decoder,
    train_preview_decoder,
)
from sheepgen.training.classifier import train_classifier
from sheepgen.training.diffusion import Examples, train_unet
from sheepgen.training.latents import encode_split
from sheepgen.training.samples import SAMPLE_PROMPTS, draw_sheet
from sheepgen.training.text_encoder import (
    build_text_encoder,
    train_text_encoder,
)
from sheepgen.training.whole_file import written_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.training.loop import TrainStep
    from sheepgen.training.project import Project


__all__ = ["PHASES"]

SHEET_EVERY = 500
PREVIEW_PICTURES = 2_000


def text(project: Project) -> Iterator[TrainStep]:
    """Teach the text encoder."""
    settings = project.config.text
    encoder = build_text_encoder(project.tokenizer, settings)
    yield from train_text_encoder(
        encoder,
        project.tokenizer,
        project.teacher,
        project.material.captions,
        project.material.labels,
        project.material.vocabulary,
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
    """Train the frames' decoder; short enough to begin anew each time."""
    network = project.preview_decoder()
    pictures = project.material.pictures.pictures[:PREVIEW_PICTURES]
    latents = encode_pictures(project.autoencoder(), pictures, project.device)
    settings = project.config.autoencoder
    yield from train_preview_decoder(network, torch.cat([*latents]), pictures, settings)
    with written_whole(project.checkpoint("preview")) as partial:
        torch.save(network.state_dict(), partial)


def latents(project: Project) -> Iterator[TrainStep]:
    """Paint the U-Net's scenes and encode them."""
    material, autoencoder = project.material, project.autoencoder()
    yield from encode_split(
        material.scenes, material.album, autoencoder, project.latents, project.device
    )


def unet(project: Project) -> Iterator[TrainStep]:
    """Train the U-Net, drawing a sample sheet every so often."""
    scenes = project.material.captions
    captions = sorted({"", *scenes})
    row = {caption: index for index, caption in enumerate(captions)}
    states = project.encode(captions)
    empty_state = states[row[""]]
    sample_states = project.encode(list(SAMPLE_PROMPTS))
    autoencoder = project.autoencoder()
    sheets = project.workspace.samples
    sheets.mkdir(parents=True, exist_ok=True)
    for report, averaged in train_unet(
        project.unet(),
        Examples(
            latents=project.latents.load(len(scenes)),
            slots_shown=project.slots_shown(),
            caption_states=states,
            caption_ids=torch.tensor([row[caption] for caption in scenes]),
            empty_state=empty_state,
        ),
        project.config.diffusion,
        project.checkpoint("unet"),
        project.device,
    ):
        if report.step % SHEET_EVERY == 0 or report.step == report.total_steps:
            sheet = draw_sheet(averaged, autoencoder, sample_states, empty_state)
            sheet.save(sheets / f"unet_{report.step:06d}.png")
        yield report


def classifier(project: Project) -> Iterator[TrainStep]:
    """Train the judge on scenes of its own."""
    scenes = project.material.judge_scenes
    yield from train_classifier(
        project.classifier(),
        scenes.pictures,
        scenes.scenes,
        project.config.classifier,
        project.checkpoint("classifier"),
        project.device,
    )


PHASES = {
    "text": text,
    "vae": vae,
    "latents": latents,
    "unet": unet,
    "preview": preview,
    "classifier": classifier,
}
"""The phases that train, by name, in an order that works from nothing."""
