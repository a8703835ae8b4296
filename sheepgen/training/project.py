"""A training project: a recipe, its folder, and every network by what it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from sheepgen.pipeline.preview import PreviewDecoder
from sheepgen.training.appearance import Appearances
from sheepgen.training.autoencoder import (
    build_autoencoder,
    fit_encoder,
)
from sheepgen.training.classifier import Classifier
from sheepgen.training.diffusion import build_unet
from sheepgen.training.export import ModelParts
from sheepgen.training.latents import LatentStore
from sheepgen.training.loop import averaged_weights, trained_weights
from sheepgen.training.material import Material
from sheepgen.training.shown import slots_shown
from sheepgen.training.teacher import Teacher
from sheepgen.training.text_encoder import build_text_encoder, encode_captions, teacher_sample
from sheepgen.training.tokenizer import build_tokenizer, load_tokenizer
from sheepgen.training.whole_file import written_whole

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers import AutoencoderTiny, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    from sheepgen.training.config import TrainingConfig, Workspace

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
    def teacher(self) -> Teacher:
        """What the text encoder learns from; fitted once and then kept."""
        path = self.checkpoint("teacher")
        if not path.exists():
            settings = self.config.text
            fitted = Teacher.fitted(
                self.material.sentence_encoder,
                Appearances.fitted(
                    self.material.album, self.material.cast, settings.appearance_size
                ),
                teacher_sample(self.material.captions, self.material.vocabulary, settings.seed),
                settings.hidden_size,
            )
            with written_whole(path) as partial:
                torch.save(fitted.state(), partial)
        return Teacher.restored(
            self.material.sentence_encoder,
            self.material.album,
            torch.load(path, weights_only=True),
        )

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        """The tokenizer, learned once and then kept.

        Learning it again gives other numbers to letters that are equally frequent, and with them
        other meanings: whatever was trained with one tokenizer goes with that one alone.
        """
        folder = self.workspace.tokenizer
        if not folder.exists():
            tokenizer = build_tokenizer(
                self.material.captions,
                [*self.material.vocabulary.words, *self.material.vocabulary.lexicon],
                self.config.text,
            )
            with written_whole(folder) as partial:
                tokenizer.save_pretrained(partial)
        return load_tokenizer(folder)

    def text_encoder(self) -> CLIPTextModel:
        """Return the trained text encoder."""
        encoder = build_text_encoder(self.tokenizer, self.config.text)
        encoder.load_state_dict(trained_weights(self.checkpoint("text"), "encoder"))
        return encoder.eval()

    def autoencoder(self) -> AutoencoderTiny:
        """Return the VAE: its encoder fitted, once, its decoder as far as it has been trained."""
        vae = build_autoencoder(self.config.autoencoder)
        fitted, trained = self.checkpoint("encoder"), self.checkpoint("vae")
        if not fitted.exists():
            fit_encoder(vae, self.material.pictures.pictures[:FITTED_PICTURES])
            with written_whole(fitted) as partial:
                torch.save(vae.encoder.state_dict(), partial)
        vae.encoder.load_state_dict(torch.load(fitted, map_location="cpu", weights_only=True))
        if trained.exists():
            vae.decoder.load_state_dict(trained_weights(trained, "decoder"))
        return vae.to(self.device).eval()

    @property
    def latents(self) -> LatentStore:
        """The training scenes' latents, as far as they have been encoded."""
        return LatentStore(self.workspace.latents)

    def encode(self, captions: list[str]) -> torch.Tensor:
        """Return the captions' states, (captions, tokens, width), float16."""
        return encode_captions(self.text_encoder(), self.tokenizer, captions, self.device)

    def slots_shown(self) -> torch.Tensor:
        """Return what the training scenes show, as finely as the U-Net's attention looks.

        See `sheepgen.training.shown.slots_shown`.
        """
        split, settings = self.material.scenes, self.config.diffusion
        scenes = [split.scene(index) for index in range(split.count)]
        side = self._latent_side >> len(settings.channels) - settings.attention_levels
        return slots_shown(scenes, self.material.album, side)

    def unet(self) -> UNet2DConditionModel:
        """Return an untrained U-Net for this project's latents and text."""
        return build_unet(
            self.config.diffusion,
            latent_channels=self.config.autoencoder.latent_channels,
            sample_size=self._latent_side,
            text_width=self.config.text.hidden_size,
        )

    @property
    def _latent_side(self) -> int:
        return self.config.data.image_size >> len(self.config.autoencoder.decoder_blocks) - 1

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
        """Return the classifier that judges.

        Raises:
            ModelError: If it has not been trained.
        """
        classifier = self.classifier()
        classifier.load_state_dict(trained_weights(self.checkpoint("classifier"), "classifier"))
        return classifier.eval()

    def model_parts(self) -> ModelParts:
        """Return everything that is exported."""
        unet = self.unet()
        unet.load_state_dict(averaged_weights(self.checkpoint("unet")))
        preview = self.preview_decoder()
        preview.load_state_dict(torch.load(self.checkpoint("preview"), weights_only=True))
        return ModelParts(
            # A fresh one: those that were called keep how they were told to cut and pad.
            tokenizer=load_tokenizer(self.workspace.tokenizer),
            text_encoder=self.text_encoder(),
            unet=unet,
            vae=self.autoencoder(),
            preview_decoder=preview,
        )
