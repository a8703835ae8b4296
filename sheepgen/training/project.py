"""A training project: a recipe, its folder, and every network by what it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from sheepgen.embedded.preview_decoder import PreviewDecoder
from sheepgen.errors import ModelError
from sheepgen.training.atomic_write import atomic_write
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.icon_sets import MIXES
from sheepgen.training.data.layout import CELLS
from sheepgen.training.data.splits import held_out_drawings
from sheepgen.training.evaluation.classifier import Classifier, load_installed_classifier
from sheepgen.training.export import ModelParts
from sheepgen.training.material import Material
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
from sheepgen.training.text_encoder.train_parser import build_trunk, encode_captions
from sheepgen.training.trainer import load_weights
from sheepgen.training.unet.build import build_unet, widen
from sheepgen.training.unet.dataset import gather_examples
from sheepgen.training.unet.latents import LatentStore
from sheepgen.training.vae import build_autoencoder, fit_encoder

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers import AutoencoderTiny, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    from sheepgen.training.config import TrainingConfig, Workspace
    from sheepgen.training.data.word_meanings import WordMeanings
    from sheepgen.training.text_encoder.prompt_parser import TextTrunk
    from sheepgen.training.unet.dataset import Examples

__all__ = ["Project"]

FITTED_PICTURES = 300
"""How many pictures the VAE's encoder is fitted on."""


@dataclass(frozen=True)
class Project:
    """A recipe, the folder it is worked in, and the device it runs on."""

    config: TrainingConfig
    workspace: Workspace
    device: torch.device

    def checkpoint(self, name: str) -> Path:
        """Return the file of that name among the checkpoints."""
        return self.workspace.checkpoints / f"{name}.pt"

    @cached_property
    def material(self) -> Material:
        """What is learned from."""
        return Material(self.config, self.workspace)

    @cached_property
    def states(self) -> States:
        """What the text encoder is to tell of prompts; fitted once and then kept.

        Raises:
            ModelError: If what is kept is of another number of drawings.
        """
        path = self.checkpoint("looks")
        if not path.exists():
            with atomic_write(path) as partial:
                torch.save(self._fitted_looks().state(), partial)
        looks = Looks(**torch.load(path, weights_only=True))
        rows = {drawing: row for row, drawing in enumerate(self._drawings)}
        if len(rows) != len(looks.codes):
            raise ModelError(
                f"{path.name} tells {len(looks.codes)} drawings, and there are {len(rows)}.",
                "Move the file away to fit looks anew.",
            )
        return States(looks, rows, self.config.text.words)

    @property
    def _drawings(self) -> list[Drawing]:
        """The drawings that training shows."""
        return [
            Drawing(style, name)
            for name in self.material.cast
            for style in MIXES[self.config.data.mix]
            if style in concepts()[name].drawings and (style, name) not in held_out_drawings()
        ]

    def _fitted_looks(self) -> Looks:
        settings, vae = self.config.text, self.autoencoder()
        alone, companion = (
            measured_looks(self.material.album, self._drawings, vae, side)
            for side in (ALONE_SIDE, COMPANION_SIDE)
        )
        return Looks.fitted(
            alone, companion, width=settings.code_width, block_width=settings.block_width
        )

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        """The tokenizer, learned once and then kept.

        Learning it again gives other numbers to letters that are equally frequent, and with them
        other meanings: whatever was trained with one tokenizer goes with that one alone.
        """
        folder = self.workspace.tokenizer
        if not folder.exists():
            words = [*self.material.lexicon, *self.material.evoked]
            tokenizer = build_tokenizer(self.material.captions, words, self.config.text)
            with atomic_write(folder) as partial:
                tokenizer.save_pretrained(partial)
        return load_tokenizer(folder)

    def trunk(self, meanings: WordMeanings | None = None) -> TextTrunk:
        """Return an untrained trunk of the text encoder, whose words begin as what they mean."""
        return build_trunk(self.tokenizer, self.material.cast, meanings, self.config.text)

    def text_encoder(self) -> CLIPTextModel:
        """Return the text encoder: its trunk as far as it has been trained, and the rest."""
        trunk = self.trunk()
        load_weights(trunk, self.checkpoint("text"))
        return unfold(trunk, self.states, self.tokenizer)

    def autoencoder(self) -> AutoencoderTiny:
        """Return the VAE: its encoder fitted, once, its decoder as far as it has been trained."""
        vae = build_autoencoder(self.config.autoencoder)
        fitted, trained = self.checkpoint("encoder"), self.checkpoint("vae")
        if not fitted.exists():
            fit_encoder(vae, self.material.pictures.pictures[:FITTED_PICTURES])
            with atomic_write(fitted) as partial:
                torch.save(vae.encoder.state_dict(), partial)
        vae.encoder.load_state_dict(torch.load(fitted, map_location="cpu", weights_only=True))
        if trained.exists():
            load_weights(vae.decoder, trained)
        return vae.to(self.device).eval()

    @property
    def latents(self) -> LatentStore:
        """The training scenes' latents, as far as they have been encoded."""
        return LatentStore(self.workspace.latents)

    def encode(self, captions: list[str]) -> torch.Tensor:
        """Return the captions' states, (captions, tokens, width), float16."""
        return encode_captions(self.text_encoder(), self.tokenizer, captions, self.device)

    def examples(self) -> Examples:
        """Return what the U-Net learns from."""
        split = self.material.scenes
        latents = self.latents.load(split.count)
        return gather_examples(split, latents, self.material.album, self.states)

    def unet(self) -> UNet2DConditionModel:
        """Return an untrained U-Net for this project's latents and states."""
        return build_unet(
            self.config.diffusion,
            latent_channels=self.config.autoencoder.latent_channels,
            sample_size=CELLS,
            state_width=self.states.layout.width,
        )

    def preview_decoder(self) -> PreviewDecoder:
        """Return an untrained preview decoder."""
        settings = self.config.autoencoder
        torch.manual_seed(settings.seed)
        network: PreviewDecoder = PreviewDecoder(
            latent_channels=settings.latent_channels,
            width=settings.preview_width,
            upscale=2 ** (len(settings.decoder_blocks) - 1),
        )
        return network

    def classifier(self) -> Classifier:
        """Return an untrained classifier."""
        torch.manual_seed(self.config.classifier.seed)
        return Classifier()

    def trained_classifier(self) -> Classifier:
        """Return the evaluation's classifier: the workspace's own, or the installed one."""
        if not self.checkpoint("classifier").exists():
            return load_installed_classifier()
        classifier = self.classifier()
        load_weights(classifier, self.checkpoint("classifier"))
        return classifier.eval()

    def model_parts(self) -> ModelParts:
        """Return everything that is exported."""
        unet = self.unet()
        load_weights(unet, self.checkpoint("unet"), averaged=True)
        text_encoder = self.text_encoder()
        preview = self.preview_decoder()
        load_weights(preview, self.checkpoint("preview"))
        return ModelParts(
            # A fresh one: those that were called keep how they were told to cut and pad.
            tokenizer=load_tokenizer(self.workspace.tokenizer),
            text_encoder=text_encoder,
            unet=widen(unet, text_encoder.config.hidden_size),
            vae=self.autoencoder(),
            preview_decoder=preview,
        )
