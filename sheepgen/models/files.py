"""Which files make a Stable Diffusion model, by name alone.

The same rules serve a folder on disk and a listing from the hub: names go in, in the form
``component/file``, and no file is opened. Weights are safetensors and nothing else, since the
older formats are pickles, and a pickle is a program.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = [
    "CONFIG_FILES",
    "INDEX_FILE",
    "PREVIEW_COMPONENT",
    "PREVIEW_WEIGHTS",
    "WEIGHT_STEMS",
    "check_entries",
    "incompleteness",
    "list_files",
    "missing_files",
    "needed_files",
    "weight_files",
]

INDEX_FILE = "model_index.json"

CONFIG_FILES = {
    "scheduler": "scheduler_config.json",
    "text_encoder": "config.json",
    "tokenizer": "tokenizer_config.json",
    "unet": "config.json",
    "vae": "config.json",
}
"""The components of a model, and the file that describes each."""

WEIGHT_STEMS = {
    "text_encoder": "model",
    "unet": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
}
"""The components with weights, and how their files' names begin."""

PREVIEW_COMPONENT = "preview_decoder"
"""A component that a model may have besides: see `sheepgen.pipeline.preview`."""

PREVIEW_WEIGHTS = f"{PREVIEW_COMPONENT}/diffusion_pytorch_model.safetensors"

_PICKLE_SUFFIXES = (".bin", ".ckpt", ".pkl", ".pt", ".pth")

_PICKLE_HINT = (
    "Those can run code when they are read. Convert the model where you trust it, with "
    "`pipeline.save_pretrained(folder, safe_serialization=True)`."
)

_TOKENIZER_FILES = (
    "added_tokens.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt")


def list_files(folder: Path) -> frozenset[str]:
    """Return the names of the files in ``folder`` and right inside its component folders."""
    return frozenset(
        path.relative_to(folder).as_posix() for path in _entries(folder) if path.is_file()
    )


def check_entries(folder: Path, owner: str) -> None:
    """Check that nothing among a model's files is a link to nowhere, a device or a pipe.

    Raises:
        ModelError: If something is; to ask for it as if it were missing would mislead.
        OSError: If the folder cannot be read.
    """
    for path in sorted(_entries(folder)):
        name = excerpt(path.relative_to(folder).as_posix())
        if path.is_symlink() and not path.exists():
            raise ModelError(
                f"{owner} has a link that leads nowhere: {name}.",
                "Copy the model with the files that its links lead to: `cp -rL`, or `rsync -L`.",
            )
        if not path.is_file() and not path.is_dir():
            raise ModelError(
                f"{owner} has something that is not a regular file: {name}.",
                "Put the model's file in its place.",
            )


def _entries(folder: Path) -> Iterator[Path]:
    yield from folder.iterdir()
    for component in (*CONFIG_FILES, PREVIEW_COMPONENT):
        if (folder / component).is_dir():
            yield from (folder / component).iterdir()


def weight_files(component: str, names: Collection[str]) -> tuple[str, ...]:
    """Return the files that hold a component's weights.

    Returns:
        One file, or an index and all the shards that it is about; nothing if there is no complete
        set among ``names``.

    Raises:
        ModelError: If both forms are there: which one is read would be up to the library.
    """
    single = f"{component}/{WEIGHT_STEMS[component]}.safetensors"
    index = f"{single}.index.json"
    if single in names and index in names:
        raise ModelError(f"{single} and {index} are both there.", "Remove the stale one.")
    if single in names:
        return (single,)
    shard = re.compile(rf"{component}/{WEIGHT_STEMS[component]}-\d{{5}}-of-(\d{{5}})\.safetensors")
    shards = {name: int(match[1]) for name in names if (match := shard.fullmatch(name))}
    if index in names and shards and set(shards.values()) == {len(shards)}:
        return (index, *sorted(shards))
    return ()


def missing_files(names: Collection[str]) -> tuple[str, ...]:
    """Return what a model would still need, as names; nothing if ``names`` are enough."""
    required = [INDEX_FILE, *(f"{part}/{file}" for part, file in CONFIG_FILES.items())]
    missing = [name for name in required if name not in names]
    if not any(f"tokenizer/{file}" in names for file in _VOCABULARIES):
        missing.append(f"tokenizer/{_VOCABULARIES[0]}")
    for component, stem in WEIGHT_STEMS.items():
        if not weight_files(component, names):
            missing.append(f"{component}/{stem}.safetensors")
    return tuple(missing)


def needed_files(names: Collection[str], owner: str) -> tuple[str, ...]:
    """Return those of ``names`` that are needed to run the model: no pickles, no duplicates.

    A safety checker is left out: none is run here.

    Args:
        names: What there is.
        owner: Whose files these are, for the message.

    Raises:
        ModelError: If the model is incomplete, or has its weights in another format.
    """
    if error := incompleteness(names, owner):
        raise error
    needed = [INDEX_FILE, *(f"{part}/{file}" for part, file in CONFIG_FILES.items())]
    needed += [f"tokenizer/{file}" for file in _TOKENIZER_FILES if f"tokenizer/{file}" in names]
    for component in WEIGHT_STEMS:
        needed += weight_files(component, names)
    return tuple(dict.fromkeys(needed))


def incompleteness(names: Collection[str], owner: str) -> ModelError | None:
    """Return the error for a model that is incomplete; None if ``names`` are enough.

    Args:
        names: What there is.
        owner: Whose files these are, for the message.
    """
    missing = next(iter(missing_files(names)), None)
    if missing is None:
        return None
    component, _, file = missing.rpartition("/")
    siblings = sorted(name for name in names if name.startswith(f"{component}/"))
    if file.endswith(".safetensors"):
        for sibling in siblings:
            if sibling.lower().endswith(".safetensors"):
                return _variant(missing, sibling, owner)
        for sibling in siblings:
            if sibling.lower().endswith(_PICKLE_SUFFIXES):
                return ModelError(
                    f"{owner} has its weights as pickles: {excerpt(sibling)}.", _PICKLE_HINT
                )
    return ModelError(f"{owner} has no {missing}.", "The model is incomplete: fetch it again.")


def _variant(missing: str, sibling: str, owner: str) -> ModelError:
    """Return the error for weights that are there under another name than is read here."""
    stem = missing.removesuffix(".safetensors")
    if re.fullmatch(rf"{stem}\.\w+\.safetensors", sibling):
        hint = f"Rename {excerpt(sibling)} to {missing}, or fetch the model without a variant."
    else:
        hint = "Fetch the model again, whole and without a variant."
    return ModelError(f"{owner} has no complete {missing}, only {excerpt(sibling)}.", hint)
