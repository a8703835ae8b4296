"""The networks of a recipe, as far as its workspace has them trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sheepgen.embedded.preview_decoder import PreviewDecoder
from sheepgen.errors import ModelError
from sheepgen.training.assets import concept_names, paint_vae_pictures
from sheepgen.training.atomic_write import atomic_write
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icon_sets import MIXES
from sheepgen.training.data.layout import CELLS
from sheepgen.training.data.splits import held_out_drawings
from sheepgen.training.evaluation.classifier import Classifier, load_installed_classifier
from sheepgen.training.text_encoder.appearance import (
    ALONE_SIDE,
    COMPANION_SIDE,
    Drawing,
    Looks,
    measured_looks,
)
from sheepgen.training.text_encoder.compile import unfold
from sheepgen.training.text_encoder.conditioning_targets import States
from sheepgen.training.text_encoder.tokenizer import build_tokenizer, load_tokenizer
from sheepgen.training.text_encoder.train_parser import build_trunk
from sheepgen.training.trainer import load_weights
from sheepgen.training.unet.build import build_unet
from sheepgen.training.vae import build_autoencoder, fit_encoder

if TYPE_CHECKING:
    from diffusers import AutoencoderTiny, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    from sheepgen.training.assets import WordLists
    from sheepgen.training.config import TrainingConfig, Workspace
    from sheepgen.training.data.icons import IconStore

__all__ = [
    "build_classifier",
    "build_preview_decoder",
    "build_unet_for",
    "fit_states",
    "fit_tokenizer",
    "fit_vae",
    "load_classifier",
    "load_preview_decoder",
    "load_text_encoder",
    "load_unet",
]

FITTED_PICTURES = 300
"""How many pictures the VAE's encoder is fitted on."""


def fit_vae(
    config: TrainingConfig, workspace: Workspace, icons: IconStore, device: torch.device
) -> AutoencoderTiny:
    """Return the VAE: encoder fitted once and then kept, decoder as far as it is trained."""
    vae = build_autoencoder(config.autoencoder)
    fitted, trained = workspace.checkpoint("encoder"), workspace.checkpoint("vae")
    if not fitted.exists():
        fit_encoder(vae, paint_vae_pictures(config, workspace, icons)[:FITTED_PICTURES])
        with atomic_write(fitted) as partial:
            torch.save(vae.encoder.state_dict(), partial)
    vae.encoder.load_state_dict(torch.load(fitted, map_location="cpu", weights_only=True))
    if trained.exists():
        load_weights(vae.decoder, trained)
    return vae.to(device).eval()


def fit_states(
    config: TrainingConfig, workspace: Workspace, icons: IconStore, vae: AutoencoderTiny
) -> States:
    """Return what the text encoder is to give for prompts; fitted once and then kept.

    Raises:
        ModelError: If what is kept is of another number of drawings.
    """
    drawings = _drawings(config)
    path = workspace.checkpoint("looks")
    if not path.exists():
        alone, companion = (
            measured_looks(icons, drawings, vae, side) for side in (ALONE_SIDE, COMPANION_SIDE)
        )
        settings = config.text
        looks = Looks.fitted(
            alone, companion, width=settings.code_width, block_width=settings.block_width
        )
        with atomic_write(path) as partial:
            torch.save(looks.state(), partial)
    looks = Looks(**torch.load(path, weights_only=True))
    rows = {drawing: row for row, drawing in enumerate(drawings)}
    if len(rows) != len(looks.codes):
        raise ModelError(
            f"{path.name} has {len(looks.codes)} drawings, and there are {len(rows)}.",
            "Move the file away to fit it anew.",
        )
    return States(looks, rows, config.text.words)


def _drawings(config: TrainingConfig) -> list[Drawing]:
    """Return the drawings that training shows."""
    return [
        Drawing(style, name)
        for name in concept_names(config)
        for style in MIXES[config.data.mix]
        if style in concepts()[name].drawings and (style, name) not in held_out_drawings()
    ]


def fit_tokenizer(config: TrainingConfig, workspace: Workspace, words: WordLists) -> CLIPTokenizer:
    """Return the tokenizer, fitted once and then kept.

    Fitted again, it may number letters that are equally frequent otherwise: what was trained with
    one tokenizer goes with that one alone.
    """
    if not workspace.tokenizer.exists():
        others = [*words.synonyms, *words.associations]
        tokenizer = build_tokenizer(words.captions, others, config.text)
        with atomic_write(workspace.tokenizer) as partial:
            tokenizer.save_pretrained(partial)
    return load_tokenizer(workspace.tokenizer)


def load_text_encoder(
    config: TrainingConfig, workspace: Workspace, states: States
) -> CLIPTextModel:
    """Return the text encoder.

    Raises:
        ModelError: If its stage has not run yet.
    """
    checkpoint = workspace.checkpoint("text")
    if not checkpoint.exists():
        raise ModelError(f"There is no checkpoint {checkpoint.name}.", "Run the stage text first.")
    tokenizer = load_tokenizer(workspace.tokenizer)
    parser = build_trunk(tokenizer, concept_names(config), None, config.text)
    load_weights(parser, checkpoint)
    return unfold(parser, states, tokenizer)


def build_unet_for(config: TrainingConfig, states: States) -> UNet2DConditionModel:
    """Return an untrained U-Net for a recipe's latents and conditioning tokens."""
    return build_unet(
        config.diffusion,
        latent_channels=config.autoencoder.latent_channels,
        sample_size=CELLS,
        state_width=states.layout.width,
    )


def load_unet(config: TrainingConfig, workspace: Workspace, states: States) -> UNet2DConditionModel:
    """Return the U-Net with averaged weights.

    Raises:
        ModelError: If its stage has not run yet.
    """
    unet = build_unet_for(config, states)
    load_weights(unet, workspace.checkpoint("unet"), averaged=True)
    return unet


def build_preview_decoder(config: TrainingConfig) -> PreviewDecoder:
    """Return an untrained preview decoder."""
    settings = config.autoencoder
    torch.manual_seed(settings.seed)
    network: PreviewDecoder = PreviewDecoder(
        latent_channels=settings.latent_channels,
        width=settings.preview_width,
        upscale=2 ** (len(settings.decoder_blocks) - 1),
    )
    return network


def load_preview_decoder(config: TrainingConfig, workspace: Workspace) -> PreviewDecoder:
    """Return the preview decoder.

    Raises:
        ModelError: If its stage has not run yet.
    """
    network = build_preview_decoder(config)
    load_weights(network, workspace.checkpoint("preview"))
    return network


def build_classifier(config: TrainingConfig) -> Classifier:
    """Return an untrained classifier."""
    torch.manual_seed(config.classifier.seed)
    return Classifier()


def load_classifier(config: TrainingConfig, workspace: Workspace) -> Classifier:
    """Return the evaluation's classifier: the workspace's own, or the installed one."""
    if not workspace.checkpoint("classifier").exists():
        return load_installed_classifier()
    classifier = build_classifier(config)
    load_weights(classifier, workspace.checkpoint("classifier"))
    return classifier.eval()
