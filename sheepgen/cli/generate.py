"""``sheepgen generate``, which is also what ``sheepgen PROMPT`` runs.

Everything that can be wrong with what was typed is found before torch is imported; what the
model will not read of the prompt, before its weights are loaded.
"""

from __future__ import annotations

from sheepgen.cli import options
from sheepgen.cli.console import cli_errors, error_console, note
from sheepgen.request import EMBEDDED_MODEL, GenerationRequest, draw_seed

__all__ = ["generate"]


def generate(
    prompt: options.PromptArg = None,
    *,
    negative_prompt: options.NegativePromptOpt = "",
    seed: options.SeedOpt = None,
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
    output: options.OutputOpt = None,
    frames: options.FramesOpt = "steps",
    frame_decoder: options.FrameDecoderOpt = "auto",
    overwrite: options.OverwriteOpt = False,
    strict: options.StrictOpt = False,
    offline: options.OfflineOpt = False,
    dry_run: options.DryRunOpt = False,
    json: options.JsonOpt = False,
    quiet: options.QuietOpt = False,
    verbose: options.VerboseOpt = False,
) -> None:
    """Draw what PROMPT says: one image, or several with seeds that count up."""
    with cli_errors(verbose=verbose):
        from sheepgen.cli import dry_run as dry
        from sheepgen.cli.download import downloader
        from sheepgen.cli.drawing import draw_images
        from sheepgen.cli.inputs import read_layout, read_prompt, read_size
        from sheepgen.cli.plan import make_plan
        from sheepgen.device_options import check_device_options
        from sheepgen.frame_options import FrameOptions
        from sheepgen.hub import go_offline
        from sheepgen.image_file import check_format

        console = error_console(quiet=quiet)
        width, height = read_size(size, width, height)
        request = GenerationRequest(
            prompt=read_prompt(prompt),
            negative_prompt=negative_prompt,
            seed=draw_seed() if seed is None else seed,
            num_inference_steps=steps,
            guidance_scale=guidance,
            guidance_rescale=guidance_rescale,
            eta=eta,
            width=width,
            height=height,
            scheduler=scheduler,
            model=model,
        )
        layout = read_layout(output, frames=frames, several=count > 1, overwrite=overwrite)
        check_format(layout.template.suffix, request)
        check_device_options(device, dtype)
        if offline:
            go_offline()
        try:
            plan = make_plan(
                request,
                layout,
                count=count,
                strict=strict,
                offline=offline,
                download=dry.refuse_download if dry_run else downloader(console),
                console=console,
            )
        except dry.WouldDownloadError as answer:
            dry.tell_download(answer.plan, json=json)
            return
        if verbose:
            note(console, f"Model {model} in {plan.spec.folder}, sha256 {plan.spec.sha256}.")
        if dry_run:
            dry.tell_plan(plan, json=json)
            return
        if seed is None:
            note(console, f"No seed was given; this one is {request.seed}.")
        wanted = FrameOptions(noisy=layout.frames.noisy, decoder=frame_decoder)
        draw_images(
            plan,
            device=device,
            dtype=dtype,
            frames=wanted if layout.frames.needed else None,
            console=console,
            json=json,
        )
