"""Which model an image's record stands for, when the image may be anybody's.

A record has its model as it was typed where the image was made. Here the same word may lead
elsewhere, and whoever wrote it is not to choose what is loaded from this disk, or fetched:

    the embedded model   by its name
    a model of the hub   at the recorded commit, which always stands for the same files, and from
                         the cache; it is fetched only if the user says so
    a folder             only if it is here with the very weights that the record names
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError
from sheepgen.models.hub import cached_folder, parse_hub_model
from sheepgen.models.resolve import find_model
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from sheepgen.metadata.record import ImageRecord
    from sheepgen.models.spec import ModelSpec

__all__ = ["recorded_model"]


def recorded_model(
    record: ImageRecord, *, fetch: bool = False, rehash: bool = False
) -> ModelSpec | str:
    """Return the record's model, without using the network.

    Args:
        record: Of the image.
        fetch: Whether a model that is not here may be fetched.
        rehash: Hash its weights, whatever is remembered of them.

    Returns:
        The model; if it has yet to be fetched, the name by which `find_model` does so.

    Raises:
        ModelError: If the record is not to be followed, or its model is not here.
    """
    name, environment = record.request.model, record.environment
    if name == EMBEDDED_MODEL:
        return find_model(name, rehash=rehash)
    if environment.model_revision is not None:
        return _at_commit(name, environment.model_revision, fetch=fetch, rehash=rehash)
    if not _is_local_folder(name):
        raise ModelError(
            f"The image was made with a folder that is not here: {excerpt(name, 200)}.",
            "Name the model with --model.",
        )
    spec = find_model(name, rehash=rehash)
    if spec.sha256 != environment.model_sha256:
        raise ModelError(
            f"{excerpt(name, 200)} has other weights than the image was made with.",
            "If that folder is the one to use, name it with --model.",
        )
    return spec


def _at_commit(name: str, revision: str, *, fetch: bool, rehash: bool) -> ModelSpec | str:
    asked = parse_hub_model(name)
    if asked is None:
        raise ModelError(
            f"The recorded model is not a valid Hub id: {excerpt(name)}.",
            "Name the model with --model.",
        )
    exact = f"{asked.repo}@{revision}"
    model = parse_hub_model(exact)
    if model is None or not model.is_pinned:
        raise ModelError(
            f"The record has {excerpt(revision)!r} as the revision of {asked.repo}, which is not "
            "a full commit hash.",
            f"To use that model as it is now: --model {asked.repo}.",
        )
    if cached_folder(model) is not None:
        return find_model(exact, offline=True, rehash=rehash)
    if not fetch:
        raise ModelError(
            f"The image was made with {asked.repo} at commit {revision}, which is not in the "
            "cache.",
            "Add --fetch to download it from the Hugging Face Hub, or choose a model with --model.",
        )
    return exact


def _is_local_folder(name: str) -> bool:
    # Looking at a path of the network would tell its server who is looking.
    if name[:2].replace("\\", "/") == "//":
        return False
    return os.path.isdir(os.path.expanduser(name))  # noqa: PTH111, PTH112 - as find_model looks
