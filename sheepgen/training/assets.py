"""What a recipe trains with: icons, scenes, words; fetched, painted, computed once and kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
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
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from sheepgen.training.config import TrainingConfig, Workspace
    from sheepgen.training.data.icons import IconStore

__all__ = [
    "WordLists",
    "concept_names",
    "distractor_words",
    "fetch_icons",
    "load_word_lists",
    "paint_classifier_scenes",
    "paint_held_out_scenes",
    "paint_vae_pictures",
    "training_scenes",
    "unseen_pictures",
]

CAPTIONS = 24_000
"""How many are searched for words; words that are rarer still are mostly typing errors."""


def fetch_icons(workspace: Workspace) -> NpmIconStore:
    """Return the icons that scenes are composed of; npm packages are installed if they are missing.

    Raises:
        ModelError: If npm is missing or cannot install them.
    """
    packages = (*NPM_PACKAGES, EMOJI_PACKAGE, WORDNET_PACKAGE)
    modules = fetch_packages(packages, workspace.packages)
    return NpmIconStore(modules=modules, folder=workspace.packages / "rendered")


def concept_names(config: TrainingConfig) -> tuple[str, ...]:
    """Return the names of all concepts of a recipe."""
    return config.data.cast or tuple(concepts())


def training_scenes(config: TrainingConfig) -> Split:
    """Return the U-Net's scenes; they are encoded, but their pictures are not kept."""
    return _split(config, "train", config.data.scenes, mix=config.data.mix)


def paint_vae_pictures(
    config: TrainingConfig, workspace: Workspace, icons: IconStore
) -> NDArray[np.uint8]:
    """Return what the VAE learns from, (pictures, height, width, 3), mapped from disk."""
    split = _split(config, "pictures", config.data.pictures, mix="all sets")
    return paint_split(split, icons, workspace.scenes).pictures


def paint_held_out_scenes(
    config: TrainingConfig, workspace: Workspace, icons: IconStore
) -> SceneSet:
    """Return scenes that nothing is trained on, with held-out pairs and drawings among them."""
    split = _split(config, "held-out", config.data.held_out_scenes, testing=True)
    return paint_split(split, icons, workspace.scenes)


def paint_classifier_scenes(
    config: TrainingConfig, workspace: Workspace, icons: IconStore
) -> SceneSet:
    """Return what the classifier learns from: scenes of another seed, as large as its input."""
    settings = config.classifier
    split = Split(
        name="judge",
        count=settings.train_scenes,
        size=INPUT_SIZE,
        seed=settings.seed,
        testing=True,
    )
    return paint_split(split, icons, workspace.scenes)


def unseen_pictures(
    config: TrainingConfig, workspace: Workspace, icons: IconStore
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield sets of pictures that nothing was trained on, each with its name."""
    yield "held-out scenes", paint_held_out_scenes(config, workspace, icons).pictures
    size = config.data.image_size
    for name, scenes in unseen_scenes().items():
        yield name, np.stack([np.asarray(paint_scene(scene, icons, size)) for scene in scenes])


def _split(
    config: TrainingConfig, name: str, count: int, *, mix: str = "styles", testing: bool = False
) -> Split:
    data = config.data
    return Split(
        name=name,
        count=count,
        size=data.image_size,
        seed=data.seed,
        testing=testing,
        mix=mix,
        subset=data.cast,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class WordLists:
    """The words that the text encoder learns.

    Args:
        captions: Those of the first training scenes.
        caption_words: The words of these.
        vocabulary: Words whose meaning is learned besides.
        synonyms: Nouns that captions never hold, and the concept nearest to each.
        associations: Words that name no concept, and the one that they bring to mind.
        sentence_encoder: Knows the meaning of words.
    """

    captions: list[str]
    caption_words: set[str]
    vocabulary: list[str]
    synonyms: Mapping[str, str]
    associations: Mapping[str, str]
    sentence_encoder: SentenceEncoder


def load_word_lists(config: TrainingConfig, workspace: Workspace, icons: NpmIconStore) -> WordLists:
    """Return the words that the text encoder learns; synonyms are computed once and then kept.

    A recipe of few concepts has no synonyms and associations: nearly all nouns are far from all.
    """
    scenes = training_scenes(config)
    captions = [scenes.scene(index).caption for index in range(min(scenes.count, CAPTIONS))]
    caption_words = {word for caption in captions for word in words_of(caption)}
    encoder = SentenceEncoder()
    synonyms: dict[str, str] = {}
    associations: dict[str, str] = {}
    if not config.data.cast:
        nouns = read_nouns(icons.modules)
        path = workspace.checkpoints / "synonyms.json"
        if not path.exists():
            nearest = nearest_concepts(nouns, encoder, caption_words)
            with atomic_write(path) as partial:
                partial.write_text(json.dumps(nearest, indent=0), "utf-8")
        synonyms = json.loads(path.read_text("utf-8"))
        excluded = {*synonyms, *nouns.people}
        associations = evoked_concepts(icons.modules, encoder, caption_words, excluded)
    return WordLists(
        captions=captions,
        caption_words=caption_words,
        vocabulary=wide_vocabulary(icons.modules, encoder.frequent_words()),
        synonyms=synonyms,
        associations=associations,
        sentence_encoder=encoder,
    )


def distractor_words(words: WordLists) -> list[str]:
    """Return words that neither name a concept nor bring one to mind."""
    meaning = {*words.synonyms, *words.associations}
    others = {*words.vocabulary} - words.caption_words - meaning - {*map(plural_of, meaning)}
    return sorted(word for word in others if re.fullmatch("[a-z]+", word))
