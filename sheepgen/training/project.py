"""A training project: a recipe, its folder, and every network and data set by what it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from sheepgen.pipeline.preview import PreviewDecoder
from sheepgen.training.autoencoder import (
    build_autoencoder,
    encode_pictures,
    normalise_latents,
)
from sheepgen.training.classifier import Classifier
from sheepgen.training.dataset import SceneSet, build_scenes
from sheepgen.training.diffusion import build_unet
from sheepgen.training.export import ModelParts
from sheepgen.training.loop import averaged_weights, trained_weights
from sheepgen.training.text_encoder import (
    build_text_encoder,
    encode_captions,
)
from sheepgen.training.tokenizer import build_tokenizer, load_tokenizer, vocabulary_words

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers import AutoencoderTiny, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    from sheepgen.training.config import TrainingConfig, Workspace

__all__ = ["Project"]

STATISTICS_SCENES = 2_000
"""How many scenes the latents' mean and spread are taken from."""


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
    def scenes(self) -> SceneSet:
        """The training scenes."""
        return build_scenes(
            self.config.data, self.workspace, "train", self.config.data.train_scenes
        )

    @cached_property
    def held_out_scenes(self) -> SceneSet:
        """Scenes that nothing is trained on."""
        data = self.config.data
        return build_scenes(data, self.workspace, "held-out", data.held_out_scenes)

    @cached_property
    def words(self) -> list[str]:
        """The wide vocabulary."""
        return vocabulary_words(self.workspace.packages / "node_modules")

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        """The tokenizer, learned once and then kept.

        Learning it again gives other numbers to letters that are equally frequent, and with them
        other meanings: whatever was trained with one tokenizer goes with that one alone.
        """
        folder = self.workspace.tokenizer
        if not folder.exists():
            tokenizer = build_tokenizer(self.scenes.captions, self.words, self.config.text)
            tokenizer.save_pretrained(folder)
        return load_tokenizer(folder)

    def text_encoder(self) -> CLIPTextModel:
        """Return the trained text encoder."""
        encoder = build_text_encoder(self.tokenizer, self.config.text)
        encoder.load_state_dict(trained_weights(self.checkpoint("text"), "encoder"))
        return encoder.eval()

    def normalised_autoencoder(self) -> AutoencoderTiny:
        """Return the VAE with normalised latents, its decoder as far as it has been trained."""
        vae = build_autoencoder(self.config.autoencoder)
        normalised = self.checkpoint("vae-normalised")
        if not normalised.exists():
            vae.load_state_dict(trained_weights(self.checkpoint("vae"), "vae"))
            sample = self.scenes.pictures[:STATISTICS_SCENES]
            normalise_latents(vae, torch.cat([*encode_pictures(vae, sample, self.device)]))
            torch.save(vae.state_dict(), normalised)
        vae.load_state_dict(torch.load(normalised, weights_only=True))
        if self.checkpoint("decoder").exists():
            vae.decoder.load_state_dict(trained_weights(self.checkpoint("decoder"), "decoder"))
        return vae.to(self.device).eval()

    def latents(self) -> torch.Tensor:
        """Return all training scenes' latents, (scenes, channels, height, width), float16."""
        path = self.checkpoint("latents")
        if not path.exists():
            vae = self.normalised_autoencoder()
            batches = encode_pictures(vae, self.scenes.pictures, self.device)
            torch.save(torch.cat([batch.half() for batch in batches]), path)
        latents: torch.Tensor = torch.load(path, weights_only=True)
        return latents

    def encode(self, captions: list[str]) -> torch.Tensor:
        """Return the captions' states, (captions, tokens, width), float16."""
        return encode_captions(self.text_encoder(), self.tokenizer, captions, self.device)

    def unet(self) -> UNet2DConditionModel:
        """Return an untrained U-Net for this project's latents and text."""
        return build_unet(
            self.config.diffusion,
            latent_channels=self.config.autoencoder.latent_channels,
            sample_size=self.config.data.image_size
            // 2 ** (len(self.config.autoencoder.encoder_blocks) - 1),
            text_width=self.config.text.hidden_size,
        )

    def preview_decoder(self) -> PreviewDecoder:
        """Return an untrained preview decoder."""
        settings = self.config.autoencoder
        torch.manual_seed(settings.seed)
        network: PreviewDecoder = PreviewDecoder(
            latent_channels=settings.latent_channels,
            width=settings.preview_width,
            upscale=2 ** (len(settings.encoder_blocks) - 1),
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
            vae=self.normalised_autoencoder(),
            preview_decoder=preview,
        )
