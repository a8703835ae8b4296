"""What the images of a sweep are called if ``--output`` names only their folder.

A name holds the prompt, the seed and whatever else was asked for: ``a-red-sheep_s1_g3.5.png``. It
depends on nothing that the sweep leaves open, so more values rename no image. If two images
would still share a name, as two prompts do that differ in a comma, each gets its key instead.
"""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING

from sheepgen.fields import FIELDS
from sheepgen.request import DEFAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sheepgen.output.manifest import Manifest
    from sheepgen.output.template import OutputTemplate, Target
    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.sweep.grid import Value

__all__ = ["KEYED_NAMES", "place_images", "readable_names"]

KEYED_NAMES = "{prompt}_{seed}_{key}.png"
"""Unique whatever is asked for; the only names that sweeps had before there were readable ones."""

_PARTS: Mapping[str, str] = MappingProxyType(
    {
        field.axis or field.name: field.file_name[1]
        for field in sorted(FIELDS.values(), key=lambda field: field.file_name)
        if field.file_name[1]
    }
)
"""The part of a name for each axis of `sheepgen.sweep.grid.AXES` but the prompt and the seed."""


def readable_names(values: Mapping[str, Sequence[Value]]) -> str:
    """Return the template of file names that say what was asked for.

    Args:
        values: As `sheepgen.sweep.grid.combine` takes them.
    """
    has_prompt = any(values.get("prompt", ("?",))) or any(values.get("blend", ()))
    asked = [
        part
        for axis, part in _PARTS.items()
        if any(value != DEFAULTS.get(axis) for value in values.get(axis, ()))
        and (has_prompt or axis != "model")  # which stands in the prompt's place
    ]
    return "_".join(["{prompt}", "s{seed}", *asked]) + ".png"


def place_images(
    keys: Mapping[ResolvedRequest, str],
    template: OutputTemplate,
    spare: OutputTemplate | None,
    manifest: Manifest,
) -> dict[ResolvedRequest, Target]:
    """Return where each image goes.

    Args:
        keys: Resolved requests and the keys of their images.
        template: Names images.
        spare: Names those whose name by ``template`` is, or will be, another image's; None if
            they are to have it all the same.
        manifest: Of the folder; it knows whose images are there.
    """
    targets = {
        request: template.target(request, index, key)
        for index, (request, key) in enumerate(keys.items(), start=1)
    }
    if spare is None:
        return targets
    wanted = Counter((target.folder, target.stem) for target in targets.values())
    for index, (request, key) in enumerate(keys.items(), start=1):
        target = targets[request]
        owner = manifest.key_of(target.path)
        if owner != key and (owner is not None or wanted[target.folder, target.stem] > 1):
            targets[request] = spare.target(request, index, key)
    return targets
