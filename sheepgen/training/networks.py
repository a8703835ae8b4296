"""The networks of a recipe, as far as its workspace has them trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sheepgen.embedded.drawings import Drawing, DrawingTable
from sheepgen.embedded.preview_decoder import PreviewDecoder
from sheepgen.embedded.prompt_reader import PromptReader
from sheepgen.errors import ModelError
from sheepgen.training.assets import concept_names, paint_vae_pictures
from sheepgen.training.atomic_write import atomic_write
from sheepgen.training.data.drawings import all_drawings
from sheepgen.training.data.icon_sets import MIXES
from sheepgen.training.data.layout import CELLS
from sheepgen.training.evaluation.classifier import Classifier, load_installed_classifier
from sheepgen.training.text_encoder.build_text_encoder import (
    build_text_encoder,
    drawing_rows,
    measure_table,
    token_layout,
)
from sheepgen.training.text_encoder.build_vocabulary import build_vocabulary
from sheepgen.training.text_encoder.cell_table import OPACITIES, CellTable
from sheepgen.training.text_encoder.train_parser import build_parser
from sheepgen.training.trainer import load_weights
from sheepgen.training.unet.build import build_unet
from sheepgen.training.vae import build_autoencoder, fit_encoder

if TYPE_CHECKING:
    from diffusers import AutoencoderTiny, UNet2DConditionModel

    from sheepgen.embedded.vocabulary import Vocabulary
    from sheepgen.training.config import TrainingConfig, Workspace
    from sheepgen.training.data.drawings import Drawing as IconDrawing
    from sheepgen.training.data.icons import IconStore

__all__ = [
    "build_classifier",
    "build_preview_decoder",
    "build_unet_for",
    "build_vocabulary_for",
    "drawing_table",
    "drawings_of",
    "fit_cells",
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


def drawings_of(config: TrainingConfig) -> list[IconDrawing]:
    """Return the rows of the table of cells; those held out from training scenes are among them."""
    names, styles = {*concept_names(config)}, MIXES[config.data.mix]
    return [
        drawing
        for drawing in all_drawings()
        if drawing.concept in names and drawing.style in styles
    ]


def build_vocabulary_for(config: TrainingConfig) -> Vocabulary:
    """Return the vocabulary of a recipe's concepts and drawings."""
    return build_vocabulary(config.data.cast, drawing_rows(drawings_of(config)))


def fit_cells(
    config: TrainingConfig, workspace: Workspace, icons: IconStore, vae: AutoencoderTiny
) -> CellTable:
    """Return the cells of a recipe's drawings, measured once and then kept.

    Raises:
        ModelError: If what is kept is of another number of drawings.
    """
    drawings = drawings_of(config)
    path = workspace.checkpoint("cells")
    if not path.exists():
        with atomic_write(path) as partial:
            torch.save(measure_table(drawings, icons, vae).state(), partial)
    table = CellTable.from_state(torch.load(path, weights_only=True))
    if len(table.first) != len(drawings):
        raise ModelError(
            f"{path.name} has {len(table.first)} drawings, but the preset has {len(drawings)}.",
            "Move the file away to measure them again.",
        )
    return table


def load_text_encoder(
    config: TrainingConfig, workspace: Workspace, icons: IconStore, vae: AutoencoderTiny
) -> PromptReader:
    """Return the text encoder with its vocabulary.

    Raises:
        ModelError: If the stage of its parser has not run yet.
    """
    vocabulary = build_vocabulary_for(config)
    parser = build_parser(vocabulary, config.text)
    load_weights(parser, workspace.checkpoint("parser"))
    table = fit_cells(config, workspace, icons, vae)
    encoder = build_text_encoder(vocabulary, table, parser)
    return PromptReader(vocabulary, encoder, drawing_table(vocabulary))


def drawing_table(vocabulary: Vocabulary) -> DrawingTable:
    """Return the rows of the table of cells, as a vocabulary lists them."""
    return DrawingTable.of(Drawing(*row) for row in vocabulary.drawings)


def build_unet_for(config: TrainingConfig) -> UNet2DConditionModel:
    """Return an untrained U-Net for a recipe's latents and conditioning tokens."""
    channels = config.autoencoder.latent_channels
    return build_unet(
        config.diffusion,
        latent_channels=channels,
        sample_size=CELLS,
        token_width=token_layout(channels + OPACITIES).width,
    )


def load_unet(config: TrainingConfig, workspace: Workspace) -> UNet2DConditionModel:
    """Return the U-Net with averaged weights.

    Raises:
        ModelError: If its stage has not run yet.
    """
    unet = build_unet_for(config)
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
