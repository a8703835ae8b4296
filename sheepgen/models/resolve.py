"""From a model's name to a folder that can be trusted: `resolve_model`, `find_model`.

A name is the embedded model's, a diffusers folder, a model in one file, or a Hub id
``org/name[@revision]`` or its alias. All checks that need no torch are made here, so that a wrong
name or a broken download is reported at once, and a `ModelSpec` always stands for a model that is
complete and of a family that runs.
"""

from __future__ import annotations

import difflib
import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from sheepgen.adapters import Adapters
from sheepgen.errors import ModelError, UsageError
from sheepgen.fields import FIELDS
from sheepgen.model_names import MODEL_ALIASES, canonical_model_name
from sheepgen.models import hub
from sheepgen.models.added.prior import PRIORS
from sheepgen.models.checkpoint import read_checkpoint
from sheepgen.models.families import family_of, supported_families
from sheepgen.models.files import INDEX_FILE
from sheepgen.models.fingerprint import file_sha256, fingerprint
from sheepgen.models.json_file import read_object
from sheepgen.models.registry import KNOWN_MODELS
from sheepgen.models.single_file import read_single_file
from sheepgen.models.spec import ModelDefaults, ModelSpec
from sheepgen.models.training_record import recorded_sampling
from sheepgen.models.unsupported import unsupported_family_of_name
from sheepgen.request import EMBEDDED_MODEL, ModelReference
from sheepgen.sanitize import excerpt
from sheepgen.schedulers import OWN_SCHEDULER, scheduler_name_for

if TYPE_CHECKING:
    from sheepgen.models.checkpoint import Checkpoint

__all__ = ["find_model", "locate_model", "reads_prompt", "resolve_model"]


def find_model(
    name: str,
    *,
    variant: str = "",
    replaced: tuple[str, ...] = (),
    offline: bool = False,
    rehash: bool = False,
) -> ModelSpec:
    """Find a model and check it; download it, silently, if it is not on this disk.

    Args:
        name: The embedded model's name, a folder, a file, or ``org/name[@revision]`` or its alias.
            With a full commit hash it is always the Hub's; ``./org/name@commit`` is a folder.
        variant: Which of its weight files, as in ``fp16``; empty for the usual ones.
        replaced: Components whose own weights are not used, as
            `sheepgen.adapters.Adapters.replaced` says; they need not be there.
        offline: Do not use the network.
        rehash: Hash all weights, even if their hashes are cached.

    Raises:
        UsageError: If the name is not that of a model.
        ModelError: If the model cannot be had, is damaged, or is not supported.
    """
    found = resolve_model(name, variant=variant, replaced=replaced, offline=offline, rehash=rehash)
    if isinstance(found, ModelSpec):
        return found
    hub.fetch(found)
    reference = ModelReference(canonical_model_name(name), variant, replaced)
    return _read(reference, found.folder, found.commit, rehash=rehash)


def resolve_model(
    name: str,
    *,
    variant: str = "",
    replaced: tuple[str, ...] = (),
    offline: bool = False,
    rehash: bool = False,
) -> ModelSpec | hub.DownloadPlan:
    """Find a model and check it, as `find_model` does, but download no weights.

    Returns:
        The model; or, if it is not on this disk, the download that it takes. Carry that out with
        `sheepgen.models.hub.download` and resolve the name again.
    """
    place = locate_model(name)
    reference = ModelReference(canonical_model_name(name), variant, replaced)
    if isinstance(place, Path):
        return _read(reference, place, None, rehash=rehash)
    if unsupported_family_of_name(place.repo):
        raise _unknown(name)
    cached = hub.cached_folder(place, variant, replaced)
    if cached is not None:
        return _read(reference, cached, cached.name, rehash=rehash)
    if offline or hub.is_offline():
        raise hub.not_cached(place.repo, variant)
    return hub.plan_download(place, variant, replaced)


def reads_prompt(model: ModelReference, *, offline: bool = False) -> bool:
    """Return whether a model reads a prompt, by its index alone; one without an index does.

    Args:
        model: As requests name it. If it is not on this disk, its index is downloaded.
        offline: Do not use the network.

    Raises:
        UsageError: If the name is not that of a model.
        ModelError: If the model cannot be had, or is not supported.
    """
    folder: Path | None
    if isinstance(place := locate_model(model.name), Path):
        folder = place
    elif (folder := hub.cached_folder(place, model.variant)) is None:
        folder = resolve_model(model.name, variant=model.variant, offline=offline).folder
    if not (folder / INDEX_FILE).is_file():
        return True
    return family_of(read_object(folder / INDEX_FILE), excerpt(folder, 200)).reads_prompt


def locate_model(name: str) -> Path | hub.HubModel:
    """Return the folder or file on this disk, or the Hub's repository, that a name stands for.

    Neither is looked into: it may be damaged, of any family, or not be there.

    Raises:
        UsageError: If the name is not that of a model.
        ModelError: If it is a path, and nothing is there.
    """
    name = canonical_model_name(name)
    place = _local_path(name) or hub.parse_hub_model(name)
    if place is None:
        raise _unknown(name)
    return place


def _read(
    reference: ModelReference, path: Path, revision: str | None, *, rehash: bool
) -> ModelSpec:
    name, variant, replaced = reference
    is_file = path.is_file()
    if is_file and variant:
        raise UsageError(
            f"{excerpt(name, 200)} is a single file, which has no variants.",
            "Leave out --variant.",
        )
    checkpoint = read_single_file(path) if is_file else read_checkpoint(path, variant, replaced)
    if part := checkpoint.family.part:
        raise UsageError(
            f"{excerpt(name, 200)} is {checkpoint.family.name}, which does not run by itself.",
            f"Add it to a model with {FIELDS[part].option}.",
        )
    folder = checkpoint.folder
    repo = name.partition("@")[0]
    if revision is not None:
        for file in checkpoint.weights:
            hub.check_cached(repo, folder / file, rehash=rehash)
    traits = checkpoint.family.read_traits(checkpoint.configs, checkpoint.index)
    advised = None if is_file else KNOWN_MODELS.get(repo) or recorded_sampling(folder)
    sampling = advised or traits
    longest = traits.longest_side // traits.size_multiple * traits.size_multiple
    prior_steps, prior_guidance = traits.prior or (None, None)
    return ModelSpec(
        name=name,
        checkpoint=checkpoint,
        revision=revision,
        size_multiple=traits.size_multiple,
        longest_side=traits.longest_side,
        max_tokens=traits.max_tokens,
        # Of a single file it is the file's own, which other programs show, too.
        sha256=file_sha256(path, rehash=rehash)
        if is_file
        else fingerprint(folder, checkpoint.weights, rehash=rehash),
        weight_bytes=sum((folder / file).stat().st_size for file in checkpoint.weights),
        defaults=ModelDefaults(
            num_inference_steps=sampling.num_inference_steps,
            guidance_scale=sampling.guidance_scale,
            scheduler=_scheduler_name(checkpoint),
            width=min(traits.width, longest),
            height=min(traits.height, longest),
            prior_steps=prior_steps,
            prior_guidance=prior_guidance,
        ),
        made_for=sampling.made_for,
        guidance=traits.guidance,
        needs_mask=traits.needs_mask,
        text_layers=traits.text_layers,
        adapters=Adapters(prior=PRIORS.get(repo, "")),
        unread=traits.unread,
    )


def _scheduler_name(checkpoint: Checkpoint) -> str | None:
    """Return the short name of a model's own scheduler; None if it has none that is known."""
    family, class_name = checkpoint.family, checkpoint.classes.get("scheduler")
    if not family.own_loop:
        return OWN_SCHEDULER
    return class_name and scheduler_name_for(
        class_name, checkpoint.configs["scheduler"], is_flow=family.is_flow
    )


def _local_path(name: str) -> Path | None:
    """Return the folder or file that a name stands for, or None if it may be one of the Hub's."""
    # First, so that a folder of that name in the current one does not replace it.
    if name == EMBEDDED_MODEL:
        return _embedded_folder()
    # A folder can have the name of a model at a commit, but its content need not be that.
    model = hub.parse_hub_model(name)
    if model is not None and model.is_pinned:
        return None
    path = Path(os.path.expanduser(name))  # noqa: PTH111 - does not fail without a home
    if os.path.isdir(path) or os.path.isfile(path):  # noqa: PTH112, PTH113 - any name will do
        return path
    if name.startswith((".", "~")) or name.endswith(".safetensors") or path.is_absolute():
        raise ModelError(f"The path {excerpt(name, 200)} does not exist.", "Check it.")
    return None


def _embedded_folder() -> Path:
    folder = Path(str(resources.files("sheepgen") / "assets" / EMBEDDED_MODEL))
    if not folder.is_dir():
        raise ModelError("The embedded model is not installed.", "Reinstall sheepgen from a wheel.")
    return folder


def _unknown(name: str) -> UsageError:
    if family := unsupported_family_of_name(name):
        return UsageError(
            f"{excerpt(name)} is a model of an unsupported family: {family}.",
            f"Supported: {supported_families()}. `sheepgen models` lists some models.",
        )
    known = (*KNOWN_MODELS, *MODEL_ALIASES)
    nearest = difflib.get_close_matches(name, known, n=2, cutoff=0.55)
    hint = f"Did you mean {' or '.join(nearest)}? " if nearest else ""
    return UsageError(
        f'Unknown model "{excerpt(name)}".',
        f"{hint}A model is {EMBEDDED_MODEL}, a folder (./folder), a file, or a Hub id (org/name).",
    )
