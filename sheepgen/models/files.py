"""Which files make a model, by name alone.

The same rules serve a folder on disk and a listing from the Hub: names go in, in the form
``component/file``, and no file is opened. Weights are safetensors and nothing else, since the
older formats are pickles, and a pickle is a program.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.families import all_components
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from sheepgen.models.family import Component

__all__ = [
    "INDEX_FILE",
    "check_entries",
    "complete_variants",
    "folder_of",
    "incompleteness",
    "list_files",
    "modular_error",
    "needed_files",
    "present_components",
    "variant_of",
    "weight_files",
    "without_weights",
]

INDEX_FILE = "model_index.json"

_MODULAR_INDEX = "modular_model_index.json"
"""Of models that diffusers builds from blocks, which have no pipeline whose loop is known."""

_PICKLE_SUFFIXES = (".bin", ".ckpt", ".pkl", ".pt", ".pth")

_PICKLE_HINT = (
    "Those can run code when they are read. Convert the model where you trust it, with "
    "`pipeline.save_pretrained(folder, safe_serialization=True)`."
)


def list_files(folder: Path) -> frozenset[str]:
    """Return the names of the files in ``folder`` and directly in its component folders."""
    return frozenset(
        path.relative_to(folder).as_posix() for path in _entries(folder) if path.is_file()
    )


def check_entries(folder: Path, owner: str) -> None:
    """Check that nothing among a model's files is a broken link, a device or a pipe.

    Raises:
        ModelError: If something is; to report it as missing would mislead.
        OSError: If the folder cannot be read.
    """
    for path in sorted(_entries(folder)):
        name = excerpt(path.relative_to(folder).as_posix())
        if path.is_symlink() and not path.exists():
            raise ModelError(
                f"{owner} has a broken link: {name}.",
                "Copy the model with the files that its links lead to: `cp -rL`, or `rsync -L`.",
            )
        if not path.is_file() and not path.is_dir():
            raise ModelError(
                f"{owner} has something that is not a regular file: {name}.",
                "Replace it with the model's own file.",
            )


def _entries(folder: Path) -> Iterator[Path]:
    yield from folder.iterdir()
    for component in all_components():
        if (folder / component).is_dir():
            yield from (folder / component).iterdir()


def folder_of(name: str, component: Component, names: Collection[str]) -> str:
    """Return how the names of a component's files begin: with its folder, if it has one.

    Args:
        name: The component's.
        component: What it is made of.
        names: All files that there are.
    """
    is_flat = component.can_be_flat and component.config in names
    return "" if is_flat and f"{name}/{component.config}" not in names else f"{name}/"


def weight_files(
    name: str, component: Component, names: Collection[str], variant: str = ""
) -> tuple[str, ...]:
    """Return the files that hold a component's weights.

    Args:
        name: The component's, which is its folder's.
        component: What it is made of.
        names: All files that there are.
        variant: Which of several sets of files is wanted, as in ``fp16``; empty for the usual one.
            Optional components have no others.

    Returns:
        One file, or an index and all the shards that it lists. If there are no files of the usual
        set, but some of exactly one variant, these. Empty if ``names`` has no complete set.

    Raises:
        ModelError: If both forms are there: which one is read would be up to the library.
    """
    stem = f"{folder_of(name, component, names)}{component.weights}"
    if variant and not component.optional:
        return _complete_set(stem, variant, names)
    usual = _complete_set(stem, "", names)
    variants = {found for file in names if file.startswith(stem) and (found := variant_of(file))}
    if usual or len(variants) != 1 or f"{stem}.safetensors.index.json" in names:
        return usual
    return _complete_set(stem, variants.pop(), names)


def _complete_set(stem: str, variant: str, names: Collection[str]) -> tuple[str, ...]:
    """Return the one file of a variant, or its index and shards, as diffusers names them."""
    dotted = f".{variant}" if variant else ""
    single = f"{stem}{dotted}.safetensors"
    index = f"{stem}.safetensors.index{dotted}.json"
    if single in names and index in names:
        raise ModelError(f"Both {single} and {index} exist.", "Remove the stale one.")
    if single in names:
        return (single,)
    shard = re.compile(rf"{re.escape(stem + dotted)}-\d{{5}}-of-(\d{{5}})\.safetensors")
    shards = {file: int(match[1]) for file in names if (match := shard.fullmatch(file))}
    is_complete = index in names and shards and set(shards.values()) == {len(shards)}
    return (index, *sorted(shards)) if is_complete else ()


def variant_of(file: str) -> str | None:
    """Return the variant that a weight file's name says, as diffusers names it: ``fp16``."""
    match = re.fullmatch(r"[^.]+\.(\w+)(-\d{5}-of-\d{5})?\.safetensors", file)
    return match and match[1]


def complete_variants(
    components: Mapping[str, Component], names: Collection[str]
) -> tuple[str, ...]:
    """Return the variants with all files of each component that must have weights, sorted."""
    needed = [
        (name, component)
        for name, component in components.items()
        if component.weights is not None and not component.optional
    ]
    variants = sorted({found for file in names if (found := variant_of(file))})
    return tuple(
        variant
        for variant in variants
        if all(weight_files(name, component, names, variant) for name, component in needed)
    )


def present_components(
    components: Mapping[str, Component], names: Collection[str]
) -> dict[str, Component]:
    """Return the components without the optional ones whose weights are not among ``names``."""
    return {
        name: component
        for name, component in components.items()
        if not component.optional or weight_files(name, component, names)
    }


def without_weights(
    components: Mapping[str, Component], replaced: Collection[str]
) -> dict[str, Component]:
    """Return the components, some without weights of their own.

    Args:
        components: What a model is made of.
        replaced: Names of those whose weights come from elsewhere.
    """
    return {
        name: replace(component, weights=None) if name in replaced else component
        for name, component in components.items()
    }


def needed_files(
    components: Mapping[str, Component], names: Collection[str], owner: str, variant: str = ""
) -> tuple[str, ...]:
    """Return those of ``names`` that are needed to run the model: no pickles, no duplicates.

    Args:
        components: What the model is made of. Others, such as a safety checker, are left out.
        names: All files that there are.
        owner: Whose files these are, for the message.
        variant: Which weights are wanted; empty for the usual ones.

    Raises:
        ModelError: If the model is incomplete, or has its weights in another format.
    """
    if error := incompleteness(components, names, owner, variant):
        raise error
    needed = [INDEX_FILE]
    for name, component in present_components(components, names).items():
        folder = folder_of(name, component, names)
        needed.append(f"{folder}{component.config}")
        needed += [file for each in component.files if (file := f"{folder}{each}") in names]
        if component.weights is not None:
            needed += weight_files(name, component, names, variant)
    return tuple(dict.fromkeys(needed))


def incompleteness(
    components: Mapping[str, Component], names: Collection[str], owner: str, variant: str = ""
) -> ModelError | None:
    """Return the error for a model that is incomplete; None if ``names`` are enough.

    Args:
        components: What the model is made of.
        names: All files that there are.
        owner: Whose files these are, for the message.
        variant: Which weights are wanted; empty for the usual ones.
    """
    missing = next(_missing_files(components, names, variant), None)
    if missing is None:
        return None
    if error := modular_error(names, owner):
        return error
    component, _, file = missing.rpartition("/")
    if component and file in names:
        return ModelError(
            f"{owner} has the files of its components side by side, as older versions of diffusers "
            "wrote them.",
            "Save it again with diffusers, by `pipeline.save_pretrained(folder)`.",
        )
    siblings = sorted(name for name in names if name.startswith(f"{component}/"))
    variants = complete_variants(components, names)
    if file.endswith(".safetensors") and (variant or variants):
        which = f"{variant} weights" if variant else "usual weights"
        others = f"Choose one that it has with --variant: {', '.join(variants)}."
        return ModelError(
            f"{owner} has no complete {which} of its {component}.",
            others if variants else "Leave out --variant.",
        )
    if file.endswith(".safetensors"):
        for sibling in siblings:
            if sibling.lower().endswith(".safetensors"):
                return _other_weights(missing, sibling, owner)
        for sibling in siblings:
            if sibling.lower().endswith(_PICKLE_SUFFIXES):
                return ModelError(
                    f"{owner} has pickled weights, which are not loaded: {excerpt(sibling)}.",
                    _PICKLE_HINT,
                )
    return ModelError(f"{owner} has no {missing}.", "The model is incomplete. Download it again.")


def modular_error(names: Collection[str], owner: str) -> ModelError | None:
    """Return the error for a model that is a modular pipeline alone; None if it is not."""
    if INDEX_FILE in names or _MODULAR_INDEX not in names:
        return None
    return ModelError(
        f"{owner} is a modular pipeline of diffusers, which is not supported.",
        f"Choose a model with a {INDEX_FILE}.",
    )


def _missing_files(
    components: Mapping[str, Component], names: Collection[str], variant: str
) -> Iterator[str]:
    if INDEX_FILE not in names:
        yield INDEX_FILE
    present = present_components(components, names)
    for name, component in present.items():
        config = f"{folder_of(name, component, names)}{component.config}"
        if config not in names:
            yield config
    for name, component in present.items():
        if component.any_of and not any(f"{name}/{file}" in names for file in component.any_of):
            yield f"{name}/{component.any_of[0]}"
    for name, component in present.items():
        if component.weights is not None and not weight_files(name, component, names, variant):
            yield f"{folder_of(name, component, names)}{component.weights}.safetensors"


def _other_weights(missing: str, sibling: str, owner: str) -> ModelError:
    """Return the error for weights under another name than the one that is read."""
    return ModelError(
        f"{owner} has no complete {missing}, only {excerpt(sibling)}.",
        "Download the whole model again.",
    )
