"""Where the files are that are added to a model: on this disk, in the Hub's cache, or on the Hub.

    loras/ink.safetensors   a path; it comes first if it exists
    ./org/name              always a path
    org/name                the one file of a repository that fits; a VAE may be a folder, and an
                            upscaler is one. With a folder org/ here it is a path
    org/name@revision/ink.safetensors
    org/name/flux1-dev-Q4_0.gguf

`pinned` turns a name of the Hub's into one at a commit and with a file, which always means the
same; it is what records have. Nothing here uses the network but `plan_added`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.adapters import Adapters, to_text
from sheepgen.errors import ModelError
from sheepgen.models import hub
from sheepgen.models.files import incompleteness, needed_files
from sheepgen.models.gguf import GGUF_SUFFIX, read_gguf
from sheepgen.models.safetensors import read_tensors
from sheepgen.models.staged_families import PARTS
from sheepgen.sanitize import excerpt, first_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from sheepgen.models.hub import DownloadPlan, HubPath
    from sheepgen.models.safetensors import StoredTensors

__all__ = [
    "LABELS",
    "LORA_WEIGHTS",
    "VAE_WEIGHTS",
    "Place",
    "existing",
    "fetch_added",
    "hub_path_of",
    "locate",
    "pinned",
    "plan_added",
    "read_file",
]

LABELS = {
    "transformer": "transformer",
    "vae": "VAE",
    "lora": "LoRA",
    "embedding": "embedding",
    "upscaler": "upscaler",
    "prior": "prior",
}
"""What each field is called in messages."""

_SUFFIXES = {"transformer": (".safetensors", GGUF_SUFFIX)}
"""How the names of files end; where a field is not named, they are safetensors."""

VAE_WEIGHTS = "diffusion_pytorch_model.safetensors"
LORA_WEIGHTS = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
"""How diffusers and PEFT call the files of weights."""

_PEFT_SETTINGS = {"adapter_model.safetensors": "adapter_config.json"}
"""What has to be beside a file of weights, if it is there: how strong they are."""

_MOST_LISTED = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where something is on this disk.

    Args:
        name: What a record says; of the Hub's, with its commit and file.
        path: A file, or a folder.
        repo: The repository, ``org/name``, if it is in the Hub's cache.
    """

    name: str
    path: Path
    repo: str | None = None


def hub_path_of(text: str) -> HubPath | None:
    """Return what a name means on the Hub; None if it is a path."""
    path = hub.parse_hub_path(text)
    # What has a full commit is always the Hub's, as with models.
    if path is None or path.is_pinned:
        return path
    if _exists(_expanded(text)):
        return None
    # A mistyped path is not asked for on the Hub.
    in_folder_here = "@" not in text and _exists(Path(path.repo.partition("/")[0]))
    return None if in_folder_here else path


def locate(kind: str, text: str) -> Place | None:
    """Return where something is on this disk; None if it is not there.

    Args:
        kind: A field of `sheepgen.adapters.Adapters`.
        text: As it was typed, or recorded.
    """
    wanted = hub_path_of(text)
    if wanted is None:
        path = _expanded(text)
        return Place(name=text, path=path) if _exists(path) else None
    folder = hub.snapshot_folder(wanted)
    if folder is None:
        return None
    here = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    files = _needed(kind, wanted.file, here)
    if not files:
        return None
    file = "" if _is_folder(kind, files) else files[0]
    name = str(replace(wanted, revision=folder.name, file=file))
    return Place(name=name, path=folder / file, repo=wanted.repo)


def pinned(adapters: Adapters) -> Adapters:
    """Return what is added to a model by names that always mean the same, where that is known.

    Raises:
        UsageError: If two of the names mean the same.
    """

    def name(kind: str, text: str) -> str:
        place = locate(kind, text)
        return place.name if place else text

    return Adapters(
        transformer=adapters.transformer and name("transformer", adapters.transformer),
        vae=adapters.vae and name("vae", adapters.vae),
        lora=to_text(tuple(each._replace(path=name("lora", each.path)) for each in adapters.loras)),
        embedding=",".join(name("embedding", each) for each in adapters.embeddings),
        upscaler=adapters.upscaler and name("upscaler", adapters.upscaler),
        prior=adapters.prior and name("prior", adapters.prior),
    )


def plan_added(adapters: Adapters, *, offline: bool = False) -> DownloadPlan | None:
    """Return the download of the first thing that is the Hub's and not in its cache.

    Raises:
        ModelError: If it cannot be had, or it is not clear which file is meant.
    """
    for kind, text in adapters.names:
        wanted = hub_path_of(text)
        if wanted is None or locate(kind, text) is not None:
            continue
        if offline or hub.is_offline():
            raise ModelError(
                f"The {LABELS[kind]} {excerpt(text, 200)} is not in the Hub's cache, and using the "
                "network is not allowed.",
                "Run once without --offline (or HF_HUB_OFFLINE) to download it.",
            )
        if (folder := hub.snapshot_folder(wanted)) is not None:
            wanted = replace(wanted, revision=folder.name)
        listing = hub.list_repository(wanted.repo, wanted.revision)
        files = _needed(kind, wanted.file, listing.files)
        if not files:
            raise _unclear(kind, wanted, listing.files)
        plan = hub.plan_files(wanted, listing, files, kind)
        if plan.files:
            return plan
        # All of it was there, and now it is known at which commit.
        existing(kind, text)
    return None


def fetch_added(adapters: Adapters, *, offline: bool = False) -> None:
    """Download all that is the Hub's and not in its cache, silently.

    Raises:
        ModelError: As `plan_added`, or if a download fails.
    """
    while (plan := plan_added(adapters, offline=offline)) is not None:
        hub.fetch(plan)


def existing(kind: str, text: str) -> tuple[Path, str]:
    """Return where something is on this disk, and what it is called in messages.

    Raises:
        ModelError: If it is not there.
    """
    owner = excerpt(text, 200)
    if place := locate(kind, text):
        if place.path.suffix.lower() == GGUF_SUFFIX and not _is_weights(kind, GGUF_SUFFIX):
            raise ModelError(
                f"The {LABELS[kind]} {owner} is a {GGUF_SUFFIX} file.",
                "Only transformers can be loaded from such files.",
            )
        return place.path, owner
    if hub_path_of(text) is not None:
        raise ModelError(
            f"The {LABELS[kind]} {owner} is not in the Hub's cache.",
            "Loading a model with it downloads it: load_model(name, adapters=request.adapters).",
        )
    hint = "Check the path."
    if hub.parse_hub_path(text) is not None:
        hint += f" If it is on the Hub, give its revision, too, as in {owner}@main."
    if text.replace(".", "").isdecimal():
        hint += " Several scales at once are for `sheepgen sweep`."
    raise ModelError(f"The {LABELS[kind]} {owner} does not exist.", hint)


def read_file(path: Path, owner: str) -> StoredTensors:
    """Return what the header of a file says.

    Raises:
        ModelError: If it cannot be read or is damaged.
    """
    try:
        return (read_gguf if path.suffix.lower() == GGUF_SUFFIX else read_tensors)(path)
    except OSError as error:
        raise ModelError(
            f"{owner} cannot be read: {error.strerror}.",
            "Check its permissions, and that it is a regular file.",
        ) from error


def _needed(kind: str, file: str, names: Collection[str]) -> tuple[str, ...]:
    """Return the files of a repository that are needed, the weights first; or none.

    Args:
        kind: What is looked for.
        file: The one that was named, if any.
        names: All that there are.
    """
    if parts := [part for part in PARTS if part.part == kind]:
        # Its folder is a model's; which part it is of, its index says.
        for part in parts:
            if incompleteness(part.components, names, "") is None:
                return needed_files(part.components, names, "")
        return ()
    if kind == "vae" and not file:
        for folder in ("vae/", ""):
            both = f"{folder}{VAE_WEIGHTS}", f"{folder}config.json"
            if {*both} <= {*names}:
                return both
    weights = [name for name in names if name == file] if file else _candidates(kind, names)
    if len(weights) != 1:
        return ()
    folder, _, name = weights[0].rpartition("/")
    beside = _PEFT_SETTINGS.get(name, "") if kind == "lora" else ""
    settings = f"{folder}/{beside}" if folder else beside
    return (weights[0], settings) if beside and settings in names else (weights[0],)


def _candidates(kind: str, names: Collection[str]) -> list[str]:
    """Return the files that may be meant if none is named."""
    if kind == "lora" and (usual := [name for name in LORA_WEIGHTS if name in names]):
        return usual
    return sorted(name for name in names if _is_weights(kind, name) and hub.is_file_name(name))


def _is_weights(kind: str, name: str) -> bool:
    """Return whether a file may be of a kind, by the end of its name."""
    return name.lower().endswith(_SUFFIXES.get(kind, (".safetensors",)))


def _is_folder(kind: str, files: tuple[str, ...]) -> bool:
    """Return whether files are the folder of a VAE or of another part of a model."""
    return kind in {part.part for part in PARTS} or files[-1].rpartition("/")[2] == "config.json"


def _unclear(kind: str, wanted: HubPath, names: Collection[str]) -> ModelError:
    """Return the error for a repository in which it is not clear which file is meant."""
    for part in PARTS:
        if part.part == kind:
            error = incompleteness(part.components, names, wanted.repo)
            assert error is not None, "it would be complete"
            return error
    found = _candidates(kind, names)
    listed = ", ".join(first_of([excerpt(name, 100) for name in found], _MOST_LISTED))
    if not found:
        return ModelError(
            f"{wanted.repo} has no {LABELS[kind]} as a "
            f"{' or '.join(_SUFFIXES.get(kind, ('.safetensors',)))} file.",
            "Pickles (.bin, .pt, .ckpt) are not loaded: they can run code when they are read.",
        )
    if wanted.file:
        return ModelError(
            f"{wanted.repo} has no file {excerpt(wanted.file, 100)}.", f"It has {listed}."
        )
    return ModelError(
        f"{wanted.repo} has {len(found)} files that could be the {LABELS[kind]}: {listed}.",
        f"Name one, as in {wanted.repo}/{excerpt(found[0], 100)}.",
    )


def _exists(path: Path) -> bool:
    return os.path.isdir(path) or os.path.isfile(path)  # noqa: PTH112, PTH113 - any name will do


def _expanded(text: str) -> Path:
    return Path(os.path.expanduser(text))  # noqa: PTH111 - does not fail without a home
