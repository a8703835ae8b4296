"""What is in the hub's cache, which is shared with every other program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.checkpoint import check_index
from sheepgen.models.configs import read_object
from sheepgen.models.files import INDEX_FILE, incompleteness, list_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.models.hub.names import HubModel

__all__ = ["cached_folder", "cached_models", "cached_part"]


def cached_folder(model: HubModel) -> Path | None:
    """Return the model's folder in the cache if all that is needed of it is there.

    Raises:
        ModelError: If the cache shows already that the model does not run here.
    """
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(model.repo, INDEX_FILE, revision=model.revision)
    if not isinstance(index, str):
        return None
    folder = Path(index).parent
    components = check_index(read_object(Path(index)), model.repo)
    return None if incompleteness(components, list_files(folder), model.repo) else folder


def cached_models() -> tuple[str, ...]:
    """Return the names of the models that are complete in the Hub's cache, sorted."""
    folders = {
        folder.parents[1].name.removeprefix("models--")
        for folder in _snapshots("*")
        if _problem(folder, folder.name) is None
    }
    return tuple(sorted(folder.replace("--", "/") for folder in folders))


def cached_part(repo: str) -> ModelError | None:
    """Return what a model lacks that is only partly in the cache; None if nothing of it is."""
    problems = (
        _problem(folder, f"{repo}, as it is in the cache,")
        for folder in _snapshots(repo.replace("/", "--"))
    )
    return next(filter(None, problems), None)


def _problem(folder: Path, owner: str) -> ModelError | None:
    try:
        components = check_index(read_object(folder / INDEX_FILE), owner)
        return incompleteness(components, list_files(folder), owner)
    except ModelError as error:
        return error


def _snapshots(folder: str) -> Iterator[Path]:
    from huggingface_hub import constants

    for index in Path(constants.HF_HUB_CACHE).glob(f"models--{folder}/snapshots/*/{INDEX_FILE}"):
        yield index.parent
