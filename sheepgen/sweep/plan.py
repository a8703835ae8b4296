"""A sweep planned: what its folder is to hold, what is there already, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from sheepgen.errors import UsageError
from sheepgen.execution.checks import (
    check_adapters,
    check_device,
    check_schedules,
    device_warnings,
    plan_memory,
)
from sheepgen.execution.plan import find_or_plan_download
from sheepgen.execution.prompts import named_texts, prompt_notes, read_prompts
from sheepgen.execution.settings import RunSettings
from sheepgen.execution.timing import Estimate, estimate
from sheepgen.fields import FIELDS, RANDOM_SEED
from sheepgen.init_image import check_init_image, init_image_notes
from sheepgen.metadata.image_file import check_format
from sheepgen.models.hub import DownloadPlan
from sheepgen.models.request_warnings import outside_warnings
from sheepgen.output.manifest import Manifest
from sheepgen.output.ownership import FolderNames, check_replaceable, own_paths
from sheepgen.output.template import folder_template, parse_output
from sheepgen.prompt_template import expand_request, literal_notes
from sheepgen.request import TEMPLATES, draw_seed
from sheepgen.sanitize import first_of, plural
from sheepgen.shard import Shard, share_sizes
from sheepgen.sweep.folder import EarlierSweep, read_earlier_sweep
from sheepgen.sweep.grid import Grid, combine, resolve_grid
from sheepgen.sweep.images import cell_keys, check_names, details, image_keys, one_of_each
from sheepgen.sweep.morph import along_path, morph_warnings, named_by
from sheepgen.sweep.names import KEYED_NAMES, place_images, readable_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sheepgen.execution.engine import Engine
    from sheepgen.execution.memory import RunMemory
    from sheepgen.execution.prompts import ReadPrompt
    from sheepgen.models.spec import ModelSpec
    from sheepgen.output.images import OutputLayout
    from sheepgen.output.template import Target
    from sheepgen.presets import Presets
    from sheepgen.request import GenerationRequest, ModelReference
    from sheepgen.resolved_request import ResolvedRequest
    from sheepgen.sweep.grid import Value
    from sheepgen.wildcards import Wildcards

__all__ = ["SweepPlan", "plan_sweep"]

_MAX_NOTES = 5
"""Of one kind; a sweep may have thousands of pictures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepPlan:
    """A sweep that nothing is known to stand in the way of.

    Args:
        folder: The sweep's own, where the manifest is.
        grid: Every combination.
        specs: The models, complete on this disk.
        settings: As they were given.
        layout: Where the files go.
        manifest: Of the folder, as far as it has been read.
        shard: The share of the images that is to be generated here; None for all.
        cell_keys: The image key of each of the grid's cells. Cells may share an image: at
            variation strength 0 all variation seeds do.
        keys: Of every image that is to be there in the end, in order.
        details: The values that distinguish each missing image from the others.
        targets: Where each of them goes if it is not there yet.
        done: Where those of the shard are that are there and intact, by whatever names they were
            given.
        missing: The keys of the shard's others.
        prompts: What the models make of the prompts of missing images, by model.
        prompt_notes: A line about each of these prompts with something to report.
        image_notes: A line about each picture to start from that has to be changed.
        warnings: A sentence for each model that is asked for what is outside of its range.
        estimate: What the missing images will take.
        memory: What those of them take that need most on the device; None if none is missing.
    """

    folder: Path
    grid: Grid[ResolvedRequest]
    specs: Mapping[ModelReference, ModelSpec]
    settings: RunSettings
    layout: OutputLayout
    manifest: Manifest
    shard: Shard | None
    cell_keys: tuple[str, ...]
    keys: Mapping[ResolvedRequest, str]
    details: Mapping[ResolvedRequest, str]
    targets: Mapping[ResolvedRequest, Target]
    done: Mapping[ResolvedRequest, Path]
    missing: Mapping[ResolvedRequest, str]
    prompts: Mapping[str, tuple[ReadPrompt, ...]]
    prompt_notes: tuple[str, ...]
    image_notes: tuple[str, ...]
    warnings: tuple[str, ...]
    estimate: Estimate
    memory: RunMemory | None

    @property
    def shares(self) -> tuple[int, ...]:
        """How many images each shard has; empty if there are no shards."""
        return () if self.shard is None else share_sizes(self.keys.values(), self.shard.count)


@overload
def plan_sweep(
    values: Mapping[str, Sequence[Value]],
    output: str | Path,
    settings: RunSettings | None = None,
    *,
    presets: Presets | None = None,
    stops: int | None = None,
    shard: Shard | None = None,
    resume: bool = False,
    download: Literal[True] = True,
) -> SweepPlan: ...


@overload
def plan_sweep(
    values: Mapping[str, Sequence[Value]],
    output: str | Path,
    settings: RunSettings | None = None,
    *,
    presets: Presets | None = None,
    stops: int | None = None,
    shard: Shard | None = None,
    resume: bool = False,
    download: Literal[False],
) -> SweepPlan | DownloadPlan: ...


def plan_sweep(
    values: Mapping[str, Sequence[Value]],
    output: str | Path,
    settings: RunSettings | None = None,
    *,
    presets: Presets | None = None,
    stops: int | None = None,
    shard: Shard | None = None,
    resume: bool = False,
    download: bool = True,
) -> SweepPlan | DownloadPlan:
    """Plan every combination of the values, or a path through them, and see what of it is there.

    Args:
        values: By the keys of `sheepgen.sweep.grid.AXES`, as `combine` takes them. If there is no
            seed, or it is `RANDOM_SEED`, the one that was picked for the folder is used again, or
            one is picked. Braces in prompts have no meaning; with ``settings.wildcards``, each
            image's seed picks a line for ``__name__``.
        output: The sweep's folder as a path; or as a string what ``--output`` takes: a folder with
            a slash at its end, or a template inside one.
        settings: How the images are generated and saved.
        presets: Names that models and LoRAs among the values may have.
        stops: For a morph: how many images there are on the path through the prompts and the seeds
            (`sheepgen.sweep.morph`). None for every combination.
        shard: Which share of the images is to be generated here; None for all. Seeds must be given,
            or picked already: every shard plans the same sweep.
        resume: Whether it is an error if the folder holds no sweep.
        download: Whether models, and what is added to them, are downloaded if they are not on
            this disk; otherwise what the first download would take is returned.

    Raises:
        UsageError: If a request or a wildcard is wrong, a shard would pick a seed, nothing in a
            prompt is known to its model, two images would have one name, a file that is not of this
            sweep is in the way, or ``settings.strict`` forbids a prompt.
        ModelError: If a model cannot be had.
        OutputError: If the folder holds a plan or a manifest that cannot be read.
    """
    settings = settings or RunSettings()
    text = folder_template(output) if isinstance(output, Path) else output
    keyed = parse_output(text, several=True, default=KEYED_NAMES)
    earlier = read_earlier_sweep(keyed.home)
    if resume and earlier is None:
        raise UsageError(
            f"{keyed.home} has no sweep to resume.", "Check --output, or leave out --resume."
        )
    earlier = earlier or EarlierSweep(seeds={}, keyed=False)
    values = _with_seeds(values, earlier.seeds, shard)
    named = values if stops is None else named_by(values)
    names = KEYED_NAMES if earlier.keyed else readable_names(named)
    template = parse_output(text, several=True, default=names)
    wildcards = settings.open_wildcards()
    if wildcards and stops is not None:
        raise UsageError("A morph takes no wildcards.", "Write its prompts out.")
    typed = combine(values, presets) if stops is None else along_path(values, stops, presets)
    wanted = _with_wildcards(typed, wildcards)
    for cell in wanted.cells:
        check_format(template.suffix, cell.request)
        check_init_image(cell.request)
    specs: dict[ModelReference, ModelSpec] = {}
    for reference in dict.fromkeys(cell.request.model_reference for cell in wanted.cells):
        added = [
            cell.request.adapters
            for cell in wanted.cells
            if cell.request.model_reference == reference
        ]
        found = find_or_plan_download(reference, added, offline=settings.offline, download=download)
        if isinstance(found, DownloadPlan):
            return found
        specs[reference] = found
    grid, texts = resolve_grid(wanted, specs), _texts(typed)
    del typed, wanted  # which take as much memory as the grid
    own_keys = cell_keys(grid, specs, settings.device)
    keys = image_keys(grid, own_keys)
    manifest = Manifest(template.home, shard)
    manifest.refresh()
    spare = keyed if template != keyed else None
    targets = place_images(keys, template, spare, manifest)
    own = keys if shard is None else {each: key for each, key in keys.items() if shard.has(key)}
    done = {request: path for request, key in own.items() if (path := manifest.intact_path(key))}
    missing = {each: key for each, key in own.items() if each not in done} if done else own
    check_names(targets)
    layout = settings.layout(template)
    present = FolderNames()
    for request in missing:
        if not present.may_include(targets[request]):
            continue
        replaceable = own_paths(targets[request], request, manifest)
        check_replaceable(replace(targets[request], own=replaceable), overwrite=layout.overwrite)
    engine = settings.engine
    engine.call(check_device, settings.device.device)
    prompts = _check_requests(one_of_each(missing), specs, engine, strict=settings.strict)
    return SweepPlan(
        folder=template.home,
        grid=grid,
        specs=specs,
        settings=settings,
        layout=layout,
        manifest=manifest,
        shard=shard,
        cell_keys=own_keys,
        keys=keys,
        details=details(grid, missing),
        targets=targets,
        done=done,
        missing=missing,
        prompts=prompts,
        prompt_notes=prompt_notes(chain.from_iterable(prompts.values())),
        image_notes=tuple(first_of([*init_image_notes(missing)], _MAX_NOTES)),
        warnings=(
            *settings.warnings(specs.values()),
            *engine.call(device_warnings, tuple(specs.values()), settings.device),
            *(() if wildcards else literal_notes(texts)),
            *_manifest_warnings(manifest),
            *outside_warnings(one_of_each(keys), specs),
            *(() if stops is None else morph_warnings(keys, specs)),
        ),
        estimate=estimate(missing, specs, layout.frames, template.home, settings.device),
        memory=engine.call(plan_memory, tuple(missing), specs, settings.device),
    )


def _with_wildcards(
    grid: Grid[GenerationRequest], wildcards: Wildcards | None
) -> Grid[GenerationRequest]:
    """Return the grid with a line, picked by each cell's seed, for each wildcard."""
    cells = []
    for cell in grid.cells:
        filled = expand_request(cell.request, wildcards, alternatives=False)
        cells.append(cell if filled is cell.request else replace(cell, request=filled))
    return replace(grid, cells=tuple(cells))


def _texts(grid: Grid[GenerationRequest]) -> dict[str, None]:
    """Return every prompt and negative prompt of a grid, once."""
    return dict.fromkeys(getattr(cell.request, name) for name in TEMPLATES for cell in grid.cells)


def _manifest_warnings(manifest: Manifest) -> tuple[str, ...]:
    if not manifest.invalid_lines:
        return ()
    lines = plural(manifest.invalid_lines, "line")
    return (
        f"Warning: {manifest.path} has {lines} that cannot be read. Images that are not in the "
        "other lines are generated again.",
    )


def _with_seeds(
    values: Mapping[str, Sequence[Value]],
    earlier: Mapping[str, Sequence[Value]],
    shard: Shard | None,
) -> Mapping[str, Sequence[Value]]:
    """Return the values with the folder's own seeds, or new ones, where none were given.

    Raises:
        UsageError: If a shard would need a new one.
    """
    chosen = dict(values)
    varied = any(values.get("variation_strength", ()))
    for field, needed in (("seed", True), ("variation_seed", varied)):
        given = values.get(field, [RANDOM_SEED] if needed else [])
        if [*given] == [RANDOM_SEED]:
            known = earlier.get(field, (None,))
            if known == (None,) and shard is not None:
                raise UsageError(
                    f"{FIELDS[field].label} is needed with --shard: each shard would pick another.",
                    f"Give --{field.replace('_', '-')}, the same for all shards.",
                )
            chosen[field] = [draw_seed()] if known == (None,) else known
    return chosen


def _check_requests(
    requests: Iterable[ResolvedRequest],
    specs: Mapping[ModelReference, ModelSpec],
    engine: Engine,
    *,
    strict: bool,
) -> dict[str, tuple[ReadPrompt, ...]]:
    """Check what needs a model's files, and return how each model reads its prompts.

    Raises:
        UsageError: If a scheduler cannot take so many steps, nothing in a prompt is known to its
            model, or ``strict`` forbids a prompt.
        ModelError: If a scheduler cannot be used with a model.
    """
    prompts: dict[str, tuple[ReadPrompt, ...]] = {}
    for reference, spec in specs.items():
        own = [request for request in requests if request.model_reference == reference]
        if not own:
            continue
        engine.call(check_schedules, spec, own)
        engine.call(check_adapters, spec, own)
        for form in dict.fromkeys(request.prompt_format for request in own):
            alike = [request for request in own if request.prompt_format == form]
            prompts[str(reference)] = prompts.get(str(reference), ()) + read_prompts(
                engine,
                replace(spec, adapters=own[0].adapters),
                named_texts(alike),
                named_texts(alike, is_negative=True),
                form=form,
                strict=strict,
            )
    return prompts
