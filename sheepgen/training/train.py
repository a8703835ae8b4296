"""The recipe, stage by stage: from icons to networks.

    text ──────────┐
    latents ───────┴─> unet ──> export, then evaluate
    vae ─> preview ───────────────┘       │
    classifier ───────────────────────────┘

Each stage resumes from its checkpoint in the workspace, and is over at once if it was finished.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sheepgen.training.assets import (
    concept_names,
    distractor_words,
    fetch_icons,
    load_word_lists,
    paint_classifier_scenes,
    paint_vae_pictures,
    training_scenes,
)
from sheepgen.training.data.segmentation import class_maps
from sheepgen.training.data.word_meanings import WordMeanings
from sheepgen.training.evaluation.classifier import save_classifier, train_classifier
from sheepgen.training.networks import (
    build_classifier,
    build_preview_decoder,
    build_unet_for,
    fit_states,
    fit_tokenizer,
    fit_vae,
    load_text_encoder,
    load_unet,
)
from sheepgen.training.samples import SAMPLE_PROMPTS, sample_sheet
from sheepgen.training.text_encoder.prompt_dataset import Lessons
from sheepgen.training.text_encoder.tokenizer import load_tokenizer
from sheepgen.training.text_encoder.train_parser import build_trunk, encode_captions, train_trunk
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

STAGES = ("text", "vae", "latents", "unet", "preview", "classifier")
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

    if "text" in stages:
        yield from _train_text_encoder(config, workspace, icons, device)

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


def _train_text_encoder(
    config: TrainingConfig, workspace: Workspace, icons: NpmIconStore, device: torch.device
) -> Iterator[TrainStep]:
    """Train the prompt parser; it needs words, but no pictures."""
    words = load_word_lists(config, workspace, icons)
    tokenizer = fit_tokenizer(config, workspace, words)
    vocabulary = {word for name in words.vocabulary for word in name.split()}
    meanings = WordMeanings.of(
        {*words.caption_words, *vocabulary, *words.synonyms, *words.associations},
        words.sentence_encoder,
        config.text.width,
    )
    dataset = Lessons(
        seed=config.text.seed,
        lexicon=words.synonyms,
        evoked=words.associations,
        fillers=distractor_words(words),
        mix=config.data.mix,
        cast=config.data.cast,
    )
    parser = build_trunk(tokenizer, concept_names(config), meanings, config.text)
    yield from train_trunk(
        parser, tokenizer, dataset, meanings, config.text, workspace.checkpoint("text"), device
    )


def _train_unet(
    config: TrainingConfig,
    workspace: Workspace,
    icons: NpmIconStore,
    device: torch.device,
) -> Iterator[TrainStep]:
    """Train the U-Net; save a sheet of samples every so often."""
    vae = fit_vae(config, workspace, icons, device)
    states = fit_states(config, workspace, icons, vae)
    text_encoder = load_text_encoder(config, workspace, states)
    tokenizer = load_tokenizer(workspace.tokenizer)
    # Of the text encoder's numbers, the U-Net reads these alone.
    read = slice(0, states.layout.width)
    empty, *prompts = encode_captions(text_encoder, tokenizer, ["", *SAMPLE_PROMPTS], device)
    scenes = training_scenes(config)
    latents = load_latents(workspace.latents, scenes.count)
    examples = gather_examples(scenes, latents, icons, states)
    unet = build_unet_for(config, states)
    for step in train_unet(unet, examples, config.diffusion, workspace.checkpoint("unet"), device):
        if step.step % SHEET_EVERY == 0 or step.step == step.total_steps:
            averaged = load_unet(config, workspace, states).to(device)
            sheet = sample_sheet(averaged, vae, torch.stack(prompts)[..., read], empty[..., read])
            workspace.samples.mkdir(parents=True, exist_ok=True)
            sheet.save(workspace.samples / f"unet_{step.step:06d}.png")
        yield step
