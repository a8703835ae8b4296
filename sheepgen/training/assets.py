"""What a recipe trains with: icons and scenes, fetched and painted once and then kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sheepgen.training.data.concepts import concepts
from sheepgen.training.data.dataset import SceneSet, Split, paint_split, unseen_scenes
from sheepgen.training.data.icon_sets import NPM_PACKAGES
from sheepgen.training.data.icons import NpmIconStore
from sheepgen.training.data.rendering import paint_scene
from sheepgen.training.evaluation.classifier import INPUT_SIZE
from sheepgen.training.fetch import fetch_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from sheepgen.training.config import TrainingConfig, Workspace
    from sheepgen.training.data.icons import IconStore

__all__ = [
    "concept_names",
    "fetch_icons",
    "paint_classifier_scenes",
    "paint_held_out_scenes",
    "paint_vae_pictures",
    "training_scenes",
    "unseen_pictures",
]


def fetch_icons(workspace: Workspace) -> NpmIconStore:
    """Return the icons that scenes are composed of; npm packages are installed if they are missing.

    Raises:
        ModelError: If npm is missing or cannot install them.
    """
    modules = fetch_packages(NPM_PACKAGES, workspace.packages)
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
