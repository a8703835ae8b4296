"""``sheepgen generate``, which is also what ``sheepgen PROMPT`` runs.

Everything that can be wrong with what was typed is found before torch is imported; what the
model will not read of the prompt, before its weights are loaded.
"""

from __future__ import annotations

from typing import Any

from sheepgen.cli import options
from sheepgen.cli.console import cli_errors, error_console
from sheepgen.fields import RANDOM_SEED
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest

__all__ = ["generate"]


def generate(
    prompt: options.PromptArg = None,
    *,
    prompt_option: options.PromptOpt = None,
    negative_prompt: options.NegativePromptOpt = "",
    seed: options.SeedOpt = None,
    variation_seed: options.VariationSeedOpt = None,
    variation_strength: options.VariationStrengthOpt = 0.0,
    count: options.CountOpt = 1,
    width: options.WidthOpt = None,
    height: options.HeightOpt = None,
    size: options.SizeOpt = None,
    model: options.ModelOpt = EMBEDDED_MODEL,
    steps: options.StepsOpt = None,
    guidance: options.GuidanceOpt = None,
    guidance_rescale: options.GuidanceRescaleOpt = 0.0,
    eta: options.EtaOpt = 0.0,
    scheduler: options.SchedulerOpt = None,
    device: options.DeviceOpt = "auto",
    dtype: options.DtypeOpt = "auto",
    batch_size: options.BatchSizeOpt = "1",
    output: options.OutputOpt = None,
    frames: options.FramesOpt = "steps",
    frame_decoder: options.FrameDecoderOpt = "auto",
    overwrite: options.OverwriteOpt = False,
    strict: options.StrictOpt = False,
    offline: options.OfflineOpt = False,
    dry_run: options.DryRunOpt = False,
    json: options.JsonOpt = False,
    progress_json: options.ProgressJsonOpt = False,
    quiet: options.QuietOpt = False,
    verbose: options.VerboseOpt = False,
) -> None:
    """Generate one or more images from a prompt."""
    with cli_errors(verbose=verbose):
        from sheepgen.cli.images import generate_images, plan_images
        from sheepgen.cli.parsing import (
            one_prompt,
            pick_seeds,
            random_seed_notes,
            read_batch_size,
            read_prompt,
            read_size,
        )
        from sheepgen.execution.plan import RunSettings
        from sheepgen.options import DeviceOptions

        console = error_console(quiet=quiet or progress_json)
        width, height = read_size(size, width, height)
        if variation_strength > 0 and variation_seed is None:
            variation_seed = RANDOM_SEED
        fields: dict[str, Any] = {
            "prompt": read_prompt(one_prompt(prompt, prompt_option)),
            "negative_prompt": negative_prompt,
            "seed": RANDOM_SEED if seed is None else seed,
            "variation_seed": variation_seed,
            "variation_strength": variation_strength,
            "num_inference_steps": steps,
            "guidance_scale": guidance,
            "guidance_rescale": guidance_rescale,
            "eta": eta,
            "width": width,
            "height": height,
            "scheduler": scheduler,
            "model": model,
        }
        picked = pick_seeds(fields)
        request = GenerationRequest(**fields | picked)
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
        plan = plan_images(
            request, output, settings, console, count=count, dry_run=dry_run, json=json
        )
        if plan is not None:
            generate_images(
                plan,
                console,
                random_seed_notes(picked),
                dry_run=dry_run,
                json=json,
                progress_json=progress_json,
                verbose=verbose,
            )
