"""``sheepgen generate``, which is also what ``sheepgen PROMPT`` runs.

Everything that can be wrong with what was typed is found before torch is imported; what the
model will not read of the prompt, before its weights are loaded.
"""

from __future__ import annotations

from sheepgen.cli import options
from sheepgen.cli.console import cli_errors, error_console
from sheepgen.request import EMBEDDED_MODEL, RANDOM_SEED, GenerationRequest

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
    """Draw what PROMPT says: one image, or several with seeds that count up."""
    with cli_errors(verbose=verbose):
        from sheepgen.cli.download import downloader
        from sheepgen.cli.parsing import (
            one_prompt,
            read_batch_size,
            read_prompt,
            read_seed,
            read_size,
        )
        from sheepgen.cli.run import RunOptions, carry_out
        from sheepgen.options import DeviceOptions

        console = error_console(quiet=quiet or progress_json)
        width, height = read_size(size, width, height)
        varied = variation_strength > 0 or variation_seed == RANDOM_SEED
        request = GenerationRequest(
            prompt=read_prompt(one_prompt(prompt, prompt_option)),
            negative_prompt=negative_prompt,
            seed=read_seed(seed),
            variation_seed=read_seed(variation_seed) if varied else variation_seed,
            variation_strength=variation_strength,
            num_inference_steps=steps,
            guidance_scale=guidance,
            guidance_rescale=guidance_rescale,
            eta=eta,
            width=width,
            height=height,
            scheduler=scheduler,
            model=model,
        )
        told = (
            ("seed", seed, request.seed),
            ("variation seed", variation_seed, request.variation_seed),
        )
        carry_out(
            request,
            RunOptions(
                count=count,
                computing=DeviceOptions(
                    device=device, dtype=dtype, batch_size=read_batch_size(batch_size)
                ),
                output=output,
                frames=frames,
                frame_decoder=frame_decoder,
                overwrite=overwrite,
                strict=strict,
                offline=offline,
                dry_run=dry_run,
                json=json,
                progress_json=progress_json,
                verbose=verbose,
            ),
            console,
            download=downloader(console),
            remarks=lambda _: [
                f"Using random {name} {used}." for name, given, used in told if given != used
            ],
        )
