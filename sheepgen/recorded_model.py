"""Which model an image's record stands for, when the image may be anybody's.

A record has its model as it was typed where the image was made. Here the same word may lead
elsewhere, and whoever wrote it is not to choose what is loaded from this disk:

    the embedded model   by its name
    a model of the hub   at the recorded commit, which is the same files for ever
    a folder             only if it is here with the very weights that the record names
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sheepgen.catalog import find_model
from sheepgen.errors import ModelError
from sheepgen.hub import parse_hub_model
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.text import excerpt

if TYPE_CHECKING:
    from sheepgen.metadata import ImageRecord

__all__ = ["recorded_model"]


def recorded_model(record: ImageRecord) -> str:
    """Return the name by which `find_model` finds the record's model; nothing is fetched.

    Raises:
        ModelError: If the record is not to be followed, or leads nowhere.
    """
    name, environment = record.request.model, record.environment
    if name == EMBEDDED_MODEL:
        return name
    if environment.model_revision is not None:
        return _at_commit(name, environment.model_revision)
    if not _is_local_folder(name):
        raise ModelError(
            f"The image was made with a folder that is not here: {excerpt(name, 200)}.",
            "Name the model with --model.",
        )
    if find_model(name).sha256 != environment.model_sha256:
        raise ModelError(
            f"{excerpt(name, 200)} has other weights than the image was made with.",
            "If that folder is the one to use, name it with --model.",
        )
    return name


def _at_commit(name: str, revision: str) -> str:
    model = parse_hub_model(name)
    exact = f"{model.repo}@{revision}" if model else ""
    if parse_hub_model(exact) is None:
        raise ModelError(
            f"The record's model is none of the hub's: {excerpt(name)} at {excerpt(revision)}.",
            "Name the model with --model.",
        )
    return exact


def _is_local_folder(name: str) -> bool:
    # Looking at a path of the network would tell its server who is looking.
    if name[:2].replace("\\", "/") == "//":
        return False
    return os.path.isdir(os.path.expanduser(name))  # noqa: PTH111, PTH112 - as find_model looks
