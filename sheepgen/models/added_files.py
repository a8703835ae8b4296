"""The files that are added to a model, found and checked before torch is loaded.

They are anybody's, so of each only the header is read here, as of a model in one file. How the
weights of LoRAs fit the model's layers is checked by `sheepgen.pipeline.lora`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError, UsageError
from sheepgen.fields import FIELDS
from sheepgen.models.configs import check_config, read_object
from sheepgen.models.fingerprint import file_sha256
from sheepgen.models.layouts import vae_config
from sheepgen.models.safetensors import StoredWeights, read_tensors
from sheepgen.models.single_file import VAE_PREFIX, check_floats, shapes_below
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.adapters import Adapters
    from sheepgen.models.checkpoint import Checkpoint
    from sheepgen.models.safetensors import StoredTensors

__all__ = [
    "Embedding",
    "VaeFile",
    "added_hashes",
    "find_embedding",
    "find_lora",
    "find_vae",
]

_VAE_WEIGHTS = "diffusion_pytorch_model.safetensors"
_LORA_WEIGHTS = ("pytorch_lora_weights.safetensors", "adapter_model.safetensors")
_LABELS = {"vae": "VAE", "lora": "LoRA", "embedding": "embedding"}

_EMBEDDING_TENSORS = {"emb_params": "text_encoder", "clip_l": "text_encoder"}
"""Names of tensors that are not a token, and the text encoder that each is for."""

_SECOND_TENSOR = "clip_g"

_USUAL_SCALE = 0.18215
"""Of a VAE's latents, if its config does not say it: diffusers' default."""

_MOST_VECTORS = 75
"""Of one embedding: more do not fit a prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VaeFile:
    """A VAE that takes the place of a model's own.

    Args:
        path: The file with its weights.
        class_name: Of diffusers.
        config: Its config.
        prefix: How the names of its weights begin.
        stored: How much they are.
    """

    path: Path
    class_name: str
    config: Mapping[str, Any]
    prefix: str
    stored: StoredWeights


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedding:
    """What a token stands for (textual inversion, https://arxiv.org/abs/2208.01618).

    Args:
        path: The file.
        token: As it is written in prompts.
        vectors: How many tokens of the text encoder it stands for.
        tensors: Name of the tensor for each text encoder.
    """

    path: Path
    token: str
    vectors: int
    tensors: Mapping[str, str]


def added_hashes(
    adapters: Adapters, checkpoint: Checkpoint, recorded: Mapping[str, str | None]
) -> dict[str, str | None]:
    """Find and check all that is added to a model.

    Args:
        adapters: What is.
        checkpoint: The model.
        recorded: What this returned for an earlier image; None for what need not be the same.

    Returns:
        The fields of `sheepgen.request.ResolvedRequest` that have the hashes of the files.

    Raises:
        UsageError: If nothing can be added to this model.
        ModelError: If a file is missing, damaged, not what it is given as, or not the recorded one.
    """
    paths = {
        "vae": [adapters.vae] if adapters.vae else [],
        "lora": [reference.path for reference in adapters.loras],
        "embedding": [*adapters.embeddings],
    }
    return {
        f"{name}_sha256": ",".join(
            _hash(name, text, checkpoint, digest)
            for text, digest in zip_longest(
                named, (recorded.get(f"{name}_sha256") or "").split(",")[: len(named)]
            )
        )
        or None
        for name, named in paths.items()
    }


def _hash(name: str, text: str, checkpoint: Checkpoint, recorded: str | None) -> str:
    if not checkpoint.family.adaptable:
        raise UsageError(
            f"{checkpoint.family.name} takes no {_LABELS[name]}.",
            f"Leave out {FIELDS[name].option}, or choose a Stable Diffusion model with --model.",
        )
    label, path = f"{_LABELS[name]} {excerpt(text, 200)}", _expanded(text)
    # Opening a network path that an image names would reveal this user to its server.
    is_network = bool(recorded) and text[:2].replace("\\", "/") == "//"
    is_here = not is_network and os.path.exists(path)  # noqa: PTH110 - whatever the name is
    if recorded and not is_here:
        raise ModelError(
            f"The image was generated with the {label}, which is not here.", _name_it(name)
        )
    state = path.stat() if is_here else None
    changes = state and (state.st_ino, state.st_size, state.st_mtime_ns)
    digest = file_sha256(_weights_of(name, text, checkpoint, changes))
    if recorded and digest != recorded:
        raise ModelError(
            f"The {label} is not the one that the image was generated with.", _name_it(name)
        )
    return digest


def _name_it(name: str) -> str:
    option = FIELDS[name].option
    return f"To use another one, regenerate the image with `sheepgen rerun` and {option}."


@lru_cache(maxsize=256)
def _weights_of(name: str, text: str, checkpoint: Checkpoint, state: object) -> Path:  # noqa: ARG001
    """Return the file that holds what is added; the state of its path makes the cache forget it."""
    if name == "vae":
        return find_vae(text, checkpoint).path
    if name == "lora":
        return find_lora(text)
    return find_embedding(text, checkpoint).path


def find_vae(text: str, checkpoint: Checkpoint) -> VaeFile:
    """Find a VAE in a folder, or in a file: alone, or as a part of a whole model.

    Raises:
        ModelError: If there is none, or it is not for the latents of this model.
    """
    path, owner = _existing("VAE", text)
    own = {"scaling_factor": _USUAL_SCALE, **checkpoint.configs["vae"]}
    if path.is_dir():
        folder = path / "vae" if (path / "vae" / "config.json").is_file() else path
        config = read_object(folder / "config.json")
        path, prefix = folder / _VAE_WEIGHTS, ""
        file = _read(path, owner)
        class_name = str(config.get("_class_name", "AutoencoderKL"))
        if config.get("scaling_factor", own["scaling_factor"]) != own["scaling_factor"]:
            raise _not_for(owner, checkpoint, "its latents are scaled by another factor")
    else:
        file = _read(path, owner)
        prefix = VAE_PREFIX if shapes_below(file, VAE_PREFIX) else ""
        config = vae_config(shapes_below(file, prefix), own["scaling_factor"])
        class_name = "AutoencoderKL"
    component = checkpoint.family.components["vae"]
    if not component.allows("diffusers", class_name):
        raise ModelError(f"{owner} is not a VAE, but {excerpt(class_name)}.", "")
    check_config(
        config, "the config", owner, required=component.required, refused=component.refused
    )
    check_floats(file, prefix, owner)
    if config["latent_channels"] != own["latent_channels"]:
        raise _not_for(owner, checkpoint, f"its latents have {config['latent_channels']} channels")
    if len(config["block_out_channels"]) != len(own["block_out_channels"]):
        raise _not_for(owner, checkpoint, "its latents have another size")
    sizes = [each for name, each in file.tensors.items() if name.startswith(prefix)]
    stored = StoredWeights(tensors=len(sizes), data_bytes=sum(each.data_bytes for each in sizes))
    return VaeFile(path=path, class_name=class_name, config=config, prefix=prefix, stored=stored)


def _not_for(owner: str, checkpoint: Checkpoint, why: str) -> ModelError:
    return ModelError(
        f"The VAE {owner} is not for this model: {why}.",
        f"Choose one for models of its family: {checkpoint.family.name}.",
    )


def find_lora(text: str) -> Path:
    """Return the file with a LoRA's weights.

    Raises:
        ModelError: If there is none, or it is damaged.
    """
    path, owner = _existing("LoRA", text)
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix == ".safetensors")
        usual = [each for each in files if each.name in _LORA_WEIGHTS]
        found = usual or files
        if len(found) != 1:
            raise ModelError(
                f"The folder {owner} has {len(found)} files that could be a LoRA's weights.",
                "Name the file itself." if found else "They must be .safetensors.",
            )
        path = found[0]
    _read(path, owner)
    return path


def find_embedding(text: str, checkpoint: Checkpoint) -> Embedding:
    """Find a text embedding, and check that it is for the text encoders of this model.

    Raises:
        ModelError: If there is none, or it is not.
    """
    path, owner = _existing("embedding", text)
    file = _read(path, owner)
    tensors = {
        component: name for name, component in _EMBEDDING_TENSORS.items() if name in file.tensors
    }
    if _SECOND_TENSOR in file.tensors:
        tensors["text_encoder_2"] = _SECOND_TENSOR
    token = path.stem
    if not tensors and len(file.tensors) == 1:
        (token,) = file.tensors
        tensors = {"text_encoder": token}
    if not tensors or len(tensors) != len(file.tensors):
        raise ModelError(f"{owner} is not a text embedding of a known form.", "")
    if not re.fullmatch(r"[^\s,]{1,100}", token):
        raise ModelError(
            f'The embedding {owner} has the token "{excerpt(token)}", which no prompt can have.',
            "Give the file a name of one word.",
        )
    encoders = {name for name in checkpoint.configs if name.startswith("text_encoder")}
    if encoders != tensors.keys():
        raise ModelError(
            f"The embedding {owner} is for {len(tensors)} text encoders, and "
            f"this model has {len(encoders)}.",
            f"Choose one for models of its family: {checkpoint.family.name}.",
        )
    check_floats(file, "", owner)
    vectors = set()
    for component, name in tensors.items():
        *number, width = file.tensors[name].shape or (0,)
        vectors.add(number[0] if number else 1)
        hidden = checkpoint.configs[component]["hidden_size"]
        if len(number) > 1 or width != hidden:
            raise ModelError(
                f"The embedding {owner} is {width} wide, and the {component} of "
                f"this model is {hidden} wide.",
                f"Choose one for models of its family: {checkpoint.family.name}.",
            )
    if len(vectors) != 1 or not 1 <= min(vectors) <= _MOST_VECTORS:
        raise ModelError(f"The embedding {owner} has {min(vectors)} to {max(vectors)} vectors.", "")
    return Embedding(path=path, token=token, vectors=vectors.pop(), tensors=tensors)


def _existing(label: str, text: str) -> tuple[Path, str]:
    path, owner = _expanded(text), excerpt(text, 200)
    if not os.path.isdir(path) and not os.path.isfile(path):  # noqa: PTH112, PTH113 - any name
        hint = "Check the path. Several scales at once are for `sheepgen sweep`."
        raise ModelError(
            f"The {label} {owner} does not exist.",
            hint if re.fullmatch(r"[\d.]+", text) else "Check the path.",
        )
    return path, owner


def _expanded(text: str) -> Path:
    return Path(os.path.expanduser(text))  # noqa: PTH111 - does not fail without a home


def _read(path: Path, owner: str) -> StoredTensors:
    try:
        return read_tensors(path)
    except OSError as error:
        raise ModelError(
            f"{owner} cannot be read: {error.strerror}.",
            "Check its permissions, and that it is a regular file.",
        ) from error
