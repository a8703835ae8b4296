"""The model that an image's record names, if it may be used: the image may come from anyone.

A record has its model as it was typed where the image was generated. The same name may mean
another model here, and the author of an image must not choose what is loaded from this disk or
downloaded:

    the embedded model   by its name
    a model of the hub   at the recorded commit, which always means the same files, and from the
                         cache; it is downloaded only if the user says so
    a folder or a file   only if it exists here with the recorded weights
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepgen.errors import ModelError, SheepgenError
from sheepgen.models.files import complete_variants, list_files
from sheepgen.models.hub import (
    DownloadPlan,
    DownloadProgress,
    HubModel,
    cached_folder,
    download,
    parse_hub_model,
)
from sheepgen.models.resolve import find_model, resolve_model
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Generator

    from sheepgen.metadata.record import ImageRecord
    from sheepgen.models.spec import ModelSpec

__all__ = ["HashingModel", "ModelEvent", "ModelFinder", "recorded_model"]


@dataclass(frozen=True, kw_only=True, slots=True)
class HashingModel:
    """The weights of a model are about to be hashed."""

    name: str


ModelEvent = HashingModel | DownloadPlan | DownloadProgress
"""What happens while a model is looked for. A plan is followed by its download's progress."""


class ModelFinder:
    """Finds the models of records and hashes their weights, each once; failures are cached too.

    Args:
        model: Name of the model to use for all records; None for each record's own.
        fetch: Whether a recorded model that is not here may be downloaded.
        offline: Do not use the network.
    """

    def __init__(self, model: str | None, *, fetch: bool, offline: bool) -> None:
        self._model = model
        self.fetch = fetch
        self.offline = offline
        self._found: dict[object, ModelSpec | SheepgenError] = {}

    def find(self, record: ImageRecord) -> Generator[ModelEvent, None, ModelSpec | SheepgenError]:
        """Return the model for a record, or why there is none."""
        environment, model = record.environment, record.request.model_reference
        key = model, environment.model_revision, environment.model_sha256
        wanted = key if self._model is None else model.replaced
        if wanted not in self._found:
            try:
                self._found[wanted] = yield from self._find(record)
            except SheepgenError as error:
                self._found[wanted] = error
        return self._found[wanted]

    def _find(self, record: ImageRecord) -> Generator[ModelEvent, None, ModelSpec]:
        yield HashingModel(name=self._model or record.request.model)
        name = self._model or recorded_model(record, fetch=self.fetch, rehash=True)
        if not isinstance(name, str):
            return name
        reference = record.request.model_reference
        variant, replaced = "" if self._model else reference.variant, reference.replaced
        found = resolve_model(
            name, variant=variant, replaced=replaced, offline=self.offline, rehash=True
        )
        if isinstance(found, DownloadPlan):
            yield found
            yield from download(found)
            found = find_model(name, variant=variant, replaced=replaced, offline=True, rehash=True)
        return found


def recorded_model(
    record: ImageRecord, *, fetch: bool = False, rehash: bool = False
) -> ModelSpec | str:
    """Return the record's model, without using the network.

    Args:
        record: Of the image.
        fetch: Whether a model that is not here may be downloaded.
        rehash: Hash its weights even if their hash is cached.

    Returns:
        The model; if it has yet to be downloaded, its name for `find_model`.

    Raises:
        ModelError: If the record's model may not be used, or is not here.
    """
    (name, variant, replaced), environment = record.request.model_reference, record.environment
    if name == EMBEDDED_MODEL:
        return find_model(name, variant=variant, rehash=rehash)
    if environment.model_revision is not None:
        exact = _at_commit(name, environment.model_revision)
        if cached_folder(exact, variant, replaced) is not None:
            return _find_recorded(str(exact), record, rehash=rehash)
        if fetch:
            return str(exact)
        raise ModelError(
            f"The image was generated with {exact.repo} at commit {exact.revision}, which is not "
            "in the cache.",
            "Add --fetch to download it from the Hugging Face Hub, or choose a model with --model.",
        )
    if not _is_on_disk(name):
        raise ModelError(
            f"The image was generated with a model that is not here: {excerpt(name, 200)}.",
            "Name the model with --model.",
        )
    spec = _find_recorded(name, record, rehash=rehash)
    if spec.sha256 != environment.model_sha256:
        raise ModelError(
            f"The weights in {excerpt(name, 200)} are not those the image was generated with.",
            "To use them anyway, name them with --model.",
        )
    return spec


def _find_recorded(name: str, record: ImageRecord, *, rehash: bool) -> ModelSpec:
    """Find a model with the recorded weights if it has them, else with those of its variant."""
    (_, variant, replaced), sha256 = record.request.model_reference, record.environment.model_sha256
    spec = find_model(name, variant=variant, replaced=replaced, offline=True, rehash=rehash)
    if spec.sha256 == sha256 or spec.checkpoint.prefixes:
        return spec
    # What was the only set of weights then may have been joined by the usual one since.
    for other in complete_variants(spec.family.components, list_files(spec.folder)):
        found = find_model(name, variant=other, replaced=replaced, offline=True, rehash=rehash)
        if found.sha256 == sha256:
            return found
    return spec


def _at_commit(name: str, revision: str) -> HubModel:
    asked = parse_hub_model(name)
    if asked is None:
        raise ModelError(
            f"The recorded model is not a valid Hub id: {excerpt(name)}.",
            "Name the model with --model.",
        )
    model = parse_hub_model(f"{asked.repo}@{revision}")
    if model is None or not model.is_pinned:
        raise ModelError(
            f"The record has {excerpt(revision)!r} as the revision of {asked.repo}, which is not "
            "a full commit hash.",
            f"To use that model as it is now: --model {asked.repo}.",
        )
    return model


def _is_on_disk(name: str) -> bool:
    # Opening a network path would reveal this user to its server.
    if name[:2].replace("\\", "/") == "//":
        return False
    return os.path.exists(os.path.expanduser(name))  # noqa: PTH110, PTH111 - as find_model looks
