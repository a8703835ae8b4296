"""A model folder, read and judged before any library touches it.

What comes from the hub or from a friend is a stranger's: its index names classes to be imported,
its configs say how much memory to take, its weights may be programs. Here only JSON and file
headers are read, names are held against lists of what this program runs, and all else is refused
by name. Python files in the folder are never looked at, let alone loaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import add
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.config_limits import check_configs
from sheepgen.models.families import family_of_class
from sheepgen.models.files import (
    CONFIG_FILES,
    INDEX_FILE,
    PREVIEW_COMPONENT,
    PREVIEW_WEIGHTS,
    WEIGHT_STEMS,
    check_entries,
    list_files,
    missing_files,
    needed_files,
    weight_files,
)
from sheepgen.models.json_file import check_size, read_object
from sheepgen.models.safetensors import StoredWeights, check_safetensors, check_shards
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import lies_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

__all__ = ["Checkpoint", "check_index", "read_checkpoint"]

_FAMILY = "StableDiffusionPipeline"

_CLASSES = {
    "scheduler": ("diffusers", re.compile(r"[A-Za-z0-9]{1,60}Scheduler")),
    "text_encoder": ("transformers", re.compile(r"CLIPTextModel|BertModel")),
    "tokenizer": ("transformers", re.compile(r"(CLIP|Bert)Tokenizer(Fast)?")),
    "unet": ("diffusers", re.compile(r"UNet2DConditionModel")),
    "vae": ("diffusers", re.compile(r"Autoencoder(KL|Tiny)")),
}
"""For each component the only library and the only classes that are loaded."""

_NOT_LOADED = {"feature_extractor", "image_encoder", "safety_checker"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A model folder that has passed every check.

    Args:
        folder: The diffusers folder.
        classes: Class name of each component.
        configs: Config of each component, as it is in the file; the preview decoder's among them
            if there is one.
        weights: The files with the weights that pixels depend on, as ``component/file``.
        stored: How much each component's weight files hold.
    """

    folder: Path
    classes: Mapping[str, str]
    configs: Mapping[str, Mapping[str, Any]]
    weights: tuple[str, ...]
    stored: Mapping[str, StoredWeights]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read and check a diffusers folder without importing what it names.

    Raises:
        ModelError: If it is incomplete or damaged, of another family, or asks for what is not
            run here.
    """
    owner = excerpt(folder, 200)
    try:
        return _read(folder, owner)
    except OSError as error:
        name = excerpt(error.filename or folder, 200)
        raise ModelError(
            f"{name} cannot be read: {error.strerror}.",
            "Check its permissions, and that it is a regular file.",
        ) from error


def check_index(index: Mapping[str, Any], owner: str) -> dict[str, str]:
    """Check that a model index is about a model that runs here.

    Args:
        index: Content of a ``model_index.json``.
        owner: Whose index this is, for the message.

    Returns:
        The class name of each component.

    Raises:
        ModelError: If the model is of another family, which is named, or has parts that are not
            loaded here.
    """
    name = str(index.get("_class_name"))
    if name != _FAMILY:
        family = family_of_class(name) or excerpt(name)
        raise ModelError(
            f"{owner} is a model of another family: {family}.",
            f"Stable Diffusion 1.x and 2.x run here ({_FAMILY}).",
        )
    return dict(_component_classes(index, owner))


def _read(folder: Path, owner: str) -> Checkpoint:
    present = list_files(folder)
    if missing_files(present):
        check_entries(folder, owner)
    if INDEX_FILE not in present:
        raise ModelError(
            f"{owner} is not a diffusers folder: it has no {INDEX_FILE}.",
            "Give a folder that `pipeline.save_pretrained` wrote.",
        )
    classes = check_index(read_object(folder / INDEX_FILE), owner)
    names = needed_files(present, owner)
    files = CONFIG_FILES
    weights = {part: _shards(folder, part, names) for part in WEIGHT_STEMS}
    to_load = weights
    if PREVIEW_WEIGHTS in present:
        files = files | {PREVIEW_COMPONENT: "config.json"}
        to_load = weights | {PREVIEW_COMPONENT: (PREVIEW_WEIGHTS,)}
    for component in files:
        if not lies_in(folder, folder / component):
            raise ModelError(
                f"{owner} has its {component} in another folder.", "Copy it to where it belongs."
            )
    configs = {part: read_object(folder / part / file) for part, file in files.items()}
    check_configs(configs, owner)
    for name in present:
        if name.startswith("tokenizer/"):
            check_size(folder / name)
    return Checkpoint(
        folder=folder,
        classes=classes,
        configs=configs,
        weights=tuple(chain.from_iterable(weights.values())),
        stored={
            part: reduce(add, (check_safetensors(folder / name) for name in shards))
            for part, shards in to_load.items()
        },
    )


def _shards(folder: Path, component: str, names: Collection[str]) -> tuple[str, ...]:
    """Return a component's safetensors files, an index that names them left out."""
    files = weight_files(component, names)
    shards = tuple(name for name in files if name.endswith(".safetensors"))
    if len(shards) < len(files):
        check_shards(folder / files[0], {name.rpartition("/")[2] for name in shards})
    return shards


def _component_classes(index: Mapping[str, Any], owner: str) -> Iterator[tuple[str, str]]:
    for component in sorted(index.keys() | _CLASSES.keys()):
        entry = index.get(component)
        if component in _CLASSES:
            library, pattern = _CLASSES[component]
            match entry:
                case [str(given), str(name)] if given == library and pattern.fullmatch(name):
                    yield component, name
                case _:
                    raise ModelError(
                        f"{owner} has a {component} that does not run here: {excerpt(entry)}.",
                        "Nothing of it was imported.",
                    )
        elif isinstance(entry, list) and any(entry) and component not in _NOT_LOADED:
            raise ModelError(
                f"{owner} has a component that does not run here: {excerpt(component)}.",
                "Nothing of it was imported.",
            )
