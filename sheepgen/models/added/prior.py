"""A prior in a folder of its own, for a decoder without one, as Kandinsky 2.2 is on the Hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sheepgen.errors import ModelError
from sheepgen.models.added.places import existing
from sheepgen.models.checkpoint import Checkpoint, read_checkpoint
from sheepgen.sanitize import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PRIORS", "PriorFolder", "find_prior", "prior_of"]

PRIORS: Mapping[str, str] = {
    "kandinsky-community/kandinsky-2-2-decoder": "kandinsky-community/kandinsky-2-2-prior",
    "stabilityai/stable-cascade": "stabilityai/stable-cascade-prior",
    "warp-ai/wuerstchen": "warp-ai/wuerstchen-prior",
}
"""Repositories of the Hub with a decoder alone, and those with the prior that goes with it."""


class PriorFolder(NamedTuple):
    """Where a model's prior is, and how the names of its components begin there."""

    checkpoint: Checkpoint
    prefix: str


def prior_of(text: str, checkpoint: Checkpoint) -> PriorFolder:
    """Return where a model's prior is: in its own folder, or in that which is added.

    Raises:
        ModelError: If there is none, it is damaged, or it is not for this model.
    """
    if "prior_prior" in checkpoint.configs:
        return PriorFolder(checkpoint, "prior_")
    return PriorFolder(find_prior(text, checkpoint), "")


def find_prior(text: str, checkpoint: Checkpoint) -> Checkpoint:
    """Find a prior in a folder.

    Args:
        text: Its path, or its name on the Hub.
        checkpoint: The decoder that it is added to.

    Raises:
        ModelError: If there is none, it is damaged, or it is not for this model.
    """
    if not text:
        raise ModelError(
            f"{excerpt(checkpoint.folder, 200)} is a decoder without its prior.",
            "Give the folder of the prior, or its name on the Hub, with --prior.",
        )
    path, owner = existing("prior", text)
    if not path.is_dir():
        raise ModelError(f"The prior {owner} is not a folder.", "Give its diffusers folder.")
    found = read_checkpoint(path)
    fit = checkpoint.family.prior
    assert fit is not None, "its models are decoders alone"
    if found.family.name != fit.family:
        raise ModelError(
            f"{owner} is not {fit.family}, but {found.family.name}.",
            "Choose the one of its makers.",
        )
    made, taken = (
        configs[component][setting]
        for configs, (component, setting) in (
            (found.configs, fit.made),
            (checkpoint.configs, fit.taken),
        )
    )
    if made != taken:
        raise ModelError(
            f"The prior {owner} is not for this model: it makes embeddings of width {made}, and "
            f"the decoder takes {taken}.",
            "Choose the one that its makers name beside it.",
        )
    return found
