"""``sheepgen sweep``: every combination of the given values, each image once, none ever lost."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from sheepgen.cli import options
from sheepgen.cli import sweep_options as several
from sheepgen.cli.console import cli_errors, error_console, note, write_data
from sheepgen.request import EMBEDDED_MODEL
from sheepgen.sanitize import excerpt, plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sheepgen.sweep.folder import SweepPlan
    from sheepgen.sweep.plan import Value

__all__ = ["read_prompts", "sweep"]


def sweep(
    prompt: several.PromptsArg = None,
    *,
    prompt_option: options.PromptOpt = None,
    prompts_file: several.PromptsFileOpt = None,
    replace: several.ReplaceOpt = None,
    negative_prompt: several.NegativePromptsOpt = "",
    seeds: several.SeedsOpt = None,
    variation_seed: several.VariationSeedsOpt = None,
    variation_strength: several.VariationStrengthsOpt = "0",
    size: several.SizesOpt = None,
    model: several.ModelsOpt = EMBEDDED_MODEL,
    steps: several.StepCountsOpt = None,
    guidance: several.GuidancesOpt = None,
    guidance_rescale: several.GuidanceRescalesOpt = "0",
    eta: several.EtasOpt = "0",
    scheduler: several.SchedulersOpt = None,
    device: options.DeviceOpt = "auto",
    dtype: options.DtypeOpt = "auto",
    batch_size: options.BatchSizeOpt = "1",
    output: several.SweepOutputOpt = None,
    frames: options.FramesOpt = "none",
    frame_decoder: options.FrameDecoderOpt = "auto",
    sheet: several.SheetOpt = True,
    overwrite: several.ReplaceFilesOpt = False,
    resume: several.ResumeOpt = False,
    fail_fast: several.FailFastOpt = False,
    strict: options.StrictOpt = False,
    offline: options.OfflineOpt = False,
    dry_run: options.DryRunOpt = False,
    json: options.JsonOpt = False,
    progress_json: options.ProgressJsonOpt = False,
    quiet: options.QuietOpt = False,
    verbose: options.VerboseOpt = False,
) -> None:
    """Generate every combination of the given values. Run it again to make only what is missing."""
    with cli_errors(verbose=verbose):
        from sheepgen.cli.download import show_download
        from sheepgen.cli.dry_run import print_download
        from sheepgen.cli.images import print_images
        from sheepgen.cli.parsing import one_prompt, read_batch_size
        from sheepgen.execution.plan import RunSettings
        from sheepgen.models.hub import DownloadPlan, go_offline
        from sheepgen.options import DeviceOptions
        from sheepgen.output.progress import spinner
        from sheepgen.output.template import slug
        from sheepgen.sweep.folder import plan_sweep
        from sheepgen.sweep.prompts import expand_alternatives
        from sheepgen.sweep.ranges import parse_integers, parse_numbers, parse_sizes, parse_words
        from sheepgen.sweep.run import run_sweep

        console = error_console(quiet=quiet or progress_json)
        settings = RunSettings(
            device=DeviceOptions(
                device=device, dtype=dtype, batch_size=read_batch_size(batch_size)
            ),
            frames=frames,
            frame_decoder=frame_decoder,
            overwrite=overwrite,
            strict=strict,
            offline=offline,
        )
        prompt = one_prompt(prompt, prompt_option)
        prompts = read_prompts(prompt, prompts_file, replace or [])
        given: dict[str, Sequence[Value] | None] = {
            "model": parse_words("--model", model),
            "prompt": prompts,
            "negative_prompt": expand_alternatives(negative_prompt),
            "size": None if size is None else parse_sizes("--size", size),
            "scheduler": None if scheduler is None else parse_words("--scheduler", scheduler),
            "num_inference_steps": None if steps is None else parse_integers("--steps", steps),
            "guidance_scale": None if guidance is None else parse_numbers("--guidance", guidance),
            "guidance_rescale": parse_numbers("--guidance-rescale", guidance_rescale),
            "eta": parse_numbers("--eta", eta),
            "variation_strength": parse_numbers("--variation-strength", variation_strength),
            "variation_seed": None
            if variation_seed is None
            else parse_integers("--variation-seed", variation_seed),
            "seed": None if seeds is None else parse_integers("--seeds", seeds),
        }
        values = {name: each for name, each in given.items() if each is not None}
        if output is None:
            output = f"outputs/{slug(prompt or prompts[0], empty='image')}_sweep/"
        if offline:
            go_offline()
        while True:
            with spinner(console, "Preparing"):
                plan = plan_sweep(values, output, settings, resume=resume, download=False)
            if not isinstance(plan, DownloadPlan):
                break
            if dry_run:
                print_download(plan, json=json)
                return
            show_download(console, plan)
        if dry_run:
            for text in plan.unread:
                note(console, text)
            _print_plan(plan, json=json)
            return
        for text in (*_summary(plan), *plan.unread):
            note(console, text)
        if not plan.missing:
            note(console, "Nothing to do: all images already exist and are intact.")
        failed = print_images(
            run_sweep(plan, sheet=sheet),
            console,
            {request: plan.details[request] for request in plan.missing},
            json=json,
            progress_json=progress_json,
            keep_going=not fail_fast,
            json_details=True,
        )
        if failed:
            note(console, f"{failed} of {len(plan.keys)} images failed. Run it again to retry.")
            raise typer.Exit(3)


def read_prompts(
    prompt: str | None, prompts_file: Path | None, replacements: Sequence[str]
) -> tuple[str, ...]:
    """Return the prompts of a sweep: those of its argument, then those of its file.

    Args:
        prompt: May hold ``{alternatives}``; ``-`` reads a list from standard input.
        prompts_file: One prompt per line, which may hold alternatives too.
        replacements: Each a word to search for, and others that replace it.

    Raises:
        UsageError: If there is no prompt, or the file cannot be read.
    """
    from sheepgen.cli.parsing import read_prompt
    from sheepgen.sweep.prompts import (
        expand_alternatives,
        read_prompt_file,
        read_prompt_lines,
        replace_word,
    )

    lines: list[str] = []
    if prompt == "-":
        lines += read_prompt_lines(read_prompt(prompt))
    elif prompt is not None or prompts_file is None:
        lines.append(read_prompt(prompt))
    if prompts_file is not None:
        lines += read_prompt_file(prompts_file)
    prompts = tuple(dict.fromkeys(each for line in lines for each in expand_alternatives(line)))
    for words in replacements:
        prompts = replace_word(prompts, words)
    return prompts


def _summary(plan: SweepPlan) -> list[str]:
    """Return the plan of a sweep in a few lines."""
    axes = " x ".join(f"{len(axis.values):,} of {axis.name}" for axis in plan.grid.axes)
    of_axes = f": {axes}" if axes else ""
    lines = [f"{plural(len(plan.keys), 'image')}{of_axes}, into {plan.folder}"]
    if plan.done:
        lines.append(f"{len(plan.done):,} already exist, {len(plan.missing):,} to generate")
    lines.append(f"{plural(plan.estimate.steps, 'step')}, {plan.estimate.time}")
    lines.append(f"Disk: {plan.estimate.disk}. Memory: {plan.estimate.memory}")
    return [*lines, *plan.warnings]


def _print_plan(plan: SweepPlan, *, json: bool) -> None:
    """Print what a sweep would generate, and into which files.

    With ``json`` it is one object: ``plan`` (as `describe_grid` returns it), ``folder``,
    ``warnings``, the entries of the estimate, and ``images``, each with its ``path``, ``key``,
    ``request`` and whether it is ``done``.
    """
    from sheepgen.sweep.plan import describe_grid

    images = [
        {
            "path": str(plan.done.get(request, plan.targets[request].path)),
            "key": key,
            "done": request in plan.done,
            "request": asdict(request),
        }
        for request, key in plan.keys.items()
    ]
    if json:
        described: dict[str, Any] = {
            "plan": describe_grid(plan.grid),
            "folder": str(plan.folder),
            "warnings": plan.warnings,
            **asdict(plan.estimate),
        }
        write_data(json_format.dumps({**described, "images": images}))
        return
    for line in _summary(plan):
        write_data(excerpt(line, 300))
    for image in images:
        write_data(f"{'done' if image['done'] else 'to do':<8} {image['path']}")
