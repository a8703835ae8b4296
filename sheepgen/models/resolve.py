"""From a model's name to a folder that can be trusted: `find_model`.

A name is the embedded model's, a diffusers folder, or a hub id ``org/name[@revision]``. All
checks that need no torch are made here, so that a wrong name or a broken download is said at
once, and a `ModelSpec` always stands for a model that is complete and of a family that runs.
"""

from __future__ import annotations

import difflib
import os
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError, UsageError
from sheepgen.models import hub
from sheepgen.models.checkpoint import Checkpoint, read_checkpoint
from sheepgen.models.families import family_of_name
from sheepgen.models.fingerprint import fingerprint
from sheepgen.models.registry import KNOWN_MODELS, KnownModel
from sheepgen.models.spec import ModelDefaults, ModelSpec
from sheepgen.models.training_record import Sampling, recorded_sampling
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import excerpt
from sheepgen.schedulers import scheduler_name_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


__all__ = ["PROMPT_TOKENS", "find_model", "resolve_model"]


PROMPT_TOKENS = "prompt_tokens"
"""What a text encoder's config may say, as the embedded one's does: how many of its tokens are the
prompt's, where the others are for what it knows itself."""

_USUAL = Sampling(50, 7.5)  # of diffusers' StableDiffusionPipeline


def find_model(
    name: str,
    *,
    offline: bool = False,
    download: Callable[[hub.DownloadPlan], None] = hub.fetch,
    rehash: bool = False,
) -> ModelSpec:
    """Find a model and check it; fetch it if it is on the hub and nowhere here.

    Args:
        name: The embedded model's name, a folder, or ``org/name[@revision]``. With a full commit
            hash it is always the hub's; ``./org/name@commit`` is a folder.
        offline: Do not use the network.
        download: Carries out a plan; the default prints nothing.
        rehash: Hash all weights, whatever is remembered of them.

    Raises:
        UsageError: If the name is of no known kind.
        ModelError: If the model cannot be had, is damaged, or does not run here.
    """
    found = resolve_model(name, offline=offline, rehash=rehash)
    if isinstance(found, hub.DownloadPlan):
        download(found)
        found = _read_model(name, found.folder, found.folder.name, rehash=rehash)
    return found


def resolve_model(
    name: str, *, offline: bool = False, rehash: bool = False
) -> ModelSpec | hub.DownloadPlan:
    """Find a model and check it, or return what downloading it would take.

    Args:
        name: As for `find_model`.
        offline: Do not use the network.
        rehash: Hash all weights even if their hashes are cached.

    Raises:
        UsageError: If the name is not of a known kind.
        ModelError: If the model cannot be had, is damaged, or does not run here.
    """
    found = _locate(name, offline=offline)
    if isinstance(found, hub.DownloadPlan):
        return found
    folder, revision = found
    return _read_model(name, folder, revision, rehash=rehash)


def _read_model(name: str, folder: Path, revision: str | None, *, rehash: bool) -> ModelSpec:
    checkpoint = read_checkpoint(folder)
    if revision is not None:
        for file in checkpoint.weights:
            hub.check_cached(name.partition("@")[0], folder / file, rehash=rehash)
    scale = 2 ** (len(checkpoint.configs["vae"]["block_out_channels"]) - 1)
    encoded_tokens = _encoded_tokens(checkpoint)
    advised = (
        KNOWN_MODELS.get(name.partition("@")[0]) or recorded_sampling(checkpoint.folder) or _USUAL
    )
    prompt_tokens = checkpoint.configs["text_encoder"].get(PROMPT_TOKENS) or encoded_tokens
    return ModelSpec(
        name=name,
        folder=folder,
        revision=revision,
        vae_scale_factor=scale,
        max_tokens=min(prompt_tokens, encoded_tokens),
        encoded_tokens=encoded_tokens,
        sha256=fingerprint(folder, checkpoint.weights, rehash=rehash),
        weight_bytes=sum((folder / file).stat().st_size for file in checkpoint.weights),
        defaults=_defaults(advised, checkpoint, scale),
        made_for=advised.made_for,
    )


def _locate(name: str, *, offline: bool) -> tuple[Path, str | None] | hub.DownloadPlan:
    """Return the model's folder and, if it is from the hub, its commit; or how to get it."""
    # First, so that a folder of that name beside the user does not stand in for it.
    if name == EMBEDDED_MODEL:
        return _embedded_folder(), None
    model = hub.parse_hub_model(name)
    # A folder can bear the name of a model at a commit, but what is in it nobody knows.
    if (model is None or not model.is_pinned) and (folder := _local_folder(name)):
        return folder, None
    if model is None or family_of_name(model.repo):
        raise _unknown(name)
    cached = hub.cached_folder(model)
    if cached is None:
        if offline or hub.is_offline():
            raise hub.not_cached(model.repo)
        return hub.plan_download(model)
    return cached, cached.name


def _local_folder(name: str) -> Path | None:
    """Return the folder that a name is the path of, or None if it may be a model of the hub's."""
    path = Path(os.path.expanduser(name))  # noqa: PTH111 - does not fail without a home
    if os.path.isdir(path):  # noqa: PTH112 - does not fail on impossible names
        return path
    if os.path.isfile(path):  # noqa: PTH113 - neither does this
        raise ModelError(
            f"{excerpt(name, 200)} is a single file.",
            "Only diffusers folders are read. Convert it where you trust it, with "
            "`StableDiffusionPipeline.from_single_file(…).save_pretrained(folder)`.",
        )
    if name.startswith((".", "~")) or path.is_absolute():
        raise ModelError(f"There is no folder {excerpt(name, 200)}.", "Check the path.")
    return None


def _embedded_folder() -> Path:
    folder = Path(str(resources.files("sheepgen") / "assets" / EMBEDDED_MODEL))
    if not folder.is_dir():
        raise ModelError(
            "The embedded model is not installed.", "Install the package again, from a wheel."
        )
    return folder


def _unknown(name: str) -> UsageError:
    if family := family_of_name(name):
        return UsageError(
            f"{excerpt(name)} is a model of a family that does not run here yet: {family}.",
            "Stable Diffusion 1.x and 2.x run: `sheepgen models` lists some.",
        )
    nearest = difflib.get_close_matches(name, KNOWN_MODELS, n=2, cutoff=0.4)
    hint = f"Did you mean {' or '.join(nearest)}? " if nearest else ""
    return UsageError(
        f"There is no model {excerpt(name)}.",
        f"{hint}A model is {EMBEDDED_MODEL}, a folder (./folder), or a hub id (org/name).",
    )


def _encoded_tokens(checkpoint: Checkpoint) -> int:
    """Return how long encoded prompts are, clamped: some tokenizers say that they take any."""
    positions: int = checkpoint.configs["text_encoder"]["max_position_embeddings"]
    limit = checkpoint.configs["tokenizer"].get("model_max_length")
    return min(positions, limit) if isinstance(limit, int) and limit > 2 else positions


def _defaults(advised: KnownModel | Sampling, checkpoint: Checkpoint, scale: int) -> ModelDefaults:
    height, width = _sample_size(checkpoint.configs["unet"])
    return ModelDefaults(
        num_inference_steps=advised.num_inference_steps,
        guidance_scale=advised.guidance_scale,
        scheduler=scheduler_name_for(
            checkpoint.classes["scheduler"], checkpoint.configs["scheduler"]
        ),
        width=width * scale,
        height=height * scale,
    )


def _sample_size(unet: Mapping[str, Any]) -> tuple[int, int]:
    """Return the side lengths of the latents, as diffusers' pipeline reads them."""
    size = unet["sample_size"]
    if isinstance(size, list):
        return size[0], size[1]
    # The first exporter wrote 32 for models that were trained on 64.
    written_by = re.match(r"(\d+)\.(\d+)", str(unet.get("_diffusers_version")))
    if written_by and (int(written_by[1]), int(written_by[2])) < (0, 9):
        size = max(size, 64)
    return size, size
