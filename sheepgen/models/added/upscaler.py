"""A second stage that makes the pictures of a model larger: a whole diffusers folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sheepgen.errors import ModelError, UsageError
from sheepgen.fields import MAX_SIDE
from sheepgen.models.added.places import existing
from sheepgen.models.checkpoint import read_checkpoint
from sheepgen.passes import UPSCALER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sheepgen.models.checkpoint import Checkpoint

__all__ = ["find_upscaler", "resolve_upscaler"]

_NOISE = 250
"""How noisy the smaller picture is made: the default of diffusers' pipeline."""


def find_upscaler(text: str, checkpoint: Checkpoint) -> Checkpoint:
    """Find a second stage in a folder.

    Args:
        text: Its path, or its name on the Hub.
        checkpoint: The model that it is added to.

    Raises:
        ModelError: If there is none, it is damaged, or it is not for this model.
    """
    path, owner = existing("upscaler", text)
    if not path.is_dir():
        raise ModelError(f"The upscaler {owner} is not a folder.", "Give its diffusers folder.")
    found = read_checkpoint(path)
    if found.family.part != "upscaler":
        raise ModelError(
            f"{owner} is not an upscaler, but a model: {found.family.name}.",
            "Generate with it by giving it as --model.",
        )
    own, unet = checkpoint.configs["unet"], found.configs["unet"]
    if unet.get("encoder_hid_dim") != own.get("encoder_hid_dim"):
        raise _not_for(owner, "it reads text embeddings of another width")
    if unet["sample_size"] <= own["sample_size"] or unet["sample_size"] % own["sample_size"]:
        raise _not_for(
            owner,
            f"it makes pictures of {unet['sample_size']} pixels, and this model of "
            f"{own['sample_size']}",
        )
    return found


def _not_for(owner: str, why: str) -> ModelError:
    return ModelError(
        f"The upscaler {owner} is not for this model: {why}.",
        "Choose the one that its makers name for it.",
    )


def resolve_upscaler(values: Mapping[str, Any], checkpoint: Checkpoint) -> dict[str, Any]:
    """Return a second stage's settings, as `sheepgen.resolved_request.ResolvedRequest` has them.

    Args:
        values: A request's, by the names of its fields, with its model's where it leaves them open.
        checkpoint: The model's.

    Raises:
        UsageError: If the pictures would be too large.
        ModelError: As `find_upscaler`.
    """
    if not values["upscaler"]:
        return {}
    found = find_upscaler(values["upscaler"], checkpoint)
    traits = found.family.read_traits(found.configs, found.index)
    scale = traits.width // checkpoint.configs["unet"]["sample_size"]
    width, height = scale * values["width"], scale * values["height"]
    if max(width, height) > MAX_SIDE:
        raise UsageError(
            f"The upscaler makes {width}x{height} pixels of {values['width']}x{values['height']}, "
            f"more than {MAX_SIDE} a side.",
            "Give a smaller size.",
        )
    own = {
        "upscaler_steps": traits.num_inference_steps,
        "upscaler_guidance": traits.guidance_scale,
        "upscaler_noise": _NOISE,
    }
    return {
        "stages": UPSCALER,
        "upscaler_width": width,
        "upscaler_height": height,
        **{name: own[name] if values[name] is None else values[name] for name in own},
    }
