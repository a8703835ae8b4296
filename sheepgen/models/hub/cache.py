"""What is in the hub's cache, which is shared with every other program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.models.checkpoint import check_index
from sheepgen.models.files import INDEX_FILE, incompleteness, list_files, missing_files
from sheepgen.models.json_file import read_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sheepgen.errors import ModelError
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
    check_index(read_object(Path(index)), model.repo)
    folder = Path(index).parent
    return None if missing_files(list_files(folder)) else folder


def cached_models() -> tuple[str, ...]:
    """Return the names of the models that are whole in the hub's cache, sorted."""
    folders = {
        folder.parents[1].name.removeprefix("models--")
        for folder in _snapshots("*")
        if not missing_files(list_files(folder))
    }
    return tuple(sorted(folder.replace("--", "/") for folder in folders))


def cached_part(repo: str) -> ModelError | None:
    """Return what a model lacks of which only a part is in the cache; None if nothing is."""
    for folder in _snapshots(repo.replace("/", "--")):
        if error := incompleteness(list_files(folder), f"{repo}, as it is in the cache,"):
            return error
    return None


def _snapshots(folder: str) -> Iterator[Path]:
    from huggingface_hub import constants

    for index in Path(constants.HF_HUB_CACHE).glob(f"models--{folder}/snapshots/*/{INDEX_FILE}"):
        yield index.parent
