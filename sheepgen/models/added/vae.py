"""A VAE that takes the place of a model's own: a folder, a file, or a part of a whole model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError
from sheepgen.models.added.places import VAE_WEIGHTS, existing, read_file
from sheepgen.models.checkpoint import Checkpoint
from sheepgen.models.configs import check_config
from sheepgen.models.inferred_configs import vae_config
from sheepgen.models.json_file import read_object
from sheepgen.models.safetensors import StoredWeights
from sheepgen.models.single_file import VAE_PREFIX, check_floats, shapes_below
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["VaeFile", "find_vae", "vae_checkpoint"]

_DECODER = "decoder.conv_in.weight"
"""A weight that every VAE has, in both layouts."""

_USUAL = {"scaling_factor": 0.18215, "shift_factor": None, "norm_num_groups": 32}
"""Settings that no weight says, if a config does not: diffusers' defaults."""


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


def find_vae(text: str, checkpoint: Checkpoint) -> VaeFile:
    """Find a VAE in a folder, or in a file: alone, or as a part of a whole model.

    Raises:
        ModelError: If there is none, or it is not for the latents of this model.
    """
    path, owner = existing("vae", text)
    own = {**_USUAL, **checkpoint.configs["vae"]}
    if path.is_dir():
        folder = path / "vae" if (path / "vae" / "config.json").is_file() else path
        config = read_object(folder / "config.json")
        path, prefix = folder / VAE_WEIGHTS, ""
        file = read_file(path, owner)
        class_name = str(config.get("_class_name", "AutoencoderKL"))
        for setting, what in (("scaling_factor", "scaled"), ("shift_factor", "shifted")):
            if config.get(setting, _USUAL[setting]) != own[setting]:
                raise _not_for(owner, checkpoint, f"its latents are {what} by another factor")
    else:
        file = read_file(path, owner)
        prefix = VAE_PREFIX if shapes_below(file, VAE_PREFIX) else ""
        shapes = shapes_below(file, prefix)
        if _DECODER not in shapes:
            raise ModelError(f"{owner} is not a VAE.", "Choose the file or the folder of one.")
        config = vae_config(shapes, {setting: own[setting] for setting in _USUAL})
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


def vae_checkpoint(vae: VaeFile, checkpoint: Checkpoint) -> Checkpoint:
    """Return a VAE as a model of this component alone.

    Args:
        vae: From `find_vae`.
        checkpoint: The model that it is added to.
    """
    return Checkpoint(
        folder=vae.path.parent,
        family=checkpoint.family,
        classes={"vae": vae.class_name},
        configs={"vae": vae.config},
        weights=(vae.path.name,),
        stored={"vae": vae.stored},
        prefixes={"vae": vae.prefix},
    )


def _not_for(owner: str, checkpoint: Checkpoint, why: str) -> ModelError:
    return ModelError(
        f"The VAE {owner} is not for this model: {why}.",
        f"Choose one for models of its family: {checkpoint.family.name}.",
    )
