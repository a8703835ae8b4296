"""A model folder, checked before any library reads it.

Models come from the Hub or from other people. Their index names classes to be imported, their
configs say how much memory to take, their weights may be programs. Here only JSON and file headers
are read, and everything that a supported family does not need is refused by name. Python files in
the folder are never read, let alone imported.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from itertools import chain
from operator import add
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.configs import bad_setting, check_config, read_config
from sheepgen.models.families import family_of
from sheepgen.models.files import (
    INDEX_FILE,
    check_entries,
    folder_of,
    incompleteness,
    list_files,
    modular_error,
    needed_files,
    present_components,
    weight_files,
    without_weights,
)
from sheepgen.models.json_file import check_size, read_object
from sheepgen.models.quantization import QUANTIZATION, check_quantization
from sheepgen.models.safetensors import StoredWeights, check_safetensors, check_shards
from sheepgen.sanitize import excerpt
from sheepgen.untrusted_file import lies_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from sheepgen.models.family import Component, Configs, Family

__all__ = ["Checkpoint", "TransformerFile", "check_configs", "check_index", "read_checkpoint"]

_NOT_LOADED = {
    "feature_extractor",
    "image_encoder",
    "prior_image_processor",
    "safety_checker",
    "watermarker",
}
"""Components that an index may name and that are not needed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TransformerFile:
    """A file that takes the place of a model's own transformer.

    Args:
        path: The file.
        prefix: How the names of its weights begin.
        stored: How much they are; of quantised ones, how many numbers.
        is_gguf: Whether it is a GGUF file.
        is_original: Whether its weights are named as the makers of the model do.
    """

    path: Path
    prefix: str
    stored: StoredWeights
    is_gguf: bool
    is_original: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Checkpoint:
    """A model that has passed every check; equal only to itself, as files may change.

    Args:
        folder: The diffusers folder, or the one that a model in a single file is in.
        family: Which family it is of.
        classes: Class name of each component that the index names.
        configs: Config of each component, as it is in the file.
        weights: The files with the weights that images depend on, as ``component/file``.
        stored: How much the weight files of each component hold.
        prefixes: If it is a single file, how the names of each component's weights begin there.
        assumption: A sentence on what had to be assumed of it; empty if nothing had.
        index: Content of its ``model_index.json``.
        transformer: What takes the place of its transformer, if anything does.
    """

    folder: Path
    family: Family
    classes: Mapping[str, str]
    configs: Configs
    weights: tuple[str, ...]
    stored: Mapping[str, StoredWeights]
    prefixes: Mapping[str, str] = field(default_factory=dict)
    assumption: str = ""
    index: Mapping[str, Any] = field(default_factory=dict)
    transformer: TransformerFile | None = None

    def weights_of(self, component: str) -> tuple[str, ...]:
        """The files among `weights` that a component's are in, if it has any, in a folder."""
        # What lies beside the index is of the only component with weights.
        folders = (component, "") if component in self.stored else (component,)
        return tuple(file for file in self.weights if file.rpartition("/")[0] in folders)

    @property
    def left_out(self) -> str:
        """The component with weights that others of its family have and this has not, if any."""
        return ",".join(
            name
            for name, component in self.family.components.items()
            if component.weights and not component.optional and name not in self.configs
        )

    @property
    def path(self) -> Path:
        """The folder, or the single file."""
        return self.folder / self.weights[0] if self.prefixes else self.folder


def read_checkpoint(folder: Path, variant: str = "", replaced: Collection[str] = ()) -> Checkpoint:
    """Read and check a diffusers folder without importing what it names.

    Args:
        folder: The folder.
        variant: Which of its weights are wanted, as in ``fp16``; empty for the usual ones.
        replaced: Components whose weights are not wanted.

    Raises:
        ModelError: If it is incomplete or damaged, of an unsupported family, or needs something
            that is not supported.
    """
    owner = excerpt(folder, 200)
    try:
        return _read(folder, owner, variant, replaced)
    except OSError as error:
        name = excerpt(error.filename or folder, 200)
        raise ModelError(
            f"{name} cannot be read: {error.strerror}.",
            "Check its permissions, and that it is a regular file.",
        ) from error


def check_index(index: Mapping[str, Any], owner: str) -> Mapping[str, Component]:
    """Check that a model index is of a supported family.

    Args:
        index: Content of a ``model_index.json``.
        owner: Whose index this is, for the message.

    Returns:
        The components that the model may have.

    Raises:
        ModelError: If the family or a component is not supported.
    """
    family = family_of(index, owner)
    settings = {name: index[name] for name in family.settings if name in index}
    for name, value in settings.items():
        if not family.settings[name](value):
            raise bad_setting(INDEX_FILE, name, value, owner)
    found = dict(_classes(index, family, owner))
    return {
        name: component
        for name, component in family.components.items()
        if name in found or component.optional
    }


def check_configs(family: Family, configs: Configs, owner: str) -> None:
    """Check the configs of a model's components, each by itself and together.

    Args:
        family: Which family it is of.
        configs: Of every component that it has.
        owner: Whose they are, for the message.

    Raises:
        ModelError: If a setting is missing, impossible or not supported, or components do not fit.
    """
    for name, config in configs.items():
        component = family.components[name]
        file = f"{name}/{component.config}"
        check_quantization(config, component.library, file, owner)
        plain = {setting: value for setting, value in config.items() if setting != QUANTIZATION}
        check_config(
            plain,
            file,
            owner,
            required=component.required,
            refused=component.refused,
            inner=component.inner_configs,
            limits=component.limits,
        )
    family.check_fit(configs, owner)


def _read(folder: Path, owner: str, variant: str, replaced: Collection[str]) -> Checkpoint:
    names = list_files(folder)
    if INDEX_FILE not in names:
        check_entries(folder, owner)
        raise modular_error(names, owner) or ModelError(
            f"{owner} is not a diffusers folder: it has no {INDEX_FILE}.",
            "Choose a folder that `pipeline.save_pretrained` wrote.",
        )
    index = read_object(folder / INDEX_FILE)
    components = without_weights(check_index(index, owner), replaced)
    if incompleteness(components, names, owner, variant):
        check_entries(folder, owner)
    needed_files(components, names, owner, variant)
    components = present_components(components, names)
    configs = {}
    for name, component in components.items():
        own = folder / folder_of(name, component, names)
        if not lies_in(folder, own):
            raise ModelError(
                f"The {name} of {owner} is in another folder.", "Copy it into the model's folder."
            )
        configs[name] = read_config(own / component.config, component)
    family = family_of(index, owner)
    check_configs(family, configs, owner)
    weights = {
        name: _shards(folder, name, component, names, variant)
        for name, component in components.items()
        if component.weights is not None
    }
    read_whole = tuple(f"{name}/" for name, component in components.items() if component.files)
    for file in {*names}.difference(*weights.values()):
        if file.startswith(read_whole):
            check_size(folder / file)
    return Checkpoint(
        folder=folder,
        family=family,
        index=index,
        classes=dict(_classes(index, family, owner)),
        configs=configs,
        weights=tuple(
            chain.from_iterable(
                files for name, files in weights.items() if not components[name].optional
            )
        ),
        stored={
            name: reduce(add, (check_safetensors(folder / file) for file in files))
            for name, files in weights.items()
        },
    )


def _shards(
    folder: Path, name: str, component: Component, names: Collection[str], variant: str
) -> tuple[str, ...]:
    """Return a component's safetensors files, without the index that names them."""
    files = weight_files(name, component, names, variant)
    shards = tuple(file for file in files if file.endswith(".safetensors"))
    if len(shards) < len(files):
        check_shards(folder / files[0], {file.rpartition("/")[2] for file in shards})
    return shards


def _classes(index: Mapping[str, Any], family: Family, owner: str) -> Iterator[tuple[str, str]]:
    named = {name: each for name, each in family.components.items() if not each.optional}
    for name in sorted((index.keys() | named.keys()) - family.settings.keys()):
        entry = index.get(name)
        if name in named:
            match entry:
                case [str(library), str(class_name)] if named[name].allows(library, class_name):
                    yield name, class_name
                case [None, None] if named[name].can_be_none:
                    pass
                case None | [None, None]:
                    raise ModelError(
                        f"Unsupported: {owner} has no {name} of its own.",
                        "A refiner, or a part of a model, does not run by itself; a component that "
                        "comes from elsewhere has to be saved with the others.",
                    )
                case _:
                    raise _unsupported(f"{name} class of {owner}", entry)
        elif isinstance(entry, list) and any(entry) and name not in {*_NOT_LOADED, *family.unused}:
            raise _unsupported(f"component of {owner}", name)


def _unsupported(what: str, value: object) -> ModelError:
    return ModelError(f"Unsupported {what}: {excerpt(value)}.", "Nothing was imported.")
