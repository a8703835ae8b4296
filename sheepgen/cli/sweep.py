"""``sheepgen sweep``: every combination of the values given, each image once, none ever lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from sheepgen.cli import options
from sheepgen.cli import sweep_options as several
from sheepgen.cli.console import cli_errors, error_console, note
from sheepgen.errors import UsageError
from sheepgen.fields import RANDOM_SEED
from sheepgen.request import EMBEDDED_MODEL, draw_seed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from sheepgen.cli.sweep_plan import SweepRun
    from sheepgen.sweep.plan import Value

__all__ = ["sweep"]


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
    """Draw every combination of several values; run again, it makes only what is missing."""
    with cli_errors(verbose=verbose):
        from sheepgen.cli import dry_run as dry
        from sheepgen.cli.download import downloader
        from sheepgen.cli.parsing import one_prompt, read_batch_size, read_prompts
        from sheepgen.cli.sweep_drawing import draw_sheets, draw_sweep
        from sheepgen.cli.sweep_plan import EarlierSweep, earlier_sweep, prepare_sweep
        from sheepgen.cli.sweep_report import summarise, tell_sweep
        from sheepgen.execution.checks import check_device, check_schedules
        from sheepgen.execution.plan import RunSettings
        from sheepgen.models.hub import go_offline
        from sheepgen.options import DeviceOptions
        from sheepgen.output.artifacts import FRAME_CHOICES
        from sheepgen.output.contact_sheet import check_contact_sheet
        from sheepgen.output.images import OutputLayout
        from sheepgen.output.template import parse_output, slug
        from sheepgen.sweep.names import KEYED_NAMES
        from sheepgen.sweep.prompts import expand_alternatives
        from sheepgen.sweep.ranges import parse_integers, parse_numbers, parse_sizes, parse_words

        console = error_console(quiet=quiet or progress_json)
        computing = DeviceOptions(
            device=device, dtype=dtype, batch_size=read_batch_size(batch_size)
        )
        prompt = one_prompt(prompt, prompt_option)
        prompts = read_prompts(prompt, prompts_file, replace or [])
        folder = f"outputs/{slug(prompt or prompts[0], empty='image')}_sweep"
        spare = parse_output(output, several=True, default=f"{folder}/{KEYED_NAMES}")
        earlier = earlier_sweep(spare.home)
        if resume and earlier is None:
            raise UsageError(
                f"There is no sweep in {spare.home}.", "Check --output, or leave out --resume."
            )
        earlier = earlier or EarlierSweep(seeds={}, keyed=False)
        strengths = parse_numbers("--variation-strength", variation_strength)
        values: dict[str, Sequence[Value]] = {
            "model": parse_words("--model", model),
            "prompt": prompts,
            "negative_prompt": expand_alternatives(negative_prompt),
            "size": parse_sizes("--size", size) if size else [None],
            "scheduler": parse_words("--scheduler", scheduler) if scheduler else [None],
            "num_inference_steps": parse_integers("--steps", steps) if steps else [None],
            "guidance_scale": parse_numbers("--guidance", guidance) if guidance else [None],
            "guidance_rescale": parse_numbers("--guidance-rescale", guidance_rescale),
            "eta": parse_numbers("--eta", eta),
            "variation_strength": strengths,
            **_seeds(seeds, variation_seed, earlier.seeds, varied=any(strengths)),
        }
        default = f"{folder}/{earlier.names(values)}"
        template = parse_output(output, several=True, default=default)
        if offline:
            go_offline()
        layout = OutputLayout(template=template, frames=FRAME_CHOICES[frames], overwrite=overwrite)
        try:
            run = prepare_sweep(
                values,
                layout,
                spare=spare if template != spare else None,
                dtype=dtype,
                offline=offline,
                download=dry.refuse_download if dry_run else downloader(console),
            )
        except dry.WouldDownloadError as answer:
            dry.print_download(answer.plan, json=json)
            return
        check_device(device)
        for name, spec in run.specs.items():
            check_schedules(spec, [each for each in run.missing if each.model == name])
        if dry_run:
            tell_sweep(run, computing, json=json)
            return
        for line in summarise(run, computing):
            note(console, line)
        failed = 0
        if run.missing:
            if sheet:
                check_contact_sheet(run.folder)
            _check_words(run, console, strict=strict)
            failed = draw_sweep(
                run,
                RunSettings(device=computing, frames=frames, frame_decoder=frame_decoder),
                console=console,
                json=json,
                progress_json=progress_json,
                keep_going=not fail_fast,
            )
        else:
            note(console, "Nothing to draw: every image is there and as it was made.")
        if sheet:
            for line in draw_sheets(run):
                note(console, line)
        if failed:
            note(console, f"{failed} of {len(run.keys)} images failed; run it again to try them.")
            raise typer.Exit(3)


def _seeds(
    seeds: str | None,
    variation_seeds: str | None,
    before: Mapping[str, Sequence[Value]],
    *,
    varied: bool,
) -> dict[str, Sequence[Value]]:
    """Return the seeds that were given; in place of others the folder's own, else drawn ones."""
    from sheepgen.sweep.ranges import parse_integers

    chosen: dict[str, Sequence[Value]] = {}
    for field, option, text, wanted in (
        ("seed", "--seeds", seeds, True),
        ("variation_seed", "--variation-seed", variation_seeds, varied),
    ):
        if text is not None and text.strip() != str(RANDOM_SEED):
            chosen[field] = parse_integers(option, text)
        elif text is None and not wanted:
            chosen[field] = [None]
        else:
            known = before.get(field, (None,))
            chosen[field] = [draw_seed()] if known == (None,) else known
    return chosen


def _check_words(run: SweepRun, console: Console, *, strict: bool) -> None:
    """Tell which words of the prompts will not be read by which model."""
    from sheepgen.execution.checks import measure_prompts, unread_words
    from sheepgen.sanitize import excerpt

    for name, spec in run.specs.items():
        requests = [request for request in run.missing if request.model == name]
        texts = {
            f"prompt {excerpt(text, 40)!r}": text
            for request in requests
            for text in (request.prompt, request.negative_prompt)
        }
        for line in unread_words(measure_prompts(spec, texts), strict=strict):
            note(console, line)
