"""The recipe, stage by stage: from icons to networks.

    parser ───────────┐
    vae ─┬─> latents ─┴─> unet ─┬─> export ─┬─> evaluate
         └─> preview ───────────┘           │
    classifier ─────────────────────────────┘

The cells of the drawings are measured with the VAE when the text encoder is put together, which the
U-Net is trained on; the latents of the scenes are measured, too. Each stage resumes from its
checkpoint in the workspace, and trains nothing if it was finished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sheepgen.training.assets import (
    fetch_icons,
    paint_classifier_scenes,
    paint_vae_pictures,
    training_scenes,
)
from sheepgen.training.data.segmentation import class_maps
from sheepgen.training.evaluation.classifier import save_classifier, train_classifier
from sheepgen.training.networks import (
    build_classifier,
    build_preview_decoder,
    build_unet_for,
    build_vocabulary_for,
    fit_vae,
    load_text_encoder,
    load_unet,
)
from sheepgen.training.samples import SAMPLE_PROMPTS, encode_prompt, sample_sheet
from sheepgen.training.text_encoder.train_parser import build_parser, train_parser
from sheepgen.training.unet.dataset import gather_examples
from sheepgen.training.unet.latents import encode_scenes, load_latents
from sheepgen.training.unet.train_unet import train_unet
from sheepgen.training.vae import encode_pictures, train_decoder, train_preview_decoder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sheepgen.training.config import TrainingConfig, Workspace
    from sheepgen.training.data.icons import NpmIconStore
    from sheepgen.training.trainer import TrainStep

__all__ = ["STAGES", "stages_of", "train"]

STAGES = ("parser", "vae", "latents", "unet", "preview", "classifier")
"""In an order that works from nothing."""

SHEET_EVERY = 500
PREVIEW_PICTURES = 2_000


def stages_of(config: TrainingConfig) -> tuple[str, ...]:
    """Return the stages that a recipe needs: without evaluation, no classifier."""
    return STAGES if config.evaluated else STAGES[:-1]


def train(
    config: TrainingConfig, workspace: Workspace, device: torch.device, stages: Collection[str]
) -> Iterator[TrainStep]:
    """Train the networks of a recipe, and yield every step.

    Args:
        config: The recipe.
        workspace: Where data and checkpoints are kept.
        device: Where to compute.
        stages: Those of `STAGES` to run.

    Raises:
        ModelError: If a stage needs another that has not run.
    """
    icons = fetch_icons(workspace)
    checkpoint = workspace.checkpoint

    if "parser" in stages:
        vocabulary = build_vocabulary_for(config)
        parser = build_parser(vocabulary, config.text)
        yield from train_parser(parser, vocabulary, config.text, checkpoint("parser"), device)

    if "vae" in stages:
        vae = fit_vae(config, workspace, icons, device)
        pictures = paint_vae_pictures(config, workspace, icons)
        yield from train_decoder(vae, pictures, config.autoencoder, checkpoint("vae"), device)

    if "latents" in stages:
        vae = fit_vae(config, workspace, icons, device)
        yield from encode_scenes(training_scenes(config), icons, vae, workspace.latents, device)

    if "unet" in stages:
        yield from _train_unet(config, workspace, icons, device)

    if "preview" in stages:
        vae = fit_vae(config, workspace, icons, device)
        pictures = paint_vae_pictures(config, workspace, icons)[:PREVIEW_PICTURES]
        latents = torch.cat([*encode_pictures(vae, pictures, device)])
        decoder = build_preview_decoder(config)
        yield from train_preview_decoder(
            decoder, latents, pictures, config.autoencoder, checkpoint("preview")
        )

    if "classifier" in stages:
        scenes = paint_classifier_scenes(config, workspace, icons)
        classifier = build_classifier(config)
        yield from train_classifier(
            classifier,
            scenes.pictures,
            scenes.scenes,
            class_maps(scenes.scenes, icons),
            config.classifier,
            checkpoint("classifier"),
            device,
        )
        save_classifier(classifier, workspace.classifier)


def _train_unet(
    config: TrainingConfig, workspace: Workspace, icons: NpmIconStore, device: torch.device
) -> Iterator[TrainStep]:
    """Train the U-Net; save a sheet of samples every so often."""
    vae = fit_vae(config, workspace, icons, device)
    reader = load_text_encoder(config, workspace, icons, vae)
    prompts = torch.cat([encode_prompt(reader, prompt) for prompt in SAMPLE_PROMPTS])
    empty_prompt = reader.text_encoder.encode_nothing()[0]
    scenes = training_scenes(config)
    latents = load_latents(workspace.latents, scenes.count)
    examples = gather_examples(scenes, latents, icons, reader.text_encoder, reader.drawings)
    unet = build_unet_for(config)
    for step in train_unet(unet, examples, config.diffusion, workspace.checkpoint("unet"), device):
        if step.step % SHEET_EVERY == 0 or step.step == step.total_steps:
            averaged = load_unet(config, workspace).to(device)
            sheet = sample_sheet(averaged, vae, prompts, empty_prompt)
            workspace.samples.mkdir(parents=True, exist_ok=True)
            sheet.save(workspace.samples / f"unet_{step.step:06d}.png")
        yield step
