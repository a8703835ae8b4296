"""``--dry-run``: the whole plan of a run, told instead of carried out.

What is told is data and goes to standard output. With ``--json`` it is one object: ``model``
(its ``download`` is null if it is on this disk), ``prompt``, ``negative_prompt``, ``warnings``
(lines on what is asked for outside of the model's range), ``estimate`` (as
`sheepgen.execution.estimate.Estimate` has it) and ``images``, each with its ``path``, the path it
``wanted`` if that is taken, and its ``request``.
"""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sheepgen.cli.console import write_data
from sheepgen.execution.estimate import estimate
from sheepgen.output.ownership import free_target
from sheepgen.sanitize import byte_size, excerpt, plural

if TYPE_CHECKING:
    from typing import NoReturn

    from sheepgen.cli.plan import RunPlan
    from sheepgen.models.hub import DownloadPlan
    from sheepgen.options import DeviceOptions
    from sheepgen.output.template import Target
    from sheepgen.request import ResolvedRequest

__all__ = ["WouldDownloadError", "refuse_download", "tell_download", "tell_plan"]


class WouldDownloadError(Exception):
    """Raised where a download would start."""

    def __init__(self, plan: DownloadPlan) -> None:
        super().__init__(plan.repo)
        self.plan = plan


def refuse_download(plan: DownloadPlan) -> NoReturn:
    """Take the place of the download in `sheepgen.models.resolve.find_model`."""
    raise WouldDownloadError(plan)


def tell_download(plan: DownloadPlan, *, json: bool) -> None:
    """Tell what fetching the model would take; the rest is known only once it is here."""
    if json:
        download = {
            "bytes": plan.total_bytes,
            "free_bytes": plan.free_bytes,
            "commit": plan.commit,
            "licence": plan.licence,
            "folder": str(plan.folder),
            "files": [file.name for file in plan.files],
        }
        write_data(json_format.dumps({"model": {"name": plan.repo, "download": download}}))
        return
    _tell("model", f"{plan.repo}, licence {plan.licence or 'not stated'}")
    _tell("to fetch", f"{byte_size(plan.total_bytes)} in {plural(len(plan.files), 'file')}")
    _tell("into", f"{plan.folder}, {byte_size(plan.free_bytes)} free")


def tell_plan(plan: RunPlan, options: DeviceOptions, *, json: bool) -> None:
    """Tell what would be drawn, by what, and into which files."""
    spec, first = plan.spec, plan.requests[0]
    images = [
        _image(request, target, overwrite=plan.layout.overwrite)
        for request, target in plan.targets.items()
    ]
    specs, frames = {spec.name: spec}, plan.layout.frames
    taking = estimate(plan.requests, specs, frames, plan.layout.template.home, options)
    if json:
        model: dict[str, Any] = {
            "name": spec.name,
            "revision": spec.revision,
            "sha256": spec.sha256,
            "download": None,
        }
        prompts = {name.replace(" ", "_"): asdict(length) for name, length in plan.prompts.items()}
        whole = {"model": model, **prompts, "warnings": plan.warnings, "estimate": asdict(taking)}
        write_data(json_format.dumps({**whole, "images": images}))
        return
    for warning in plan.warnings:
        write_data(excerpt(warning, 300))
    _tell("model", f"{spec.name}, on this disk")
    for name, length in plan.prompts.items():
        lost = f"; not read: {' '.join(length.truncated)}" if length.truncated else ""
        _tell(name, f"{length.tokens} of {length.limit} tokens{lost}")
    _tell("size", f"{first.width}x{first.height}")
    _tell("steps", f"{first.num_inference_steps} of {first.scheduler}")
    _tell("guidance", f"{first.guidance_scale:g}")
    _tell("time", taking.time)
    _tell("disk", taking.disk)
    _tell("memory", taking.memory)
    for image in images:
        counted = f" ({image['wanted']} is taken)" if image["path"] != image["wanted"] else ""
        _tell(f"seed {image['request']['seed']}", f"{image['path']}{counted}")


def _image(request: ResolvedRequest, wanted: Target, *, overwrite: bool) -> dict[str, Any]:
    free = free_target(wanted, overwrite=overwrite)
    return {
        "path": str(free.path),
        "wanted": str(wanted.path),
        "request": asdict(request),
    }


def _tell(label: str, text: str) -> None:
    write_data(f"{label:<16} {excerpt(text, 300)}")
